"""Other architectures and networks of one's own, from the command to the page."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch

from humanseg.cli import main
from humanseg.config.architectures import ARCHITECTURES, Arch, own_settings
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.inference.engines.engine import FunctionEngine
from humanseg.inference.segmenter import Segmenter
from humanseg.results import ComparisonResult, Evaluation, read_record
from humanseg.system.errors import UsageError

PAGE = (Path(__file__).parents[2] / "docs" / "own-networks.md").read_text(encoding="utf-8")
ARCHS = ("unet", "unetplusplus", "segformer")


def _run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


@pytest.mark.command
@pytest.mark.filterwarnings("ignore")
def test_compare__of_other_architectures_leaves_models_that_everything_reads(
    drawn: Path, tmp_path: Path
) -> None:
    size, options = ("--model.image-size", 64, 64), ("--model.encoder-name", "tu-test_efficientnet")
    _run(
        *("compare", "--archs", *ARCHS, "--data", drawn, "-o", tmp_path / "c", "--quiet"),
        *(*size, *options, "--model.encoder-weights", "none", "--training.precision", "fp32"),
        *("--training.memory-format", "contiguous", "--training.no-onnx"),
        *("--epochs", 3, "--batch-size", 4),
    )
    result = read_record(tmp_path / "c" / "results.json", ComparisonResult)
    assert [run.config.model.arch for run in result.runs] == list(ARCHS)
    page = (tmp_path / "c" / "report.html").read_text(encoding="utf-8")
    image = drawn / "images" / "000.png"
    for arch in ARCHS:
        assert ARCHITECTURES[arch].label in page
        model = tmp_path / "c" / "runs" / f"{arch}-seed42" / "model"
        plain = smp.from_pretrained(str(model)).eval()
        assert plain(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
        _run("export", model, "-o", tmp_path / f"{arch}.onnx")
        _run("evaluate", model, "--data", drawn, "-o", tmp_path / f"{arch}-scores")
        scored = read_record(tmp_path / f"{arch}-scores" / "evaluation.json", Evaluation)
        assert (scored.arch, scored.summary.images) == (arch, 20)
        _run("predict", image, "--model", model, "-o", tmp_path / f"{arch}.png")
        assert (tmp_path / f"{arch}.png").is_file()


def test_page__names_every_architecture() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", PAGE, flags=re.MULTILINE)
    assert rows == [
        (
            arch,
            entry.label,
            ", ".join(f"`{key}`" for key in own_settings(arch)) or "-",
            entry.encoder_rule,
        )
        for arch, entry in ((arch, ARCHITECTURES[arch]) for arch in get_args(Arch))
    ]


def test_page__does_what_it_says(
    drawn: Path, brightness_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(drawn, "new-images")
    shutil.copytree(brightness_model, Path("runs") / "unet" / "model")
    names: dict[str, Any] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "docs/own-networks.md", "exec", dont_inherit=True), names)
    for command in re.findall(r"```sh\nhumanseg (.*)\n```", PAGE):
        _run(*shlex.split(command))
    scored = read_record(Path("results/mine/evaluation.json"), Evaluation)
    assert (scored.model, scored.arch, scored.trained_on) == ("mine", "mine", None)
    assert not scored.seen_in_training
    page = Path("results", "both", "report.md").read_text(encoding="utf-8")
    assert "above mine: mine (95 % interval" in page
    assert "What mine was trained on is not recorded" in page


def test_evaluate__needs_a_name_for_a_network_without_a_record(drawn: Path) -> None:
    engine = FunctionEngine.of(
        lambda images: np.zeros(images.shape[:3], dtype=np.float32), (32, 32)
    )
    with pytest.raises(UsageError, match="say what to call its network with name"):
        evaluate(Segmenter.of_engine(engine), data=drawn)
