"""One picture of a data set with its truth, read on demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humanseg import images
from humanseg.images.resize import Size
from humanseg.system.errors import DataError

Segmentation = list[Any] | dict[str, Any]
"""COCO's `segmentation`: a list of polygons [x1, y1, x2, y2, ...], or a run-length dict."""


_SMALLEST_POLYGON = 6
"""Numbers of three points."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and its truth: a mask file, or COCO outlines with the size they are drawn on."""

    id: str
    """Unique name within the data set, POSIX-like, without suffix: `12`, `sub/a`."""
    image: Path
    mask: Path | None = None
    annotations: tuple[Segmentation, ...] = field(default=(), hash=False)
    """Outlines of every person, crowds included; empty with a `size`: nobody in the picture."""
    size: Size | None = None
    """(height, width) of the COCO entry; None where a mask file is the truth."""

    def read_image(self) -> NDArray[np.uint8]:
        """The picture as uint8 (height, width, 3), RGB.

        Raises:
            ImageError: missing or damaged file.
        """
        return images.read_image(self.image)

    def read_mask(self) -> NDArray[np.bool_]:
        """The truth as bool (height, width), True where there is a person.

        Raises:
            ImageError: missing or damaged mask file.
            DataError: neither mask nor annotations, or an annotation that cannot be drawn.
        """
        if self.mask is not None:
            return images.read_mask(self.mask)
        if self.size is None:
            raise DataError(f"{self.image}: has no mask; give it one or leave the picture out.")
        return rasterise(self.annotations, self.size, str(self.image))


def rasterise(
    annotations: tuple[Segmentation, ...], size: Size, name: str = "picture"
) -> NDArray[np.bool_]:
    """Draw the union of COCO polygons and run lengths as a mask, bool of `size`.

    Errors call the picture by `name`.

    Raises:
        DataError: an outline that is not COCO's.
    """
    return draw_outlines(annotations, size, name)[0]


def draw_outlines(
    annotations: tuple[Segmentation, ...], size: Size, name: str = "picture"
) -> tuple[NDArray[np.bool_], int]:
    """As `rasterise`, and how many of the segmentations cover no pixel at all."""
    union = np.zeros(size, dtype=np.bool_)
    without_area = 0
    for segmentation in annotations:
        problem = segmentation_problem(segmentation, size)
        if problem:
            raise DataError(f"{name}: {problem}.")
        area = 0
        for runs in _run_lengths(segmentation, size):
            if runs is None or sum(runs) != size[0] * size[1] or min(runs) < 0:
                raise DataError(f"{name}: a run-length annotation is damaged.")
            values = np.arange(len(runs)) % 2 == 1  # background and person in turn
            union |= np.repeat(values, runs).reshape(size[1], size[0]).T
            area += sum(runs[1::2])
        without_area += area == 0
    return union, without_area


def _run_lengths(segmentation: Segmentation, size: Size) -> Iterator[list[int] | None]:
    """Run lengths, columns first, of every part of a segmentation; None where they are damaged."""
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        yield counts if isinstance(counts, list) else _decompress(counts.encode())
        return
    # pycocotools would take four numbers for a box.
    polygons = [polygon for polygon in segmentation if len(polygon) >= _SMALLEST_POLYGON]
    if polygons:
        from pycocotools import mask as coco  # kept out of the package's import: needs an extra

        for encoded in coco.frPyObjects(polygons, size[0], size[1]):
            yield _decompress(encoded["counts"])


def _decompress(text: bytes) -> list[int] | None:
    """COCO's compressed run lengths as numbers; None if the text ends within one.

    As `rleFrString` in pycocotools' maskApi.c, which trusts its input and whose `decode` warns
    under NumPy 2. Five bits per character, lowest first; from the fourth on, differences.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts if counts and not shift else None


def segmentation_problem(segmentation: object, size: Size) -> str | None:
    """Why a COCO `segmentation` cannot be drawn on `size`, as half a sentence; None if it can."""
    if isinstance(segmentation, dict):
        return _runs_problem(segmentation, size)
    if not isinstance(segmentation, list) or not segmentation:
        return "a person has a box but no outline; give it polygons or run lengths"
    for polygon in segmentation:
        numbers = isinstance(polygon, list) and all(
            isinstance(value, int | float) and np.isfinite(value) for value in polygon
        )
        if not numbers or len(polygon) % 2:
            return "a polygon is not a list of x, y pairs"
    if all(len(polygon) < _SMALLEST_POLYGON for polygon in segmentation):
        return (
            "the outline of a person has fewer than three points, which enclose nothing; give it "
            "polygons or run lengths"
        )
    return None


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
