"""Scores of person masks. Counts per picture come first; every number is derived from them.

A picture without a person in truth and prediction has no IoU, Dice or Boundary IoU: it is left out
of means and counted as `undefined`. If only one of the two is empty, the score is 0. This is the
convention of nnU-Net; segmentation-models-pytorch would score 1 by default.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from humanseg.results import ImageScore, ScoreSummary

Mask = NDArray[np.bool_]

BOUNDARY_SHARE = 0.02
"""Width of the boundary band as a share of the picture's diagonal (Cheng et al. 2021)."""

BATCH = 16
"""Batch size of the published batch-averaged scores."""


def boundary_band(mask: Mask, width: int) -> Mask:
    """Pixels of a mask within `width` of its contour; the picture's border counts as contour.

    The mask less its erosion, `width` times with 3x3 ones inside a frame of zeros, as in the
    authors' code (Cheng et al., "Boundary IoU", CVPR 2021). Eroding `width` times with 3x3 ones is
    eroding once with a square of side 2 * width + 1, which is what is done here.

    Args:
        mask: bool (height, width).
        width: pixels, at least 1.

    Returns:
        bool (height, width).
    """
    side = 2 * width + 1
    eroded = ndimage.minimum_filter(mask.view(np.uint8), size=side, mode="constant", cval=0)
    return np.asarray(mask & ~eroded.astype(np.bool_))


def boundary_width(height: int, width: int) -> int:
    """Band width in pixels: 2 % of the diagonal, rounded, at least 1."""
    return max(1, round(BOUNDARY_SHARE * math.hypot(height, width)))


def score_image(name: str, prediction: Mask, truth: Mask) -> ImageScore:
    """Count one picture.

    Args:
        name: the sample's id.
        prediction: bool (height, width), True where a person was found.
        truth: bool of the same shape.

    Raises:
        ValueError: shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"{name}: prediction is {prediction.shape}, truth is {truth.shape}.")
    height, width = truth.shape
    band = boundary_width(height, width)
    predicted_band, true_band = boundary_band(prediction, band), boundary_band(truth, band)
    tp = int(np.count_nonzero(prediction & truth))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return ImageScore(
        id=name,
        height=height,
        width=width,
        tp=tp,
        fp=fp,
        fn=fn,
        tn=height * width - tp - fp - fn,
        boundary_intersection=int(np.count_nonzero(predicted_band & true_band)),
        boundary_union=int(np.count_nonzero(predicted_band | true_band)),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def summarise(scores: Sequence[ImageScore], grid_scores: Sequence[ImageScore] = ()) -> ScoreSummary:
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
    tp, fp, fn, tn = (sum(getattr(s, key) for s in scores) for key in ("tp", "fp", "fn", "tn"))
    batches = [grid_scores[start : start + BATCH] for start in range(0, len(grid_scores), BATCH)]
    pooled = [_pool(batch) for batch in batches]
    return ScoreSummary(
        images=len(scores),
        undefined=len(scores) - len(ious),
        iou_mean=_mean(ious),
        iou_sd=float(np.std(ious, ddof=1)) if len(ious) > 1 else None,
        iou_median=float(np.median(ious)) if ious else None,
        iou_p05=float(np.percentile(ious, 5)) if ious else None,
        dice_mean=_mean(dices),
        boundary_iou_mean=_mean(boundaries),
        dataset_iou=_ratio(tp, tp + fp + fn),
        dataset_dice=_ratio(2 * tp, 2 * tp + fp + fn),
        pixel_accuracy=(tp + tn) / (tp + fp + fn + tn),
        batch_iou=_mean([values[0] for values in pooled]),
        batch_dice=_mean([values[1] for values in pooled]),
        batch_accuracy=_mean([values[2] for values in pooled]),
    )


def _pool(batch: Sequence[ImageScore]) -> tuple[float, float, float]:
    """IoU, Dice and accuracy of a batch as one big picture; 0 for empty ones, as published."""
    tp, fp, fn, tn = (sum(getattr(s, key) for s in batch) for key in ("tp", "fp", "fn", "tn"))
    iou = _ratio(tp, tp + fp + fn) or 0.0
    dice = _ratio(2 * tp, 2 * tp + fp + fn) or 0.0
    return iou, dice, (tp + tn) / (tp + fp + fn + tn)
