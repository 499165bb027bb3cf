"""Pixel counts of two masks, the score of one picture, and of many pictures a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from humanseg.evaluation.metrics.surface import (
    Mask,
    boundary_band,
    boundary_width,
    measure_surfaces,
)
from humanseg.results import ImageScore, ScoreSummary
from humanseg.results.scores import dice_of, iou_of

BATCH = 16
"""Batch size of the published batch-averaged scores."""


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


def pool_counts(parts: Sequence[Counts | ImageScore]) -> Counts:
    """Counts of many pictures as if they were one."""
    return Counts(*(sum(getattr(part, key) for part in parts) for key in Counts._fields))


def score_image(
    name: str,
    prediction: Mask,
    truth: Mask,
    ignored: Mask | None = None,
    *,
    contours: bool = True,
) -> ImageScore:
    """Measure one picture by two masks, bool (height, width), True where there is a person.

    Pixels that are `ignored` are taken out of both before anything is measured, and are not counted
    as background. Without `contours` the distances between the masks, which take most of the time,
    are None.

    Raises:
        ValueError: shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"{name}: prediction is {prediction.shape}, truth is {truth.shape}.")
    counts = count_pixels(prediction, truth, ignored)
    if ignored is not None:
        prediction, truth = prediction & ~ignored, truth & ~ignored
    height, width = truth.shape
    band = boundary_width(height, width)
    predicted_band, true_band = boundary_band(prediction, band), boundary_band(truth, band)
    return ImageScore(
        id=name,
        height=height,
        width=width,
        **counts._asdict(),
        boundary_intersection=int(np.count_nonzero(predicted_band & true_band)),
        boundary_union=int(np.count_nonzero(predicted_band | true_band)),
        **(measure_surfaces(prediction, truth) if contours else {}),
    )


def summarise(
    scores: Sequence[ImageScore], grid_scores: Sequence[Counts | ImageScore] = ()
) -> ScoreSummary:
    """Aggregate the counts of pictures at their masks' native size.

    `grid_scores` are counts of the same pictures on the network's grid, in the order in which the
    published protocol forms its batches; without them there are no batch-averaged scores.

    Raises:
        ValueError: no pictures.
    """
    if not scores:
        raise ValueError("No scores to summarise.")
    ious = [score.iou for score in scores if score.iou is not None]
    dices = [score.dice for score in scores if score.dice is not None]
    boundaries = [score.boundary_iou for score in scores if score.boundary_iou is not None]
    pooled = pool_counts(scores)
    batches = [
        pool_counts(grid_scores[start : start + BATCH])
        for start in range(0, len(grid_scores), BATCH)
    ]
    return ScoreSummary(
        images=len(scores),
        undefined=len(scores) - len(ious),
        iou_mean=_mean(ious),
        iou_sd=float(np.std(ious, ddof=1)) if len(ious) > 1 else None,
        iou_median=float(np.median(ious)) if ious else None,
        iou_p05=float(np.percentile(ious, 5)) if ious else None,
        dice_mean=_mean(dices),
        boundary_iou_mean=_mean(boundaries),
        dataset_iou=pooled.iou,
        dataset_dice=pooled.dice,
        pixel_accuracy=pooled.accuracy,
        batch_iou=_mean([batch.iou or 0.0 for batch in batches]),  # 0 for empty ones, as published
        batch_dice=_mean([batch.dice or 0.0 for batch in batches]),
        batch_accuracy=_mean([batch.accuracy for batch in batches]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
