"""The commands as a user types them, from drawing pictures to the report, in one story."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders.command import run_command as _run

pytestmark = pytest.mark.command
Run = Callable[..., tuple[int, str, str]]
SMALL = (
    "--model.encoder-name", "tu-test_efficientnet", "--model.encoder-weights", "none",
    "--model.image-size", 64, 64, "--training.batch-size", 4, "--training.ema-decay", 0.8,
    "--training.precision", "fp32", "--training.memory-format", "contiguous",
)  # fmt: skip
LEARNT = ("--training.epochs", 12)
QUICK = (*LEARNT, "--training.no-onnx")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front") / "drawn"
    _run("data", "synthesize", folder, "--count", 24, "--size", 64, 64, "--seed", 3)
    return folder


@pytest.fixture(scope="module")
def comparison(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front") / "comparison"
    done = _run(
        "compare",
        "--data",
        drawn,
        *SMALL,
        *LEARNT,
        "--archs",
        "unet",
        "deeplabv3plus",
        "-o",
        folder,
    )
    assert "deeplabv3plus" in done.stdout
    assert str(folder / "report.html") in done.stdout
    return folder


def test_data_check__drawn_pictures_are_fit(run: Run, pictures: Path) -> None:
    report = json.loads(run("data", "check", pictures, "--json")[1])
    assert not [finding for finding in report["findings"] if finding["severity"] == "error"]


def test_compare__writes_every_output(comparison: Path) -> None:
    results = json.loads((comparison / "results.json").read_text())
    assert [run["name"] for run in results["runs"]] == ["unet-seed42", "deeplabv3plus-seed42"]
    assert results["failed"] == results["missing"] == []
    rows = list(csv.DictReader((comparison / "scores.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(results["runs"][0]["split"]["test"])
    assert "<svg" in (comparison / "report.html").read_text()
    assert (comparison / "report.md").read_text().startswith("# ")


def test_compare__again_repeats_nothing(comparison: Path, drawn: Path) -> None:
    checkpoints = {path: path.stat().st_mtime_ns for path in comparison.rglob("*.ckpt")}
    words = ("--archs", "unet", "deeplabv3plus", "-o", comparison)
    _run("compare", "--data", drawn, *SMALL, *LEARNT, *words)
    assert {path: path.stat().st_mtime_ns for path in comparison.rglob("*.ckpt")} == checkpoints


def test_compare__other_settings_in_the_same_folder_are_refused(
    run: Run, comparison: Path, drawn: Path
) -> None:
    words = ("--archs", "unet", "deeplabv3plus", "--loss.bce", "0.5", "-o", comparison)
    code, _, err = run("compare", "--data", drawn, *SMALL, *LEARNT, *words)
    assert code == 2
    assert "another configuration" in err


def test_report__is_the_same_again(comparison: Path) -> None:
    before = (comparison / "report.html").read_bytes()
    _run("report", comparison)
    assert (comparison / "report.html").read_bytes() == before


def test_evaluate__a_trained_model(comparison: Path, pictures: Path, tmp_path: Path) -> None:
    model = comparison / "runs" / "unet-seed42" / "model"
    done = _run("evaluate", model, "--data", pictures, "-o", tmp_path / "out")
    assert "95 % intervals over 24 groups" in done.stdout
    scores = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert len(scores["scores"]) == 24
    assert scores["analysis"]["networks"][0]["metrics"]["iou"]["low"] is not None
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def test_evaluate__on_the_training_pictures_is_remarked(comparison: Path, drawn: Path) -> None:
    model = comparison / "runs" / "unet-seed42" / "model"
    done = _run("evaluate", model, "--data", drawn)
    assert "its scores are too high for new pictures" in done.stdout


def test_report__side_by_side(comparison: Path, tmp_path: Path) -> None:
    runs = [comparison / "runs" / f"{arch}-seed42" for arch in ("unet", "deeplabv3plus")]
    _run("report", *runs, "-o", tmp_path / "both")
    text = (tmp_path / "both" / "report.md").read_text()
    assert "unet-seed42: U-Net" in text
    assert "deeplabv3plus-seed42: DeepLabV3+" in text


@pytest.fixture(scope="module")
def folds(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of two networks, trained by two processes one after the other."""
    folder = tmp_path_factory.mktemp("front") / "folds"
    words = ("--data", drawn, *SMALL, *QUICK, "--archs", "unet", "fpn", "--folds", 2, "-o", folder)
    first = _run("compare", *words, "--shard", "1/2")
    assert "2 runs of the plan belong to other shards" in first.stderr
    second = _run("compare", *words, "--shard", "2/2")
    assert "belong to other shards" not in second.stderr
    return folder


def test_folds__are_merged_by_the_last_shard(folds: Path) -> None:
    results = json.loads((folds / "results.json").read_text())
    assert not results["missing"]
    analysis = results["analysis"]
    assert (analysis["images"], analysis["folds"]) == (20, 2)
    assert [one["images"] for one in analysis["networks"]] == [20, 20]
    assert analysis["pairs"][0]["corrected_df"] == 1
    page = (folds / "report.html").read_text()
    assert "<script src" not in page
    assert "http-equiv" in page


def test_folds__changed_data_are_refused(
    run: Run, folds: Path, drawn: Path, tmp_path: Path
) -> None:
    shutil.copytree(folds, tmp_path / "folds")
    shutil.copytree(drawn, tmp_path / "drawn")
    plan = tmp_path / "folds" / "plan.yaml"
    plan.write_text(plan.read_text().replace(str(drawn), str(tmp_path / "drawn")))
    first, second = sorted((tmp_path / "drawn" / "images").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    words = ("--data", tmp_path / "drawn", *SMALL, *QUICK, "--archs", "unet", "fpn", "--folds", 2)
    code, _, err = run("compare", *words, "-o", tmp_path / "folds")
    assert code == 1
    assert "have changed since this comparison began" in err


def test_folds__more_than_pictures_are_refused(run: Run, drawn: Path, tmp_path: Path) -> None:
    words = ("--data", drawn, *SMALL, "--folds", 30, "-o", tmp_path / "c")
    code, _, err = run("compare", *words)
    assert code == 1
    assert "30 folds need at least 30 different pictures: 20 given" in err
    assert not (tmp_path / "c").exists()


def test_compare__hub_out_of_reach_is_one_sentence(drawn: Path, tmp_path: Path) -> None:
    done = _run("compare", "--data", drawn, "--archs", "unet", "-o", tmp_path / "c", expect=1)
    assert "must be downloaded, and the Hugging Face hub is out of reach" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "c").exists()


def test_train__too_few_pictures(run: Run, tmp_path: Path) -> None:
    assert run("data", "synthesize", tmp_path / "two", "--count", 2, "--size", 64, 64)[0] == 0
    code, _, err = run("train", "--data", tmp_path / "two", *SMALL, "-o", tmp_path / "run")
    assert code == 1
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_train__image_without_mask(run: Run, pictures: Path, tmp_path: Path) -> None:
    data = shutil.copytree(pictures, tmp_path / "data")
    next((data / "masks").iterdir()).unlink()
    code, _, err = run("train", "--data", data, *SMALL, "-o", tmp_path / "run")
    assert code == 1
    assert "humanseg data check" in err


def test_train__unreadable_picture(run: Run, pictures: Path, tmp_path: Path) -> None:
    data = shutil.copytree(pictures, tmp_path / "data")
    broken = sorted((data / "images").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:200])
    code, _, err = run("train", "--data", data, *SMALL, "-o", tmp_path / "run")
    assert code == 1
    assert broken.name in err
    assert not (tmp_path / "run").exists()
