"""The tutorial is run as it is printed: predict, correct, fine-tune, measure."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from humanseg.cli import main
from humanseg.results import Analysis, read_record

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-own-pictures.md"
SHORTER = {
    "--count 60": "--count 30",
    "--count 40": "--count 12",
    "-o tuned": "-o tuned --epochs 4 --training.precision fp32 "
    "--training.memory-format contiguous --training.no-onnx",
}
"""So that it takes less than a minute."""


@pytest.mark.training
def test_tutorial__gains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```(console|python)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    ran = 0
    for kind, block in blocks:
        if kind == "python":
            exec(compile(block, PAGE.name, "exec"), {})
            continue
        for line in block.replace("\\\n", " ").splitlines():
            command, _, target = line.removeprefix("$ humanseg ").partition(" > ")
            for words, fewer in SHORTER.items():
                if words in command:
                    command = command.replace(words, fewer)
                    break
            capsys.readouterr()
            assert main(shlex.split(command)) == 0, line
            if target:
                Path(target).write_text(capsys.readouterr().out)
            ran += 1
    assert ran == 8
    ranked = [json.loads(line) for line in Path("ranked.jsonl").read_text().splitlines()]
    assert len(list(Path("corrected/masks").iterdir())) == 20
    assert [line["uncertainty"] for line in ranked] == sorted(
        (line["uncertainty"] for line in ranked), reverse=True
    )
    assert Path("review.html").stat().st_size > 100_000
    gain = read_record(Path("gain/analysis.json"), Analysis)
    (pair,) = [pair for pair in gain.pairs if pair.metric == "iou"]
    sign = 1 if "after" in pair.first else -1
    assert sign * pair.difference.estimate > 0
    assert pair.difference.low is not None
    assert pair.difference.high is not None
