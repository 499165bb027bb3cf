"""Outlines of people as COCO has them, which all formats are brought to, drawn as masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humanseg.annotations.rle import decode_mask, decompress
from humanseg.images.resize import Size
from humanseg.system.errors import DataError

Segmentation = list[Any] | dict[str, Any]
"""COCO's `segmentation`: a list of polygons [x1, y1, x2, y2, ...], or a run-length dict."""

_SMALLEST_POLYGON = 6  # numbers of three points
_LARGEST = 1e300
"""Coordinates are below: JSON's whole numbers may be larger than any float."""
_BEYOND = 0.02
"""Share of a side by which a polygon may reach out of its picture: tools let pens slip a little."""


def draw_outlines(
    annotations: tuple[Segmentation, ...], size: Size, name: str = "picture"
) -> tuple[NDArray[np.bool_], int]:
    """The union of COCO segmentations, and how many of them cover no pixel at all.

    bool (height, width), True inside any outline. `annotations` are in pixels of `size`; errors
    call the picture by `name`.

    Raises:
        DataError: an outline that is not COCO's.
    """
    union = np.zeros(size, dtype=np.bool_)
    without_area = 0
    for segmentation in annotations:
        problem = segmentation_problem(segmentation, size)
        if problem:
            raise DataError(f"{name}: {problem}.")
        area = 0
        for runs in _run_lengths(segmentation, size):
            if runs is None or runs.sum() != size[0] * size[1] or runs.min() < 0:
                raise DataError(f"{name}: a run-length annotation is damaged.")
            union |= decode_mask(runs, size)
            area += int(runs[1::2].sum())
        without_area += area == 0
    return union, without_area


def _run_lengths(segmentation: Segmentation, size: Size) -> Iterator[NDArray[np.int64] | None]:
    """Run lengths, columns first, of every part of a segmentation; None where they are damaged."""
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        yield np.array(counts) if isinstance(counts, list) else decompress(counts)
        return
    # pycocotools would take four numbers for a box.
    polygons = [polygon for polygon in segmentation if len(polygon) >= _SMALLEST_POLYGON]
    if polygons:
        from pycocotools import mask as coco  # kept out of the package's import: needs an extra

        for encoded in coco.frPyObjects(polygons, size[0], size[1]):
            yield decompress(encoded["counts"].decode())


def segmentation_problem(segmentation: object, size: Size) -> str | None:
    """Why a COCO `segmentation` cannot be drawn on `size`, as half a sentence; None if it can."""
    if isinstance(segmentation, dict):
        return _runs_problem(segmentation, size)
    if not isinstance(segmentation, list) or not segmentation:
        return "a person has a box but no outline; give it polygons or run lengths"
    for polygon in segmentation:
        numbers = isinstance(polygon, list) and all(
            isinstance(value, int | float) and abs(value) < _LARGEST for value in polygon
        )
        if not numbers or len(polygon) % 2:
            return "a polygon is not a list of x, y pairs"
    if all(len(polygon) < _SMALLEST_POLYGON for polygon in segmentation):
        return (
            "the outline of a person has fewer than three points, which enclose nothing; give it "
            "polygons or run lengths"
        )
    return _outside(segmentation, size)


def _outside(polygons: list[list[float]], size: Size) -> str | None:
    """Where polygons reach out of their picture; None if they do not."""
    values = np.concatenate([np.array(ring, dtype=np.float64).reshape(-1, 2) for ring in polygons])
    beyond = np.maximum(-values, values - size[::-1]) / size[::-1]
    worst = int(np.argmax(beyond.max(axis=1)))
    if beyond[worst].max() <= _BEYOND:
        return None
    x, y = values[worst]
    return (
        f"the outline of a person reaches to ({x:g}, {y:g}), outside its picture of "
        f"{size[1]}x{size[0]}; were labels and picture made at different sizes?"
    )


def _runs_problem(runs: dict[str, Any], size: Size) -> str | None:
    """Why a run-length dict does not fit `size`; None if it does."""
    if runs.get("size") != list(size):
        return f"a run-length annotation has size {runs.get('size')}, its picture {list(size)}"
    counts = runs.get("counts")
    if isinstance(counts, str):
        return None if counts.isascii() else "a run-length annotation has no valid counts"
    numbers = isinstance(counts, list) and all(isinstance(n, int) and n >= 0 for n in counts)
    if not numbers or sum(counts or ()) != size[0] * size[1]:
        return "a run-length annotation's counts do not add up to its picture's pixels"
    return None
