"""Connected regions of a person mask: outline, box, score, and the run lengths of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.annotations.contours import Ring, simplify, smoothed, trace_rings
from humanseg.annotations.rle import RunLengths, encode_mask
from humanseg.effects.regions import find_regions
from humanseg.images.resize import Size

TOLERANCE = 0.75
"""Pixels by which a polygon may leave the outline of a mask, if nothing else is said."""
_SHARE = 0.04  # of a region's area over the length of its outlines: the tolerance is at most that
_LEAST = 0.5  # below this tolerance nothing could be left out of stairs


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of a mask that hang together along sides or corners, and their holes."""

    size: Size
    """(height, width) of the picture."""
    box: tuple[int, int, int, int]
    """Left, top, width and height in pixels, as COCO has them."""
    mask: NDArray[np.bool_]
    """bool, of the box's height and width."""
    score: float
    """Mean probability in the region, 0 to 1."""
    rings: tuple[Ring, ...]
    """The exact outline, then holes, along the borders of pixels; float64 (points, 2), (x, y)."""

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return int(np.count_nonzero(self.mask))

    def polygons(self, tolerance: float = TOLERANCE) -> list[Ring]:
        """Its outline, then its holes, with fewer points.

        A polygon may leave the outline, smoothed by half a pixel, by `tolerance` pixels. Less is
        taken for small and thin regions, so that they keep their shape; below 0.5 every corner is
        given.
        """
        length = sum(float(np.abs(np.diff(ring, axis=0)).sum()) for ring in self.rings)
        finest = min(tolerance, _SHARE * self.area / length)
        if finest < _LEAST:
            return list(self.rings)
        return [simplify(smoothed(ring), finest) for ring in self.rings]

    def rle(self) -> RunLengths:
        """Its run lengths in the whole picture, as pycocotools has them."""
        return encode_mask(self.mask, size=self.size, corner=(self.box[1], self.box[0]))


def person_regions(mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> tuple[Region, ...]:
    """The regions of a mask, bool (height, width) at the picture's size, the largest first.

    Scores are from the probability, float32, 0 to 1, of the whole picture on a grid of any size.
    """
    regions = find_regions(mask)
    count = len(regions.areas)
    rings: list[list[Ring]] = [[] for _ in range(count)]
    pixels = np.zeros((count, 2), dtype=np.intp)
    traced, owners = trace_rings(mask)
    for ring, pixel in zip(traced, owners, strict=True):
        number = regions.labels[tuple(pixel)] - 1
        pixels[number] = pixel
        rings[number].append(ring)
    scores = _scores(regions.labels, pixels, probability)
    described = []
    for number in np.argsort(-regions.areas, kind="stable"):
        low, high = rings[number][0].min(axis=0), rings[number][0].max(axis=0)
        (left, top), (width, height) = low.astype(int).tolist(), (high - low).astype(int).tolist()
        part = regions.labels[top : top + height, left : left + width] == number + 1
        box = (left, top, width, height)
        size = (mask.shape[0], mask.shape[1])
        described.append(Region(size, box, part, float(scores[number]), tuple(rings[number])))
    return tuple(described)


def _scores(
    labels: NDArray[np.int32], pixels: NDArray[np.intp], probability: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean probability of each region, of the cells of the grid whose centres lie in it.

    A region between the centres has that of the cell that one of its `pixels`, (regions, 2), is in.
    """
    rows, columns = (
        (2 * np.arange(cells) + 1) * length // (2 * cells)
        for cells, length in zip(probability.shape, labels.shape, strict=True)
    )
    cells = labels[rows[:, None], columns].ravel()
    totals = np.bincount(cells, weights=probability.ravel(), minlength=len(pixels) + 1)[1:]
    counts = np.bincount(cells, minlength=len(pixels) + 1)[1:]
    nearest = pixels * probability.shape // np.array(labels.shape)
    single = probability[nearest[:, 0], nearest[:, 1]]
    return np.where(counts > 0, totals / np.maximum(counts, 1), single)
