"""What the report shows, grouped by network: scores as they were recorded, intervals as analysed.

Nothing is inferred here. Intervals and tests come from the `Analysis` of the results; without one
only bare means of the recorded scores are given.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal

from humanseg.config.schema import CompareConfig
from humanseg.report import run_folders
from humanseg.report.estimates import estimate
from humanseg.results import (
    Analysis,
    Bound,
    ComparisonResult,
    Environment,
    Evaluation,
    FailedRun,
    ImageScore,
    Interval,
    NetworkAnalysis,
    PairAnalysis,
    RunResult,
)

Metric = Literal["iou", "boundary_iou"]
Scored = RunResult | Evaluation
Kind = Literal["comparison", "run", "evaluation", "several"]
Doubt = Literal["interval", "wilcoxon", "folds", "seeds", "small"]

LABELS = {"unet": "U-Net", "fpn": "FPN", "deeplabv3plus": "DeepLabV3+"}
"""How an architecture is called in the report. The order gives each its colour, in every report."""

SLOTS = 8
"""Colours and markers that the page has."""


@dataclass(frozen=True)
class Spread:
    """A number's mean over runs, and its sample standard deviation where there are two."""

    mean: float | None
    sd: float | None


def spread(values: Iterable[float | None]) -> Spread:
    """Mean and deviation of the values that are defined."""
    known = [value for value in values if value is not None]
    mean = statistics.fmean(known) if known else None
    return Spread(mean, statistics.stdev(known) if len(known) > 1 else None)


@dataclass(frozen=True, eq=False)  # compared by identity: records inside hold dictionaries
class Network:
    """One network with everything that scored it, in the plan's order."""

    name: str
    """Unique in the study, and its name in the analysis."""
    label: str
    """Its name in the report."""
    arch: str
    slot: int
    """Number of its colour and marker, from 1."""
    scored: tuple[Scored, ...] = ()
    """Finished runs of the main protocol, or the evaluation of a saved model."""
    places: tuple[Path, ...] = ()
    """Folder of each of `scored`, which holds `predictions/`."""
    complete: bool = True
    """Whether all of its planned runs have finished."""

    @cached_property
    def runs(self) -> tuple[RunResult, ...]:
        """Those of `scored` that are trainings."""
        return tuple(one for one in self.scored if isinstance(one, RunResult))

    def cost(self, field: str) -> Spread:
        """A field of `Cost` over the runs that have it."""
        values = [getattr(run.cost, field) for run in self.runs]
        return spread(None if value is None else float(value) for value in values)

    def by_picture(self, name: str) -> dict[str, float]:
        """A property of `ImageScore` by picture, mean over the runs that tested the picture.

        Pictures for which it is not defined are left out.
        """
        values: dict[str, list[float]] = {}
        for one in self.scored:
            for image in one.scores:
                value: float | None = getattr(image, name)
                if value is not None:
                    values.setdefault(image.id, []).append(value)
        return {id_: statistics.fmean(found) for id_, found in values.items()}

    @cached_property
    def image_scores(self) -> dict[str, ImageScore]:
        """Counts by picture, of the first run that tested it."""
        found: dict[str, ImageScore] = {}
        for one in self.scored:
            for image in one.scores:
                found.setdefault(image.id, image)
        return found

    @property
    def threshold(self) -> float:
        """A pixel is a person where its probability is at least this."""
        if not self.scored:
            return 0.5
        first = self.scored[0]
        return (
            first.config.evaluation if isinstance(first, RunResult) else first.evaluation
        ).threshold

    def prediction_file(self, id_: str) -> Path | None:
        """Stored prediction of the first run that tested a picture; None if none did."""
        for one, place in zip(self.scored, self.places, strict=True):
            if any(image.id == id_ for image in one.scores):
                return place / "predictions" / f"{id_}.png"
        return None


@dataclass(frozen=True, eq=False)
class Pair:
    """What is known of `first` minus `second` by one metric."""

    first: Network
    second: Network
    record: PairAnalysis

    @property
    def _sign(self) -> int:
        return 1 if self.record.first == self.first.name else -1

    @property
    def difference(self) -> Interval:
        """Mean over pictures of the paired difference."""
        one = self.record.difference
        if self._sign > 0:
            return one
        return Interval(
            estimate=-one.estimate,
            low=None if one.high is None else -one.high,
            high=None if one.low is None else -one.low,
        )

    @property
    def median(self) -> float:
        """Median paired difference."""
        return self._sign * self.record.median

    @property
    def rank_biserial(self) -> float:
        """Effect size, -1 to 1."""
        return self._sign * self.record.rank_biserial

    @property
    def above(self) -> bool:
        """Whether there is evidence that `first` is higher."""
        return self.record.evidence and self.difference.estimate > 0


