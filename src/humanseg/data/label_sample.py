"""Some pairs of a data set, small: what the checks of whole sets look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.data.resized import ResizedImages
from humanseg.images.resize import resize_image, resize_mask

SIDE = 96
"""Pixels of either side; images are stretched to a square."""
MAX_IMAGES = 200
"""So many pairs are looked at, evenly over the data set."""

_ROWS = 16  # held at a time

Reader = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class LabelSample:
    """Pairs on a small grid."""

    ids: tuple[str, ...]
    images: NDArray[np.uint8]
    """(N, SIDE, SIDE, 3), RGB."""
    masks: NDArray[np.bool_]
    """(N, SIDE, SIDE), True where there is a person."""
    read: Reader
    """Gives an image, by its position here, in more detail: uint8 (H, W, 3)."""

    def __len__(self) -> int:
        return len(self.ids)


def evenly(count: int, limit: int = MAX_IMAGES) -> list[int]:
    """At most `limit` positions of `count`, spread over all of them."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, min(count, limit)).round())]


def label_sample(resized: ResizedImages, rows: Sequence[int], read: Reader) -> LabelSample:
    """Make a sample of some rows, at most `MAX_IMAGES`, of images that are decoded anyway.

    `read` gives one of them, by its row, in more detail: uint8 (H, W, 3).
    """
    resized.prepare(rows)
    images = np.empty((len(rows), SIDE, SIDE, 3), dtype=np.uint8)
    masks = np.empty((len(rows), SIDE, SIDE), dtype=np.bool_)
    for start in range(0, len(rows), _ROWS):
        some = resized.get(rows[start : start + _ROWS])
        pairs = zip(some.images, some.masks, strict=True)
        for index, (image, mask) in enumerate(pairs, start=start):
            images[index] = resize_image(image, (SIDE, SIDE))
            masks[index] = resize_mask(mask, (SIDE, SIDE))
    ids = tuple(resized.ids[row] for row in rows)
    return LabelSample(ids, images, masks, lambda index: read(rows[index]))
