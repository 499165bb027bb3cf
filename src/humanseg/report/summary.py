"""A comparison as numbers: runs grouped by network, averaged over seeds, compared in pairs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from humanseg.results import ComparisonResult, RunResult, ScoreSummary, read_record

Metric = Literal["iou", "boundary_iou"]

LABELS = {"unet": "U-Net", "fpn": "FPN", "deeplabv3plus": "DeepLabV3+"}
"""How a network is called in the report. The order gives each its colour, in every report."""

ONE_POINT = 0.01
"""Smaller differences are never called a difference: labels and seeds move scores by as much."""

_RESAMPLES = 5000


@dataclass(frozen=True)
class Spread:
    """A number's mean over seeds, and its sample standard deviation where there are two."""

    mean: float | None
    sd: float | None


def spread(values: Iterable[float | None]) -> Spread:
    """Mean and deviation of the values that are defined."""
    known = [value for value in values if value is not None]
    mean = statistics.fmean(known) if known else None
    return Spread(mean, statistics.stdev(known) if len(known) > 1 else None)


@dataclass(frozen=True, eq=False)  # compared by identity: records inside hold dictionaries
class Network:
    """One architecture with its finished runs, in the plan's order of seeds."""

    arch: str
    runs: tuple[RunResult, ...]

    @property
    def label(self) -> str:
        """Its name in the report."""
        return LABELS.get(self.arch, self.arch)

    @property
    def slot(self) -> int:
        """Number of its colour and marker, from 1."""
        return list(LABELS).index(self.arch) + 1 if self.arch in LABELS else len(LABELS) + 1

    def score(self, field: str) -> Spread:
        """A field of `ScoreSummary` over seeds."""
        return spread(getattr(run.summary, field) for run in self.runs)

    def cost(self, field: str) -> Spread:
        """A field of `Cost` over seeds."""
        return spread(float(getattr(run.cost, field)) for run in self.runs)

    def by_picture(self, metric: Metric) -> dict[str, float]:
        """Mean over seeds of one picture's score; pictures where it is undefined are left out."""
        values: dict[str, list[float]] = {}
        for run in self.runs:
            for image in run.scores:
                value: float | None = getattr(image, metric)
                if value is not None:
                    values.setdefault(image.id, []).append(value)
        return {id_: statistics.fmean(found) for id_, found in values.items()}


@dataclass(frozen=True)
class Difference:
    """`better` minus `worse`, paired over the pictures that both have a score for."""

    better: Network
    worse: Network
    mean: float
    low: float
    high: float
    """95 % percentile bootstrap interval over pictures."""
    seed_sd: float | None
    """The larger of both networks' deviations over seeds; None with one seed."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why this is no evidence of a difference, in words; empty if it is evidence."""
        found = []
        if round(abs(self.mean), 3) < ONE_POINT:  # as printed: 1.0 points are not below one
            found.append("it is below one point")
        if self.low <= 0.0 <= self.high:
            found.append("its interval over pictures includes zero")
        if self.seed_sd is not None and abs(self.mean) <= self.seed_sd:
            found.append("it is no larger than the spread between seeds")
        return tuple(found)

    @property
    def is_evidence(self) -> bool:
        """Whether nothing speaks against a difference on these pictures."""
        return not self.doubts


def interval(values: Iterable[float]) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean; the same for the same values."""
    sample: NDArray[np.float64] = np.asarray(list(values), dtype=np.float64)
    generator = np.random.default_rng(0)
    rows = max(1, 1_000_000 // sample.size)  # bounds memory for large test sets
    means = [
        sample[
            generator.integers(sample.size, size=(min(rows, _RESAMPLES - done), sample.size))
        ].mean(axis=1)
        for done in range(0, _RESAMPLES, rows)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def _difference(better: Network, worse: Network, metric: Metric) -> Difference | None:
    first, second = better.by_picture(metric), worse.by_picture(metric)
    paired = [first[id_] - second[id_] for id_ in first if id_ in second]
    if not paired:
        return None
    low, high = interval(paired)
    deviations = [network.score(f"{metric}_mean").sd for network in (better, worse)]
    known = [value for value in deviations if value is not None]
    mean = statistics.fmean(paired)
    return Difference(better, worse, mean, low, high, max(known) if known else None)


@dataclass(frozen=True)
class Study:
    """A comparison folder and what the report says about it."""

    folder: Path
    result: ComparisonResult

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """Every architecture of the plan, with or without a finished run."""
        order = {name: place for place, name in enumerate(self.result.config.runs())}
        runs = sorted(self.result.runs, key=lambda run: (order.get(run.name, len(order)), run.name))
        archs = dict.fromkeys([*self.result.config.archs, *(run.config.model.arch for run in runs)])
        return tuple(
            Network(arch, tuple(run for run in runs if run.config.model.arch == arch))
            for arch in archs
        )

    @cached_property
    def finished(self) -> tuple[Network, ...]:
        """Networks with at least one finished run, in the plan's order."""
        return tuple(network for network in self.networks if network.runs)

    @property
    def runs(self) -> tuple[RunResult, ...]:
        """Finished runs, network by network."""
        return tuple(run for network in self.finished for run in network.runs)

    @property
    def first(self) -> RunResult | None:
        """The run that speaks for what all share: split, floors, fingerprint."""
        return self.runs[0] if self.runs else None

    @property
    def floors(self) -> dict[str, ScoreSummary]:
        """Scores that need no network."""
        return self.first.floors if self.first else {}

    @property
    def pictures(self) -> int:
        """Number of test pictures."""
        return self.first.summary.images if self.first else 0

    @property
    def several_seeds(self) -> bool:
        """Whether any network finished with more than one seed."""
        return any(len(network.runs) > 1 for network in self.finished)

    def ranked(self, metric: Metric) -> tuple[Network, ...]:
        """Networks that have this score, highest first."""
        means = {network.arch: network.score(f"{metric}_mean").mean for network in self.finished}
        known = [network for network in self.finished if means[network.arch] is not None]
        return tuple(sorted(known, key=lambda network: -(means[network.arch] or 0.0)))

    @cached_property
    def differences(self) -> dict[Metric, tuple[Difference, ...]]:
        """Every pair of networks per metric, the higher-ranked first."""
        metrics: tuple[Metric, ...] = get_args(Metric)
        return {
            metric: tuple(
                difference
                for better, worse in combinations(self.ranked(metric), 2)
                if (difference := _difference(better, worse, metric)) is not None
            )
            for metric in metrics
        }


def load_study(folder: Path) -> Study:
    """Read a comparison folder's results.

    Raises:
        DataError: results.json is missing, damaged or of another version.
    """
    return Study(folder, read_record(folder / "results.json", ComparisonResult))