@dataclass(frozen=True, eq=False)
class Study:
    """One or several finished folders and what the report says about them."""

    folders: tuple[Path, ...]
    kind: Kind
    networks: tuple[Network, ...]
    """Every network of the plan, with or without a finished run."""
    analysis: Analysis | None = None
    result: ComparisonResult | None = None
    """The comparison, where it is one."""
    sources: dict[str, str] = field(default_factory=dict)
    """Source by picture, where it is known."""
    parts: tuple[Study, ...] = ()
    """Studies of the single folders, where they stand side by side."""

    @cached_property
    def groups(self) -> dict[str, str]:
        """Group by picture, as the folders say it."""
        found: dict[str, str] = {}
        for part in self.parts:
            found = part.groups | found
        if self.parts:
            return found
        known = [self.result.groups if self.result else {}, *(e.groups for e in self.evaluations)]
        return next((one for one in known if one), {}) or run_folders.read_groups(self.folders[0])

    @property
    def title(self) -> str:
        """What the page is about."""
        if self.kind == "several":
            names = run_folders.names(self.folders)
            return f"{', '.join(names[:-1])} and {names[-1]} side by side"
        labels = [network.label for network in self.networks]
        if self.kind == "comparison" and len(labels) > 1:
            return f"{', '.join(labels[:-1])} and {labels[-1]} compared"
        return f"{''.join(labels)} {'evaluated' if self.kind == 'evaluation' else 'trained'}"

    @cached_property
    def finished(self) -> tuple[Network, ...]:
        """Networks with scores, in the plan's order."""
        return tuple(network for network in self.networks if network.scored)

    @cached_property
    def runs(self) -> tuple[RunResult, ...]:
        """Finished runs of the main protocol, network by network."""
        return tuple(run for network in self.networks for run in network.runs)

    @cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Evaluations of saved models."""
        found = (one for network in self.networks for one in network.scored)
        return tuple(one for one in found if isinstance(one, Evaluation))

    @property
    def first(self) -> RunResult | None:
        """The run that speaks for what all share."""
        return self.runs[0] if self.runs else None

    @property
    def config(self) -> CompareConfig | None:
        """The plan, where there is one for all."""
        return self.result.config if self.result else None

    @property
    def failed(self) -> tuple[FailedRun, ...]:
        """Runs of the plan that raised."""
        own = self.result.failed if self.result else ()
        return (*own, *(run for part in self.parts for run in part.failed))

    @property
    def missing(self) -> tuple[str, ...]:
        """Runs of the plan that were not reached."""
        own = self.result.missing if self.result else ()
        return (*own, *(name for part in self.parts for name in part.missing))

    @property
    def environments(self) -> tuple[Environment, ...]:
        """Where everything was made, as far as it was recorded."""
        made = [one.environment for network in self.networks for one in network.scored]
        return tuple(one for one in made if one is not None)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the data; empty without scores."""
        return next((one.data_fingerprint for net in self.networks for one in net.scored), "")

    @property
    def split_seed(self) -> int:
        """Seed of the plan's splits, for what the report draws at random."""
        if self.config:
            return self.config.split.seed
        return self.first.config.split.seed if self.first else 42

    @cached_property
    def images(self) -> int:
        """Number of pictures that were scored."""
        return len({id_ for network in self.finished for id_ in network.image_scores})

    @cached_property
    def pictures(self) -> dict[str, Path]:
        """File of each picture, as far as the folders say.

        Raises:
            DataError: a folder's data.json or pictures.json is damaged.
        """
        found: dict[str, Path] = {}
        for folder in self.folders:
            found = run_folders.read_pictures(folder) | found
        return found

    def truth_file(self, id_: str) -> Path:
        """Truth mask of a picture, whether it is there or not."""
        found = [run_folders.truth_file(folder, id_) for folder in self.folders]
        return next((file for file in found if file.exists()), found[0])

    def by_network(self, name: str) -> dict[str, dict[str, float]]:
        """`Network.by_picture` of every finished network by its name."""
        return {network.name: network.by_picture(name) for network in self.finished}

    @cached_property
    def _overlaps(self) -> dict[str, list[float]]:
        gathered: dict[str, list[float]] = {}
        for values in self.by_network("iou").values():
            for id_, value in values.items():
                gathered.setdefault(id_, []).append(value)
        return gathered

    def mean_overlap(self, id_: str) -> float | None:
        """Mean over networks of a picture's IoU; None where no network has one."""
        values = self._overlaps.get(id_)
        return statistics.fmean(values) if values else None

    def disagreement(self, id_: str) -> float:
        """Largest minus smallest IoU of a picture over networks; 0 with fewer than two."""
        values = self._overlaps.get(id_, [])
        return max(values) - min(values) if values else 0.0

    @property
    def seeds(self) -> int:
        """Number of training seeds; 0 without trainings."""
        return len({run.config.training.seed for run in self.runs})

    @property
    def several_seeds(self) -> bool:
        """Whether any network finished with more than one seed."""
        each = ({run.config.training.seed for run in network.runs} for network in self.finished)
        return any(len(seeds) > 1 for seeds in each)

    @property
    def folds(self) -> int | None:
        """Number of folds; None without cross-validation."""
        return next((run.config.split.folds for run in self.runs if is_fold(run)), None)

    @property
    def repeats(self) -> int:
        """How often the folds were drawn."""
        return len({run.config.split.seed for run in self.runs if is_fold(run)}) or 1

    @property
    def cross_validated(self) -> bool:
        """Whether every finished network was tested on every fold."""
        return bool(self.runs) and all(_has_all_folds(network) for network in self.finished)

    @cached_property
    def _analysed(self) -> dict[str, NetworkAnalysis]:
        return {one.name: one for one in self.analysis.networks} if self.analysis else {}

    def analysed(self, network: Network) -> NetworkAnalysis | None:
        """What was analysed of a network."""
        return self._analysed.get(network.name)

    def metric(self, network: Network, name: str) -> Interval | None:
        """A metric by the names in `METRICS`; without an analysis the bare mean."""
        found = self.analysed(network)
        return found.metrics.get(name) if found else estimate(network, name)

    @cached_property
    def compared(self) -> tuple[Network, ...]:
        """Networks that may be put beside each other.

        Those without a missing run, which were tested on the same pictures; with an analysis,
        those in it.
        """
        whole = tuple(network for network in self.finished if network.complete)
        if self.analysis is None:
            return whole
        return tuple(network for network in whole if self.analysed(network))

    def ranked(self, metric: Metric) -> tuple[Network, ...]:
        """Networks that may be compared and have this score, highest first."""
        found = {network: self.metric(network, metric) for network in self.compared}
        known = {network: one.estimate for network, one in found.items() if one is not None}
        return tuple(sorted(known, key=lambda network: -known[network]))

    def pair(self, metric: Metric, first: Network, second: Network) -> Pair | None:
        """What was analysed of two networks."""
        wanted = {first.name, second.name}
        for one in self.analysis.pairs if self.analysis else ():
            if one.metric == metric and {one.first, one.second} == wanted:
                return Pair(first, second, one)
        return None

    def pairs(self, metric: Metric) -> tuple[Pair, ...]:
        """Every analysed pair, the network of the higher mean first."""
        found = (self.pair(metric, *both) for both in combinations(self.ranked(metric), 2))
        return tuple(pair for pair in found if pair is not None)

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """Baselines and ceilings; without an analysis the baselines of the first run."""
        if self.analysis:
            return self.analysis.bounds
        baselines = self.first.baselines if self.first else {}
        return tuple(
            Bound(
                name=name,
                side="baseline",
                networks=(),
                images=baselines[name].images,
                iou=baselines[name].iou_mean,
                boundary_iou=baselines[name].boundary_iou_mean,
            )
            for name in BOUNDS
            if name in baselines
        )


BOUNDS: tuple[Literal["mean_mask", "all_background"], ...] = ("mean_mask", "all_background")


def _has_all_folds(network: Network) -> bool:
    """Whether the runs of a network cover every fold of every repeat."""
    folds: dict[int, set[int]] = {}
    for run in network.runs:
        if is_fold(run):
            folds.setdefault(run.config.split.seed, set()).add(run.config.split.fold)
    counts = {run.config.split.folds for run in network.runs}
    alone = all(is_fold(run) for run in network.runs) and len(counts) == 1
    return alone and all(found == set(range(1, max(counts) + 1)) for found in folds.values())


def is_fold(run: RunResult) -> bool:
    """Whether a run tested on one of several folds."""
    return run.config.split.protocol == "folds"
