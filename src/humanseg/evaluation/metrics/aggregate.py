"""From many pictures to a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humanseg.evaluation.metrics.overlap import Counted, pool_counts
from humanseg.results import ImageScore, ScoreSummary

BATCH = 16
"""Batch size of the published batch-averaged scores."""


def summarise(scores: Sequence[ImageScore], grid_scores: Sequence[Counted] = ()) -> ScoreSummary:
    """Aggregate pictures.

    Args:
        scores: counts at the masks' native size.
        grid_scores: counts of the same pictures on the network's grid, in the order in which the
            published protocol forms its batches; empty leaves the batch-averaged scores out.

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
