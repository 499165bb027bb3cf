from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from humanseg.annotations.outlines import segmentation_problem
from humanseg.annotations.rle import compress, decode_mask, decompress, encode_mask

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools gives it under NumPy 2."""


def theirs(mask: NDArray[np.bool_]) -> dict[str, object]:
    runs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(runs["size"]), "counts": runs["counts"].decode()}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (63, 91), (300, 200)])
def test_encode_mask__is_what_pycocotools_writes(size: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(3).random(size) < share
    runs = encode_mask(mask)
    assert runs == theirs(mask)
    counts = decompress(runs["counts"])
    assert counts is not None
    assert np.array_equal(decode_mask(counts, size), mask)


def test_encode_mask__of_a_part_is_that_of_the_whole() -> None:
    whole = np.zeros((40, 30), dtype=np.bool_)
    for rows, columns in ((slice(5, 25), slice(2, 20)), (slice(0, 40), slice(21, 24))):
        part = np.random.default_rng(1).random(whole[rows, columns].shape) < 0.7
        mask = whole.copy()
        mask[rows, columns] = part
        corner = (rows.start, columns.start)
        assert encode_mask(part, size=(40, 30), corner=corner) == theirs(mask)


@pytest.mark.parametrize("corner", [(-1, 0), (0, -1), (3, 0), (0, 4)])
def test_encode_mask__refuses_what_reaches_out(corner: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="reaches beyond its picture of 5x4"):
        encode_mask(np.ones((2, 2), dtype=np.bool_), size=(4, 5), corner=corner)


def test_compress__large_numbers_and_differences_below_zero() -> None:
    # Two runs of 50 million pixels: numbers of six characters, as 100 megapixels need.
    counts = np.array([50_000_000, 3, 1, 49_999_996])
    text = compress(counts)
    unpacked = decompress(text)
    assert unpacked is not None
    assert unpacked.tolist() == counts.tolist()
    decoded = coco.decode({"size": [10_000, 10_000], "counts": text.encode()})
    assert int(decoded.sum(dtype=np.int64)) == 3 + 49_999_996


@pytest.mark.parametrize("text", ["", "P", "o", "0000o", "~", " ", "o" * 40 + "0"])
def test_decompress__damaged_text(text: str) -> None:
    assert decompress(text) is None


def test_decompress__numbers_have_seven_characters_at_most() -> None:
    """Each `o` is five ones and says that more follows; `0` is five zeros and the end."""
    longest = decompress("oooooo0")
    assert longest is not None
    assert longest.tolist() == [2**30 - 1]
    assert decompress("ooooooo0") is None


@pytest.mark.parametrize("counts", [[4, -1, 3], [2.5, 3.5], [2, 3], [6, "0"], None, 6])
def test_segmentation_problem__counts_are_whole_numbers_of_all_pixels(counts: object) -> None:
    problem = "a run-length annotation's counts do not add up to its picture's pixels"
    assert segmentation_problem({"size": [2, 3], "counts": counts}, (2, 3)) == problem
    assert segmentation_problem({"size": [2, 3], "counts": [0, 6]}, (2, 3)) is None
