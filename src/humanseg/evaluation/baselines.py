"""Scores of what looks at no image, which every network must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from humanseg.data.samples import Sample
from humanseg.evaluation.metrics.overlap import pairwise_ious
from humanseg.evaluation.scoring import score_samples
from humanseg.results import ScoreSummary

THRESHOLDS = tuple(np.arange(0.05, 1.0, 0.05).tolist())

_NO_IMAGE = np.zeros((1, 1, 3), dtype=np.uint8)


def score_baselines(
    samples: Sequence[Sample],
    train_masks: Callable[[], Iterable[NDArray[np.bool_]]],
    *,
    mask_resize: str,
) -> dict[str, ScoreSummary]:
    """What needs no network: the mean training mask, and calling everything background.

    The mean mask is that of the training masks that hold a person, and is cut where it scores best
    on them: images without a person neither weaken it nor count in its mean.

    Args:
        samples: the samples that networks are scored on.
        train_masks: gives all training masks on the network's grid, bool (N, H, W) at a time;
            called twice, so that they need not be held.
        mask_resize: as for `score_samples`.
    """
    mean, threshold = _mean_mask(train_masks)

    def score(probability: NDArray[np.float32], threshold: float) -> ScoreSummary:
        return score_samples(
            samples,
            lambda _: probability,
            threshold=threshold,
            mask_resize=mask_resize,
            detailed=False,
            read=lambda _: _NO_IMAGE,
        ).summary

    return {
        "mean_mask": score(mean, threshold),
        "all_background": score(np.zeros_like(mean), 0.5),
    }


def _mean_mask(
    masks: Callable[[], Iterable[NDArray[np.bool_]]],
) -> tuple[NDArray[np.float32], float]:
    """Mean of the masks that hold a person, and the threshold of the best mean IoU with them."""
    summed, count = np.float64(0.0), 0
    for chunk in masks():
        summed = summed + chunk.sum(axis=0, dtype=np.float64)
        count += int(chunk.any(axis=(1, 2)).sum())
    mean = np.asarray(summed / max(count, 1), dtype=np.float32)
    cuts = np.stack([mean >= value for value in THRESHOLDS])
    ious = np.zeros(len(cuts))
    for chunk in masks():
        ious += pairwise_ious(cuts, chunk).sum(axis=0)
    return mean, THRESHOLDS[int(ious.argmax())]
