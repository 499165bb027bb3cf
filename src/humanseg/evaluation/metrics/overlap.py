"""Pixel counts of two masks, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""bool (height, width), True where there is a person."""


class Counted(Protocol):
    """Anything with the four counts, such as an `ImageScore`."""

    @property
    def tp(self) -> int:
        """Person pixels found."""
        ...

    @property
    def fp(self) -> int:
        """Background pixels called person."""
        ...

    @property
    def fn(self) -> int:
        """Person pixels missed."""
        ...

    @property
    def tn(self) -> int:
        """Background pixels called background."""
        ...


class Counts(NamedTuple):
    """Pixels of one picture, or of many pooled."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def iou(self) -> float | None:
        """Intersection over union, 0 to 1; None without a person in either."""
        union = self.tp + self.fp + self.fn
        return self.tp / union if union else None

    @property
    def dice(self) -> float | None:
        """Dice score, 0 to 1; None without a person in either."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else None

    @property
    def accuracy(self) -> float:
        """Share of pixels called right, 0 to 1."""
        return (self.tp + self.tn) / sum(self)


def count_pixels(prediction: Mask, truth: Mask) -> Counts:
    """Count one picture.

    Args:
        prediction: bool (height, width), True where a person was found.
        truth: bool of the same shape.
    """
    tp = int(np.count_nonzero(prediction & truth))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return Counts(tp=tp, fp=fp, fn=fn, tn=truth.size - tp - fp - fn)


def pool_counts(parts: Iterable[Counted]) -> Counts:
    """Counts of many pictures as if they were one."""
    tp = fp = fn = tn = 0
    for part in parts:
        tp, fp, fn, tn = tp + part.tp, fp + part.fp, fn + part.fn, tn + part.tn
    return Counts(tp, fp, fn, tn)
