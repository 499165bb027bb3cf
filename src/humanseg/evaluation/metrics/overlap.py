"""Pixel counts of two masks, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from humanseg.results.scores import ImageScore, dice_of, iou_of

Mask = NDArray[np.bool_]
"""bool (height, width), True where there is a person."""


class Counts(NamedTuple):
    """Pixels of one picture, or of many pooled."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def iou(self) -> float | None:
        """Intersection over union, 0 to 1; None without a person in either."""
        return iou_of(self.tp, self.fp, self.fn)

    @property
    def dice(self) -> float | None:
        """Dice score, 0 to 1; None without a person in either."""
        return dice_of(self.tp, self.fp, self.fn)

    @property
    def accuracy(self) -> float:
        """Share of pixels called right, 0 to 1."""
        return (self.tp + self.tn) / max(sum(self), 1)


def count_pixels(prediction: Mask, truth: Mask, ignored: Mask | None = None) -> Counts:
    """Count the pixels of one picture, but for those ignored; masks are bool (height, width)."""
    size = truth.size
    if ignored is not None:
        prediction, truth = prediction & ~ignored, truth & ~ignored
        size -= int(np.count_nonzero(ignored))
    tp = int(np.count_nonzero(prediction & truth))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return Counts(tp=tp, fp=fp, fn=fn, tn=size - tp - fp - fn)


def pairwise_ious(masks: NDArray[np.bool_], truths: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU, float64 (N, M), of every truth with every mask; empty with empty is 0.

    Masks are bool (M, height, width), truths bool (N, height, width).
    """
    # Intersections of all pairs are one matrix product of the flattened masks. Counts stay below
    # 2**24 for grids up to 4096 pixels square, so that float32 holds them exactly.
    flat_masks = masks.reshape(len(masks), -1).astype(np.float32)
    flat_truths = truths.reshape(len(truths), -1).astype(np.float32)
    intersection = (flat_truths @ flat_masks.T).astype(np.float64)
    union = flat_truths.sum(axis=1)[:, None] + flat_masks.sum(axis=1) - intersection
    return np.asarray(intersection / np.maximum(union, 1))


def pool_counts(parts: Iterable[Counts | ImageScore]) -> Counts:
    """Counts of many pictures as if they were one."""
    tp = fp = fn = tn = 0
    for part in parts:
        tp, fp, fn, tn = tp + part.tp, fp + part.fp, fn + part.fn, tn + part.tn
    return Counts(tp, fp, fn, tn)
