"""Metrics of networks, their order, and their differences two by two, as analysed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from humanseg.report.study import Network, Study
from humanseg.results import FalseAlarms, Interval, PairAnalysis

Metric = Literal["iou", "boundary_iou"]

METRIC_NAMES: dict[Metric, str] = {"iou": "per-image IoU", "boundary_iou": "Boundary IoU"}


@dataclass(frozen=True, eq=False)
class Pair:
    """`first` minus `second` by one metric."""

    first: Network
    second: Network
    record: PairAnalysis

    @property
    def difference(self) -> Interval:
        """Mean over images of the paired difference."""
        return self.record.difference

    @property
    def above(self) -> bool:
        """Whether there is evidence that `first` is higher."""
        return self.record.evidence and self.difference.estimate > 0

    @property
    def turned(self) -> Pair:
        """`second` minus `first`."""
        return Pair(self.second, self.first, _turned(self.record))

    @property
    def alike(self) -> bool:
        """Whether both have the same score in every picture."""
        return self.record.wilcoxon_p is None

    def p(self, test: Literal["wilcoxon", "corrected", "seeds"]) -> float | None:
        """P-value of a test, corrected for the number of pairs where that was done."""
        corrected: float | None = getattr(self.record, f"{test}_holm")
        plain: float | None = getattr(self.record, f"{test}_p")
        return plain if corrected is None else corrected


def _turned(record: PairAnalysis) -> PairAnalysis:
    """`second` minus `first`."""

    def negative(interval: Interval) -> Interval:
        return Interval(
            estimate=-interval.estimate,
            low=None if interval.high is None else -interval.high,
            high=None if interval.low is None else -interval.low,
        )

    changes = {
        "first": record.second,
        "second": record.first,
        "difference": negative(record.difference),
        "trainings": record.trainings and negative(record.trainings),
        "median": -record.median,
        "rank_biserial": -record.rank_biserial,
    }
    return record.model_copy(update=changes)


def metric_of(study: Study, network: Network, name: str) -> Interval | None:
    """One of `NetworkAnalysis.metrics` of a network; None where it has none."""
    analysed = study.analysed(network)
    return analysed.metrics.get(name) if analysed else None


def ranked(study: Study, metric: Metric) -> tuple[Network, ...]:
    """Networks that may be compared and have this score, highest first."""
    scores = {
        network: score.estimate
        for network in study.compared
        if (score := metric_of(study, network, metric)) is not None
    }
    return tuple(sorted(scores, key=lambda network: -scores[network]))


def is_weak(study: Study, network: Network) -> bool:
    """Whether a network is no better than the mean training mask, so that no verdict is drawn.

    By its runs too: analyses of earlier versions do not say it.
    """
    analysed = study.analysed(network)
    return bool(analysed and analysed.weak) or any(run.weak for run in network.runs)


def candidates(study: Study) -> tuple[Network, ...]:
    """Networks that a verdict may be drawn from, highest IoU first."""
    return tuple(network for network in ranked(study, "iou") if not is_weak(study, network))


def clear_alarms(study: Study, networks: Sequence[Network]) -> list[FalseAlarms]:
    """Pairs of these networks that differ clearly on images without a person."""
    names = {network.name for network in networks}
    return [
        pair
        for pair in study.analysis.false_alarms
        if pair.clear and {pair.first, pair.second} <= names
    ]


def pair_of(study: Study, metric: Metric, first: Network, second: Network) -> Pair | None:
    """What was analysed of two networks; None where they share no scored image."""
    for record in study.analysis.pairs:
        if record.metric == metric and {record.first, record.second} == {first.name, second.name}:
            if is_weak(study, first) or is_weak(study, second):
                record = _without_verdict(record)
            return Pair(first, second, record if record.first == first.name else _turned(record))
    return None


def _without_verdict(record: PairAnalysis) -> PairAnalysis:
    """A pair of which nothing is said, because one of its networks is weak."""
    doubts = tuple(dict.fromkeys((*record.doubts, "weak")))
    return record.model_copy(update={"doubts": doubts, "evidence": False, "equivalent": False})


def pairs_of(study: Study, metric: Metric) -> list[Pair]:
    """Every analysed pair, the network of the higher mean first."""
    pairs = (pair_of(study, metric, *both) for both in combinations(ranked(study, metric), 2))
    return [pair for pair in pairs if pair is not None]
