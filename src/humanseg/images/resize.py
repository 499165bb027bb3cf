"""Resizing between a picture and the network's grid: one copy for every path.

Training, validation, evaluation and prediction all go through these functions, so that a network
sees in use exactly what it saw in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Size = tuple[int, int]
"""(height, width) in pixels."""

_SMALL = 1_000_000
"""Pixels, below which nothing is gained by leaving out those far from the outline."""


def size_within(size: Size, longest: int) -> Size:
    """`size` with its longer side shrunk to `longest` pixels if it is longer, and both to scale."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resize_image(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Stretch uint8 (height, width, 3) to `size`, bilinear with antialiasing when it shrinks."""
    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def resize_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Stretch a bool mask to `size`: a triangle filter as wide as the shrinking, cut at one half.

    Pixel centres stay aligned with `resize_image`, unlike nearest-neighbour resizing as OpenCV does
    it (opencv/opencv#9096).
    """
    if mask.shape == size:
        return mask
    soft = Image.fromarray(mask.astype(np.uint8) * 255)
    resized = np.asarray(soft.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return np.asarray(resized >= 128)


def resize_mask_nearest(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Stretch a mask as OpenCV's `INTER_NEAREST` does: each pixel takes its cell's top-left one.

    Kept only to repeat published runs; it shifts masks against their pictures.
    """
    rows, columns = (
        np.minimum(np.floor(np.arange(wanted) * (side / wanted)).astype(np.intp), side - 1)
        for side, wanted in zip(mask.shape, size, strict=True)
    )
    return np.asarray(mask[np.ix_(rows, columns)])


def resize_probability(probability: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Bring a float32 probability map from the network's grid to `size`, bilinear.

    Pixel centres stay aligned.
    """
    if probability.shape == size:
        return probability
    values = np.empty(size, dtype=np.float32)
    for rows, band in resize_probability_bands(probability, size, rows=_few_rows(size)):
        values[rows] = band
    return values


def resize_probability_bands(
    probability: NDArray[np.float32], size: Size, *, rows: int
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """`resize_probability` from top to bottom in bands of `rows` rows, never holding the whole.

    Yields the rows of the band as a slice with start and stop, and their values.
    """
    bands = (slice(start, min(start + rows, size[0])) for start in range(0, size[0], rows))
    if probability.shape[0] > size[0] or probability.shape == size:
        whole = _stretch(probability, size)  # not taller than the grid itself
        for band in bands:
            yield band, np.clip(whole[band], 0.0, 1.0)
        return
    columns = _stretch(probability, (probability.shape[0], size[1])).astype(np.float64)
    mixing = _mix_rows(probability.shape[0], size[0])
    for band in bands:
        values = np.empty((band.stop - band.start, size[1]), dtype=np.float32)
        step = _few_rows(size)
        for start in range(band.start, band.stop, step):
            part = slice(start, min(start + step, band.stop))
            values[part.start - band.start : part.stop - band.start] = mixing.values(columns, part)
        yield band, np.clip(values, 0.0, 1.0, out=values)


def resize_mask_from_probability(
    probability: NDArray[np.float32], size: Size, threshold: float
) -> NDArray[np.bool_]:
    """`resize_probability(probability, size) >= threshold`, exactly, in a fraction of its time.

    A resized value lies between the values that it is mixed from, so only the pixels between a
    value above and one below the threshold are calculated: those along the outline.
    """
    threshold = float(threshold)
    small = size[0] * size[1] < _SMALL
    plain = small or probability.shape[0] > size[0] or probability.shape == size
    if plain or not 0.0 < threshold <= 1.0 or not np.isfinite(probability).all():
        return np.asarray(resize_probability(probability, size) >= threshold)
    # Widen first, then mix rows: a mixed value lies between its two sources, so where both are on
    # one side of the threshold the result is too, and only the other columns are calculated, in
    # float64 as Pillow does, for the same last bit.
    columns = _stretch(probability, (probability.shape[0], size[1]))
    inside = columns >= threshold
    mixing = _mix_rows(probability.shape[0], size[0])
    mask = np.empty(size, dtype=np.bool_)
    for rows in mixing.rows_of_equal_sources():
        upper, lower = inside[mixing.above[rows.start]], inside[mixing.below[rows.start]]
        mask[rows] = upper
        mixed = np.flatnonzero(upper != lower)
        if mixed.size:
            mask[rows, mixed] = mixing.values(columns, rows, mixed) >= threshold
    return mask


def _few_rows(size: Size) -> int:
    """So many rows that their values stay in the processor's cache."""
    return max(1, 16_384 // size[1])


def _stretch(values: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Pillow's bilinear resizing; its mode F keeps float32."""
    resized = Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


@dataclass(frozen=True)
class _Mixing:
    """How each row of an enlarged map is mixed from two rows of the small one."""

    above: NDArray[np.intp]
    below: NDArray[np.intp]
    share_above: NDArray[np.float64]
    share_below: NDArray[np.float64]

    def values(
        self,
        columns: NDArray[np.floating],
        rows: slice,
        only: slice | NDArray[np.intp] = slice(None),
    ) -> NDArray[np.float32]:
        """The wanted `rows`, float32 (rows, width), of the columns `only`."""
        upper, lower = columns[self.above[rows]][:, only], columns[self.below[rows]][:, only]
        mixed = upper * self.share_above[rows, None] + lower * self.share_below[rows, None]
        return mixed.astype(np.float32)

    def rows_of_equal_sources(self) -> Iterator[slice]:
        """Runs of wanted rows that are mixed from the same two rows of the small map.

        Enlarged five times, about five rows in turn lie between the same two: what is decided for
        these two is decided once for the whole run.
        """
        # A run ends where either of the two source rows changes; -1 is no row, so the first run
        # begins at 0.
        change = (np.diff(self.above, prepend=-1) != 0) | (np.diff(self.below, prepend=-1) != 0)
        for start, stop in pairwise([*np.flatnonzero(change).tolist(), len(self.above)]):
            yield slice(start, stop)


def _mix_rows(height: int, wanted: int) -> _Mixing:
    """The shares that Pillow's bilinear filter gives (`precompute_coeffs` in its Resample.c).

    Only for `wanted` >= `height`, where it mixes two rows. A third one, which rounding may let in
    there with a share below 1e-15, is left out.
    """
    # A wanted row's centre in rows of the small map; it is mixed from the rows whose centres lie
    # within 1 above and below, each with 1 less its distance, the shares normalised to sum to 1
    # (at the borders only one row is there).
    centre = (np.arange(wanted) + 0.5) * (height / wanted)
    above = np.maximum(centre - 0.5, 0.0).astype(np.intp)
    below = np.minimum(above + 1, np.minimum((centre + 1.5).astype(np.intp), height) - 1)
    upper = 1.0 - np.abs(above - centre + 0.5)
    lower = np.where(below > above, np.maximum(1.0 - np.abs(below - centre + 0.5), 0.0), 0.0)
    return _Mixing(above, below, upper / (upper + lower), lower / (upper + lower))
