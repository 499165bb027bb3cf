"""Several systems on several sets: what is counted, and what the record and the tables say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.everyday import main
from benchmarks.everyday_record import EverydayRecord
from PIL import Image
from tests.builders.formula_model import brightness_onnx, write_model

from humanseg.results import read_record
from humanseg.system.errors import UsageError

DIM = """
import numpy as np
PACKAGES = ("numpy",)
def load(argument):
    share = float(argument or 1)
    def segment(image):
        mask = np.zeros(image.shape[:2], dtype=bool)
        mask[:, : round(share * image.shape[1])] = True
        return mask
    return segment
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Marks what is bright."""
    return write_model(tmp_path / "bright" / "model", onnx=brightness_onnx())


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    """Marks the left part of every image, as wide as its argument says."""
    file = tmp_path / "left.py"
    file.write_text(DIM)
    return file


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """24 images whose left half is bright and a person, two of them the same; one of nobody."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "people" / folder).mkdir(parents=True)
    for number in range(25):
        image = rng.integers(0, 40, (48, 64, 3), dtype=np.uint8)
        mask = np.zeros((48, 64), dtype=np.uint8)
        if number < 24:
            image[:, :32] += 200
            mask[:, :32] = 255
        if number == 23:
            image = np.asarray(Image.open(tmp_path / "people/images/00.png"))
        Image.fromarray(image).save(tmp_path / f"people/images/{number:02}.png")
        Image.fromarray(mask).save(tmp_path / f"people/masks/{number:02}.png")
    return tmp_path / "people"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Four photographs without people: dark, a bright dot, a bright crumb, a bright square."""
    (tmp_path / "empty").mkdir()
    for name, side in (("a", 0), ("b", 1), ("c", 2), ("d", 4)):
        image = np.random.default_rng(side).integers(0, 40, (48, 64, 3), dtype=np.uint8)
        image[20 : 20 + side, 20 : 20 + side] = 255
        Image.fromarray(image).save(tmp_path / "empty" / f"{name}.png")
    return tmp_path / "empty"


@pytest.fixture
def record(
    model: Path, peer: Path, people: Path, empty: Path, tmp_path: Path
) -> Callable[..., EverydayRecord]:
    def measure(*more: str) -> EverydayRecord:
        file = tmp_path / "record.json"
        words = [f"ours={model}", "--peers", f"{peer}=0.25", "--python", sys.executable]
        words += ["--data", f"half={people}", "--nobody", f"rooms={empty}", "--precision", "fp32"]
        main([*words, *more, "--backend", "onnxruntime", "--output", str(file)])
        return read_record(file, EverydayRecord)

    return measure


def test_everyday__scores_of_all_systems_on_all_sets(
    record: Callable[..., EverydayRecord], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    measured = record()
    half, rooms = measured.sets
    assert (half.name, half.people, half.nobody) == ("half", 24, 1)
    assert half.groups == 24  # of 25 images, two the same
    ours, left = half.systems
    assert (ours.system, left.system) == ("ours", "left")
    assert ours.iou is not None
    assert left.iou is not None
    assert ours.iou.estimate == pytest.approx(1.0)
    assert left.iou.estimate == pytest.approx(0.5)
    assert ours.ahead is None
    assert left.ahead is not None
    assert left.ahead.estimate == pytest.approx(0.5)
    assert (half.ids[24], left.ious[24], left.marked[24], left.largest[24]) == (
        *("24", None, 0.25, 0.25),
    )
    cut = next(each for each in left.attributes if each.attribute == "cut-off")
    assert [(group.name, group.images) for group in cut.groups] == [("cut off", 24)]
    assert cut.groups[0].metrics["iou"].estimate == pytest.approx(0.5)

    assert (rooms.people, rooms.nobody) == (0, 4)
    ours, left = rooms.systems
    assert ours.iou is None
    assert ours.attributes == ()
    # 0, 1, 4 and 16 of 3072 pixels: 0.13 % is over 0.1 %, 0.52 % over 0.3 % too
    assert ours.nobody_area is not None
    assert ours.nobody_area.estimate == pytest.approx(21 / 3072 / 4)
    assert ours.nobody_marked is not None
    assert ours.nobody_marked.estimate == 0.5
    assert ours.nobody_region is not None
    assert ours.nobody_region.estimate == 0.25
    assert left.nobody_region is not None
    assert left.nobody_region.estimate == 1.0

    assert "model.onnx" in measured.systems[0].files
    assert measured.systems[0].seconds is None
    assert str(tmp_path) not in measured.model_dump_json()
    shown = capsys.readouterr().out
    assert "| left | 0.500 [0.500, 0.500] |" in shown
    assert "| ours | 0.2 % [" in shown


def test_everyday__times_are_against_the_peer_that_is_named(
    record: Callable[..., EverydayRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    ours, left = record("--timing", "--against", "left").systems
    assert ours.seconds is not None
    assert left.seconds is not None
    assert left.time_ratio == 1.0
    assert ours.time_ratio == pytest.approx(ours.seconds / left.seconds)
    assert "median, ms" in capsys.readouterr().out


def test_everyday__refuses(
    record: Callable[..., EverydayRecord], model: Path, people: Path
) -> None:
    with pytest.raises(UsageError, match="--against mediapipe: takes no part"):
        record("--timing")
    with pytest.raises(UsageError, match="No images"):
        main([str(model), "--output", "no.json"])
    with pytest.raises(UsageError, match="Names are not unique"):
        main([str(model), str(model), "--data", str(people), "--output", "no.json"])
