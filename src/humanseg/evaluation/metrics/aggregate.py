"""The score of one picture, and from many pictures to a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humanseg.evaluation.metrics.overlap import Counts, Mask, count_pixels, pool_counts
from humanseg.evaluation.metrics.surface import boundary_band, boundary_width, measure_surfaces
from humanseg.results import ImageScore, ScoreSummary


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
    surfaces = measure_surfaces(prediction, truth) if contours else None
    return ImageScore(
        id=name,
        height=height,
        width=width,
        **counts._asdict(),
        boundary_intersection=int(np.count_nonzero(predicted_band & true_band)),
        boundary_union=int(np.count_nonzero(predicted_band | true_band)),
        **(surfaces._asdict() if surfaces else {}),
    )


BATCH = 16
"""Batch size of the published batch-averaged scores."""


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
