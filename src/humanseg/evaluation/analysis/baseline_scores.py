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
    found = []
    for name in _BASELINES:
        parts = [one[name] for one in by_split.values() if name in one]
        if parts:
            found.append(
                Bound(
                    name=name,
                    side="baseline",
                    networks=(),
                    images=sum(part.images for part in parts),
                    iou=_mean((part, part.iou_mean) for part in parts),
                    boundary_iou=_mean((part, part.boundary_iou_mean) for part in parts),
                )
            )
    return tuple(found)


def _mean(parts: Iterable[tuple[ScoreSummary, float | None]]) -> float | None:
    known = [(part.images - part.undefined, value) for part, value in parts if value is not None]
    weight = sum(count for count, _ in known)
    return sum(count * value for count, value in known) / weight if weight else None
