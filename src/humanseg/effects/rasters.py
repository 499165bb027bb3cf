"""Large pictures piece by piece: bands of rows, reduced copies, sums over windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images.resize import Size

BAND_PIXELS = 500_000
"""Pixels that are worked on at once: few enough to stay in the cache and in memory at hand."""


def rows_in_band(size: Size, *, multiple: int = 1) -> int:
    """Rows of a picture of (height, width) that have about `BAND_PIXELS` pixels."""
    return max(1, BAND_PIXELS // (size[1] * multiple)) * multiple


def row_bands(size: Size, *, multiple: int = 1) -> Iterator[slice]:
    """Slices of rows from top to bottom of about `BAND_PIXELS` pixels each.

    Every band but the last has a multiple of so many rows.
    """
    rows = rows_in_band(size, multiple=multiple)
    for top in range(0, size[0], rows):
        yield slice(top, min(top + rows, size[0]))


def stretched_rows(image: Image.Image, size: Size, rows: slice) -> Image.Image:
    """Some rows of a picture stretched to `size`, bilinear, without making the others."""
    scale = image.height / size[0]
    box = (0.0, rows.start * scale, float(image.width), rows.stop * scale)
    shape = (size[1], rows.stop - rows.start)
    return image.resize(shape, Image.Resampling.BILINEAR, box=box)


def reduced(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means over squares of `factor` x `factor` pixels; those at the far edges may be smaller."""
    if factor == 1:
        return image
    parts = [
        np.asarray(Image.fromarray(image[rows]).reduce(factor))
        for rows in row_bands((image.shape[0], image.shape[1]), multiple=factor)
    ]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def dilate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask with the eight neighbours of its pixels."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    both = rows.copy()
    both[:, 1:] |= rows[:, :-1]
    both[:, :-1] |= rows[:, 1:]
    return both


def window_sums(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Sums over squares of `side` x `side` in the last two axes, which get shorter by `side` - 1.

    Sums of 2, 4, 8 ... neighbours are made of one another, so the time grows with the logarithm.
    """
    across = _sums(values, side)
    return _sums(across.swapaxes(-1, -2), side).swapaxes(-1, -2)


def _sums(values: NDArray[Any], side: int) -> NDArray[Any]:
    """The same along the last axis alone."""
    length = values.shape[-1] - side + 1
    total: NDArray[Any] | None = None
    power, width, done = values, 1, 0
    while done < side:
        if side & width:
            piece = power[..., done : done + length]
            total = piece if total is None else total + piece
            done += width
        if done < side:
            power = power[..., :-width] + power[..., width:]
        width *= 2
    return values if total is None else total


def window_means(values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Means over squares of side 2 * `radius` + 1 of the last two axes; borders are repeated."""
    side = 2 * radius + 1
    margin = [(0, 0)] * (values.ndim - 2) + [(radius, radius)] * 2
    sums = window_sums(np.pad(values, margin, mode="edge"), side)
    return np.asarray(sums * np.float32(1.0 / side**2), dtype=np.float32)
