"""The code blocks of both READMEs and of docs/ run as they are printed, on drawn pictures.

What trains, exports, measures or serves is given its words only: tests of its own run it, and
tests/cli/test_tutorial.py trains as a page says. The bundled model is a formula here.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image
from tests.builders.clips import write_clip

import humanseg
from humanseg import TrainConfig
from humanseg.cli import main
from humanseg.cli.app import build_app
from humanseg.config.loading import to_yaml
from humanseg.model_directory import directory as model_directory

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FIXTURES = ROOT / "tests" / "fixtures"
RUN_ELSEWHERE = {
    "own-networks.md": "tests/comparison/test_own_networks.py",
    "python.md": "tests/inference/test_segmenter.py",
    "tutorial-own-pictures.md": "tests/cli/test_tutorial.py",
}
REASONS = {
    "installs packages and runs the whole suite": 1,
    "installs packages": 3,
    "fetches packages": 3,
    "takes hours, on data that is not here": 8,
    "reaches the hub": 2,
    "needs ffmpeg": 3,
    "needs SLURM": 2,
    "needs several GPUs": 1,
    "needs several machines": 1,
    "needs Ray": 1,
    "needs Spark": 1,
    "tests/cli/test_engines.py runs the like": 1,
    "needs a container engine": 1,
    "needs the running server": 1,
    "runs until it is stopped": 1,
    "PowerShell": 1,
    "changes the shell's start-up file, fetches packages": 1,
    "the mistake itself": 1,
}
"""Why blocks are not run, and how many at most; no other reason is good enough."""
LINES = ("pip install", "curl", "torchrun", "humanseg predict --camera", "humanseg data download")
"""Lines that need a registry, the running server, several GPUs, a camera, or the network."""
CHECKED = ("report", "export", "benchmark", "serve", "doctor", "data compose")
"""Commands whose words are checked, as those of `train` and `compare` are by `--show-config`."""
SHORTER = {
    "--count 500": "--count 4",
    "--count 60": "--count 18",
    "in 1 2 3 4;": "in 4;",
    "rounds=3, calls=50": 'precisions=("fp32",), rounds=1, calls=1, sizes=((48, 64),)',
}
LANGUAGES = {"sh", "console", "python", "text", "json", "nginx", "powershell", "toml"}


class Block(NamedTuple):
    """A fenced block of a page."""

    reason: str
    language: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    fence = r"^(?:<!-- not run: (.+) -->\n)?```(\S*).*\n((?:.*\n)*?)```$"
    return [Block(*match.groups("")) for match in re.finditer(fence, text, re.MULTILINE)]


def test_blocks__say_their_language_and_why_they_are_not_run() -> None:
    blocks = [(page.name, block) for page in PAGES for block in blocks_of(page)]
    assert len(blocks) > 70
    languages = {block.language for _, block in blocks if not block.language.startswith("{")}
    assert languages <= LANGUAGES
    reasons = [block.reason for _, block in blocks if block.reason]
    assert {reason: reasons.count(reason) for reason in reasons} == REASONS


@pytest.fixture
def home(
    tmp_path: Path, brightness_model: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with the pictures, data and models that pages speak of."""
    images = sorted((drawn / "images").iterdir())
    (tmp_path / "photos").mkdir()
    names = ("photos/1", "photos/2", "photos/3", "photo", "beach", "office")
    for name, image in zip(names, images, strict=False):
        Image.open(image).save(tmp_path / f"{name}.jpg", quality=95)
    for data in ("pictures", "other", "labelled", "big"):
        shutil.copytree(drawn, tmp_path / data)
    for model in ("runs/own/model", "runs/fpn/model", "runs/mine/model", "runs/unet/model"):
        shutil.copytree(brightness_model, tmp_path / model)
        (tmp_path / model).with_name("config.yaml").write_text(to_yaml(TrainConfig()))
    shutil.copytree(FIXTURES / "model-v1", tmp_path / "RUN" / "model")
    rows = [f"{path.stem},{path.stem},{number % 2}" for number, path in enumerate(images)]
    (tmp_path / "table.csv").write_text("\n".join(["id,group,skin-tone", *rows]) + "\n")
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "a.tar", "w") as shard:
        shard.add(tmp_path / "photo.jpg", "photo.jpg")
    for clip in ("clip.mp4", "talk.mp4"):
        write_clip(tmp_path / clip, frames=4)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.command
@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in RUN_ELSEWHERE],
                         ids=lambda page: page.name)  # fmt: skip
def test_page__its_blocks_run(
    page: Path, home: Path, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [block for block in blocks_of(page) if not block.reason]
    monkeypatch.setattr(humanseg, "train", _given_to_train)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        text = block.text.replace("\\\n", " ")
        for words, fewer in SHORTER.items():
            text = text.replace(words, fewer)
        if block.language == "python":
            with monkeypatch.context() as bundled:
                bundled.setattr(model_directory, "bundled", lambda: brightness_model)
                exec(compile(text, page.name, "exec", dont_inherit=True), names)
        elif block.language in ("sh", "console"):
            prompt = "$ " if block.language == "console" else ""
            lines = [
                line.removeprefix(prompt) for line in text.splitlines() if line.startswith(prompt)
            ]
            for line in lines:
                if line and not line.startswith(LINES):
                    _run(line, brightness_model, monkeypatch)
        elif block.language == "toml":
            assert tomllib.loads(text)


def _run(line: str, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)
    if words[0] != "humanseg" or re.search(r"[|>;]", " ".join(words)):
        shell = f'humanseg() {{ "{sys.executable}" -m humanseg "$@"; }}\nset -eo pipefail\n{line}'
        subprocess.run(["bash", "-c", shell], check=True)
        return
    words = words[1:]
    if words[0] in ("train", "compare"):
        assert main([*words, "--show-config"]) == 0, line
    elif " ".join(words).startswith(CHECKED) and "--export-static" not in words:
        build_app().parse_args(words, exit_on_error=False, print_error=False)
    else:
        with monkeypatch.context() as bundled:
            bundled.setattr(model_directory, "bundled", lambda: model)
            assert main(words) == 0, line


def _given_to_train(config: TrainConfig, *, output: Path) -> Any:  # noqa: ANN401  a stand-in
    assert isinstance(config, TrainConfig)
    return type("Result", (), {"summary": type("Summary", (), {"iou_mean": 0.9})})
