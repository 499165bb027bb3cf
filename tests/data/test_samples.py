from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from humanseg.annotations.outlines import Segmentation, draw_outlines
from humanseg.data import Sample
from humanseg.system.errors import DataError, ImageError

Write = Callable[..., Path]
SIZE = (10, 20)
SQUARE = [2.0, 3.0, 8.0, 3.0, 8.0, 9.0, 2.0, 9.0]


def test_sample__reads_rgb_and_mask_from_files(write: Write, half: NDArray[np.bool_]) -> None:
    grey = np.full((12, 16), 7, dtype=np.uint8)
    sample = Sample("a", write("a.png", grey), write("m.png", half))
    image = sample.read_image()
    assert image.shape == (12, 16, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(sample.read_mask(), half)


def test_sample__draws_polygons(tmp_path: Path) -> None:
    sample = Sample("a", tmp_path / "a.jpg", annotations=([SQUARE],), size=SIZE)
    expected = np.zeros(SIZE, dtype=bool)
    expected[3:9, 2:8] = True
    assert np.array_equal(sample.read_mask(), expected)


@pytest.mark.parametrize("kind", ["compressed", "uncompressed"])
def test_sample__joins_run_lengths_and_polygons(tmp_path: Path, kind: str) -> None:
    mask = np.zeros(SIZE, dtype=bool)
    mask[7:, 15:] = True
    runs: dict[str, Any]
    if kind == "compressed":
        runs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        runs["counts"] = runs["counts"].decode()
    else:
        column = [7, 3] * 5
        runs = {"size": list(SIZE), "counts": [150 + column[0], *column[1:]]}
    sample = Sample("a", tmp_path / "a.jpg", annotations=([SQUARE], runs), size=SIZE)
    mask[3:9, 2:8] = True
    assert np.array_equal(sample.read_mask(), mask)


def test_sample__without_people_is_an_empty_mask(tmp_path: Path) -> None:
    sample = Sample("a", tmp_path / "a.jpg", size=SIZE)
    assert sample.read_mask().shape == SIZE
    assert not sample.read_mask().any()


@pytest.mark.parametrize("outline", [[[]], [[1.0, 1.0, 9.0, 9.0]], [[], [2, 2, 5, 5]]])
def test_sample__a_line_encloses_nothing(tmp_path: Path, outline: list[list[float]]) -> None:
    # pycocotools would read four numbers as a box.
    sample = Sample("a", tmp_path / "a.jpg", annotations=(outline,), size=SIZE)
    with pytest.raises(DataError, match=r"fewer than three points, .*; give it polygons"):
        sample.read_mask()


def test_draw_outlines__counts_those_without_area() -> None:
    nothing = [[3, 3, 3, 3, 3, 3]]
    runs = {"size": list(SIZE), "counts": [SIZE[0] * SIZE[1]]}
    mask, empty = draw_outlines(([SQUARE], nothing, runs, [SQUARE, [1, 1]]), SIZE)
    assert empty == 2
    assert np.array_equal(mask, draw_outlines(([SQUARE],), SIZE)[0])


def test_sample__can_be_a_key(tmp_path: Path) -> None:
    sample = Sample("a", tmp_path / "a.jpg", annotations=([SQUARE],), size=SIZE)
    assert {sample: 1}[sample] == 1


def test_sample__without_truth(write: Write) -> None:
    sample = Sample("a", write("a.png"))
    with pytest.raises(DataError, match=r"a\.png: has no mask; give it one"):
        sample.read_mask()


def test_sample__missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        Sample("a", tmp_path / "a.jpg", tmp_path / "a.png").read_mask()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1.0, 2.0, 3.0, 4.0, 5.0]], "a polygon is not a list of x, y pairs"),
        ([["x", 2.0, 3.0, 4.0, 5.0, 6.0]], "a polygon is not a list of x, y pairs"),
        ([[float("nan")] * 6], "a polygon is not a list of x, y pairs"),
        ([], "a box but no outline"),
        ([[0, 0, 50, 4, 60, 60]], r"reaches to \(60, 60\), outside its picture of 20x10; were"),
        ([[-3, 0, 5, 4, 6, 6]], r"reaches to \(-3, 0\), outside its picture"),
        ({"size": [3, 4], "counts": [12]}, r"has size \[3, 4\], its picture \[10, 20\]"),
        ({"size": [10, 20], "counts": [12]}, "do not add up"),
        ({"size": [10, 20], "counts": [-1, 201]}, "do not add up"),
        ({"size": [10, 20], "counts": None}, "do not add up"),
        ({"size": [10, 20], "counts": "é"}, "no valid counts"),
    ],
)
def test_sample__refuses_annotations_that_cannot_be_drawn(
    tmp_path: Path, segmentation: Segmentation, message: str
) -> None:
    sample = Sample("a", tmp_path / "a.jpg", annotations=(segmentation,), size=SIZE)
    with pytest.raises(DataError, match=message):
        sample.read_mask()


@pytest.mark.parametrize("counts", ["oo0oo0oo0", "P", "", "\x00", "0" * 50])
def test_sample__refuses_damaged_run_lengths(tmp_path: Path, counts: str) -> None:
    runs = {"size": [10, 20], "counts": counts}
    sample = Sample("a", tmp_path / "a.jpg", annotations=(runs,), size=SIZE)
    with pytest.raises(DataError, match="a run-length annotation is damaged"):
        sample.read_mask()


def test_sample__compressed_run_lengths_as_pycocotools_writes_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for share in (0.02, 0.5, 0.98):
        mask = rng.random((63, 91)) < share
        runs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        runs["counts"] = runs["counts"].decode()
        sample = Sample("a", tmp_path / "a.jpg", annotations=(runs,), size=(63, 91))
        assert np.array_equal(sample.read_mask(), mask)
