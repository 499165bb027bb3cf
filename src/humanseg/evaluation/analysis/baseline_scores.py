"""Scores that need no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from humanseg.results import Bound, RunResult, ScoreSummary

_BASELINES: tuple[Literal["mean_mask", "all_background"], ...] = ("mean_mask", "all_background")


def baseline_bounds(runs: Sequence[RunResult]) -> tuple[Bound, ...]:
    """The mean training mask and all background, over all test parts.

    Every split has baselines of its own, the same for all networks; each counts as much as it has
    pictures with a score.
    """
    by_split = {run.split: run.baselines for run in runs}
    bounds = []
    for name in _BASELINES:
        parts = [baselines[name] for baselines in by_split.values() if name in baselines]
        if parts:
            bounds.append(
                Bound(
                    name=name,
                    side="baseline",
                    networks=(),
                    images=sum(part.images for part in parts),
                    iou=_mean((part, part.iou_mean) for part in parts),
                    boundary_iou=_mean((part, part.boundary_iou_mean) for part in parts),
                )
            )
    return tuple(bounds)


def _mean(parts: Iterable[tuple[ScoreSummary, float | None]]) -> float | None:
    defined = [(part.images - part.undefined, value) for part, value in parts if value is not None]
    weight = sum(count for count, _ in defined)
    return sum(count * value for count, value in defined) / weight if weight else None
