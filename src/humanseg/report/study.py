"""What the report shows: networks with their scores, and the analysis of them.

Nothing is inferred here. Numbers, intervals and tests are those of the records; `ranking` and
`study_plan` look them up by subject.
"""

from __future__ import annotations

import statistics
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.schema import EvaluationConfig, TrainConfig
from humanseg.results import (
    Analysis,
    ComparisonResult,
    Evaluation,
    ImageScore,
    NetworkAnalysis,
    RunResult,
)
from humanseg.results.scores import mean_of

K = TypeVar("K")
V = TypeVar("V")
Scored = RunResult | Evaluation
Kind = Literal["comparison", "run", "evaluation", "several"]


def settings_of(record: Scored) -> EvaluationConfig:
    """How something was scored."""
    return record.config.evaluation if isinstance(record, RunResult) else record.evaluation


def _way_of(record: Scored) -> dict[str, object]:
    """How something was scored, by the names of what may be different in another record."""
    settings, setup = settings_of(record), record.setup
    return {
        "threshold": settings.threshold,
        "flip averaging": settings.flip_averaging,
        "regions left out": settings.sure_share,
        "runtime": setup.backend,
        "precision": setup.precision,
        "reading of files": setup.whole_files,
        "version of humanseg": record.environment.humanseg,
    }


def different_ways(records: Iterable[Scored]) -> list[str]:
    """In what the ways differ in which these were scored; empty where they are one."""
    first, *others = [_way_of(record) for record in records] or [{}]
    return [name for name in first if any(other[name] != first[name] for other in others)]


SLOTS = 8
"""Colours and markers that the page has."""


def grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """The values of every key, both in the order given."""
    values: dict[K, list[V]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return values


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
    folders: tuple[Path, ...] = ()
    """Folder of each of `scored`, which holds `predictions/`."""
    complete: bool = True
    """Whether all of its planned runs have finished."""

    @cached_property
    def runs(self) -> tuple[RunResult, ...]:
        """Those of `scored` that are trainings."""
        return tuple(record for record in self.scored if isinstance(record, RunResult))

    @property
    def seeds(self) -> set[int]:
        """Training seeds of its runs; none of a saved model that was only evaluated."""
        return {run.config.training.seed for run in self.runs}

    @property
    def weights(self) -> str | None:
        """Digest of a saved model's weights; None of trainings, and where nobody recorded it."""
        first = self.scored[0]
        return first.weights if isinstance(first, Evaluation) else None

    def cost(self, name: str) -> float | None:
        """A field of `Cost`, mean over the runs."""
        return mean_of(getattr(run.cost, name) for run in self.runs)

    def mean(self, name: str) -> float | None:
        """A field of `ScoreSummary`, mean over all that was scored."""
        return mean_of(getattr(record.summary, name) for record in self.scored)

    def by_image(self, name: str) -> dict[str, float]:
        """A property of `ImageScore` by image, mean over the runs that tested the image.

        Images for which it is not defined are left out.
        """
        values = grouped(
            (image.id, value)
            for record in self.scored
            for image in record.scores
            if (value := getattr(image, name)) is not None
        )
        return {id_: statistics.fmean(each) for id_, each in values.items()}

    @cached_property
    def image_scores(self) -> dict[str, ImageScore]:
        """Counts by image, of the first run that tested it."""
        scores: dict[str, ImageScore] = {}
        for record in self.scored:
            for image in record.scores:
                scores.setdefault(image.id, image)
        return scores

    @property
    def threshold(self) -> float:
        """A pixel is a person where its probability is at least this."""
        return settings_of(self.scored[0]).threshold

    def prediction_file(self, id_: str) -> Path:
        """Stored prediction of the first run that tested an image, of `image_scores`."""
        tested = zip(self.scored, self.folders, strict=True)
        folders = (at for own, at in tested if any(image.id == id_ for image in own.scores))
        return next(folders) / "predictions" / f"{id_}.png"


@dataclass(frozen=True, eq=False)
class Study:
    """One or several finished folders and what the report says about them."""

    folders: tuple[Path, ...]
    kind: Kind
    networks: tuple[Network, ...]
    """Every network of the plan, with or without a finished run."""
    analysis: Analysis
    """Of every network with a finished run; pairs are of complete networks only."""
    sources: dict[str, str]
    """Source by image, where there are sources."""
    groups: dict[str, str]
    """Group by image; images without one are groups of their own."""
    result: ComparisonResult | None = None
    """The comparison, where it is one."""
    parts: tuple[Study, ...] = ()
    """Studies of the single folders, where they stand side by side."""

    @cached_property
    def finished(self) -> tuple[Network, ...]:
        """Networks with scores, in the plan's order."""
        return tuple(network for network in self.networks if network.scored)

    @cached_property
    def compared(self) -> tuple[Network, ...]:
        """Networks without a missing run: those that were tested on the same images."""
        return tuple(network for network in self.finished if network.complete)

    @cached_property
    def trained(self) -> tuple[Network, ...]:
        """Networks with finished runs: none of saved models that were only evaluated."""
        return tuple(network for network in self.finished if network.runs)

    @cached_property
    def runs(self) -> tuple[RunResult, ...]:
        """Finished runs of the main protocol, network by network."""
        return tuple(run for network in self.networks for run in network.runs)

    @property
    def config(self) -> CompareConfig | TrainConfig | None:
        """The plan, or else the configuration of the first run; None without either."""
        if self.result is not None:
            return self.result.config
        return self.runs[0].config if self.runs else None

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        """Every finished run and evaluation, network by network."""
        return tuple(record for network in self.networks for record in network.scored)

    @cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Evaluations of saved models."""
        return tuple(record for record in self.scored if isinstance(record, Evaluation))

    @cached_property
    def image_scores(self) -> dict[str, ImageScore]:
        """Counts of every scored image, by the first network that has it."""
        return dict(ChainMap(*(network.image_scores for network in self.finished)))

    def network(self, name: str) -> Network:
        """The network that an analysis names; one without scores where no run is of it."""
        named = (network for network in self.networks if network.name == name)
        return next(named, Network(name, name, name, slot=0))

    def analysed(self, network: Network) -> NetworkAnalysis | None:
        """What was analysed of a network; None without a finished run."""
        return next((own for own in self.analysis.networks if own.name == network.name), None)


class Extent(NamedTuple):
    """How many pictures there are, and groups of those that show the same."""

    images: int
    groups: int


def extent(study: Study, *, people: bool = False) -> Extent:
    """Of all scored pictures, or of those with a person, by which alone IoU is known."""
    scores = study.image_scores.values()
    names = [score.id for score in scores if not (people and score.person_free)]
    return Extent(len(names), len({study.groups.get(name, name) for name in names}))


def scores_by_image(by_network: Mapping[str, Mapping[str, float]]) -> dict[str, list[float]]:
    """The scores of every image, of each network that has one."""
    return grouped(item for scores in by_network.values() for item in scores.items())
