"""Masks of any shape: run lengths, outlines and labels give back every pixel."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco
from scipy import ndimage

from humanseg.annotations.contours import trace_rings
from humanseg.annotations.label_output import Labelled, LabelOutput, OutputHolder
from humanseg.annotations.person_regions import person_regions
from humanseg.annotations.rle import compress, decode_mask, decompress, encode_mask
from humanseg.data import discover
from humanseg.effects.effect import effect_of
from humanseg.images.resize import resize_mask_from_probability

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools gives it under NumPy 2."""

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_encode_mask__is_what_pycocotools_writes_and_comes_back(mask: NDArray[np.bool_]) -> None:
    runs = encode_mask(mask)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert runs == {"size": list(mask.shape), "counts": theirs["counts"].decode()}
    counts = decompress(runs["counts"])
    assert counts is not None
    assert np.array_equal(decode_mask(counts, (mask.shape[0], mask.shape[1])), mask)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**33), min_size=1, max_size=9))
def test_compress__comes_back(counts: list[int]) -> None:
    unpacked = decompress(compress(np.array(counts)))
    assert unpacked is not None
    assert unpacked.tolist() == counts


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_trace_rings__enclose_as_many_pixels_as_the_mask_has(mask: NDArray[np.bool_]) -> None:
    """By the shoelace formula; a hole counts less than nothing, as it runs the other way."""
    rings, _ = trace_rings(mask)
    area = 0.0
    for ring in rings:
        x, y = ring.T
        area += float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)
    assert area == mask.sum()


@pytest.mark.parametrize(
    ("name", "pictures"),
    [("coco", "images"), ("yolo", "images"), ("labelme", "photos"), ("voc", "JPEGImages")],
)
@settings(max_examples=6, deadline=None)
@given(mask=MASKS)
def test_labels__give_back_every_pixel(name: str, pictures: str, mask: NDArray[np.bool_]) -> None:
    exact = {} if name == "voc" else {"tolerance": 0.0}
    output = effect_of(name, among=OutputHolder, **exact)  # type: ignore[arg-type]
    assert isinstance(output, LabelOutput)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        picture, file = root / pictures / "a.png", root / output.folder / f"a{output.suffix}"
        for path in (picture, file):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.shape[::-1]).save(picture)
        seen = f"../{pictures}/a.png" if output.folder else f"{pictures}/a.png"
        labelled = Labelled("a.png", seen, mask, mask.astype(np.float32))
        file.write_bytes(output.content(labelled))
        output.finish(root, [file])
        (sample,) = discover(root, name)  # type: ignore[arg-type]
        assert np.array_equal(sample.read_mask(), mask)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.7), st.floats(0.5, 3.0))
@example(540222, 0.30078125, 1.0)  # a slope of half a pixel along the picture's lower side
def test_polygons__leave_the_outline_by_the_tolerance_at_most(
    seed: int, share: float, tolerance: float
) -> None:
    """Filled, they are the mask but for pixels along it: half a pixel more, by smoothing."""
    rough = np.random.default_rng(seed).random((6, 8)).astype(np.float32)
    mask = resize_mask_from_probability(rough, (60, 80), share)
    odd = np.zeros(mask.shape, dtype=np.bool_)
    for region in person_regions(mask, mask.astype(np.float32)):
        for ring in region.polygons(tolerance):
            (runs,) = coco.frPyObjects([ring.ravel().tolist()], *mask.shape)
            odd ^= coco.decode(runs).astype(np.bool_)
    framed = np.pad(mask, 1)  # outlines run along the picture's sides too
    inner, outer = (ndimage.distance_transform_edt(side)[1:-1, 1:-1] for side in (framed, ~framed))
    # A pixel's centre lies half a pixel from its border; pycocotools rounds points to a fifth.
    assert (np.maximum(inner, outer)[odd != mask] <= tolerance + 1.2).all()
