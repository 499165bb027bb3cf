"""Bare means of recorded scores, for results without an analysis."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from humanseg.results import Interval

if TYPE_CHECKING:
    from humanseg.report.study import Network

_PER_IMAGE = (
    "iou",
    "dice",
    "boundary_iou",
    "surface_dice_05",
    "surface_dice_10",
    "assd",
    "hd95",
    "precision",
    "recall",
)
_POOLED = ("dataset_iou", "dataset_dice", "pixel_accuracy")


def _fifth(values: Sequence[float]) -> float:
    return float(np.percentile(values, 5))


def _deviation(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


_OF_IOU: dict[str, Callable[[Sequence[float]], float | None]] = {
    "iou_sd": _deviation,
    "iou_median": statistics.median,
    "iou_p05": _fifth,
}


def estimate(network: Network, name: str) -> Interval | None:
    """One of `METRICS` without an interval; None where the records do not hold it.

    Per-image metrics are averaged over the runs that tested a picture, then over pictures; pooled
    ones are averaged over runs.
    """
    if name in _OF_IOU:
        values = list(network.by_picture("iou").values())
        return _bare(_OF_IOU[name](values) if values else None)
    if name in _PER_IMAGE:
        return _bare(_mean(list(network.by_picture(name).values())))
    if name in _POOLED:
        known = (getattr(one.summary, name) for one in network.scored)
        return _bare(_mean([value for value in known if value is not None]))
    return None


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _bare(value: float | None) -> Interval | None:
    return None if value is None else Interval(estimate=value)
