"""Runs of one network, and their scores picture by picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from statistics import fmean, stdev

from humanseg.results import Calibration, Evaluation, ImageScore, RunResult
from humanseg.results.scores import mean_of

Measure = str | Callable[[ImageScore], float | None]
"""A score of `ImageScore` by its name, or what a function makes of one; None is undefined."""


@dataclass(frozen=True)
class RunScores:
    """One network of one training, with the pictures that it was tested on."""

    name: str
    scores: tuple[ImageScore, ...]
    calibration: Calibration | None = None
    band_calibration: Calibration | None = None
    iou: float | None = None
    seed: int = 0
    fold: tuple[int, int] = (0, 0)
    """Seed of the split and number of the fold; the same for runs with the same test pictures."""
    test_over_train: float = 0.0
    train_iou: float | None = None
    weak: bool = False
    """Whether it scores no better than the mean training mask."""


def scores_of(record: RunResult | Evaluation) -> RunScores:
    """What the analysis needs of a run, or of a model that was scored on a data set."""
    scores = RunScores(
        name=record.model if isinstance(record, Evaluation) else record.name,
        scores=record.scores,
        calibration=record.calibration,
        band_calibration=record.band_calibration,
        iou=record.summary.iou_mean,
    )
    if isinstance(record, Evaluation):
        return scores
    config, split = record.config, record.split
    return replace(
        scores,
        seed=config.training.seed,
        fold=(config.split.seed, config.split.fold if config.split.protocol == "folds" else 0),
        test_over_train=len(split.test) / max(1, len(split.train)),
        train_iou=record.train_summary.iou_mean,
        weak=record.weak,
    )


@dataclass(frozen=True, eq=False)
class Subject:
    """All runs of one network."""

    name: str
    arch: str
    runs: tuple[RunScores, ...]

    @cached_property
    def by_image(self) -> dict[str, list[ImageScore]]:
        """Scores of every picture, one per run that tested it, in string order of the ids."""
        by_image: dict[str, list[ImageScore]] = defaultdict(list)
        for run in self.runs:
            for score in run.scores:
                by_image[score.id].append(score)
        return dict(sorted(by_image.items()))

    @cached_property
    def person_free(self) -> tuple[str, ...]:
        """Pictures without a person in the truth."""
        return tuple(name for name, scores in self.by_image.items() if scores[0].person_free)

    @cached_property
    def folds(self) -> dict[tuple[int, int], frozenset[str]]:
        """Pictures of every test fold; empty without folds."""
        return {
            run.fold: frozenset(score.id for score in run.scores)
            for run in self.runs
            if run.fold[1]
        }

    def metric(self, measure: Measure) -> dict[str, float | None]:
        """Mean over runs of a measure of every picture; None where no run has it."""
        measured = attrgetter(measure) if isinstance(measure, str) else measure
        return {image: mean_of(map(measured, scores)) for image, scores in self.by_image.items()}

    @property
    def weak(self) -> bool:
        """Whether any of its runs scores no better than the mean training mask."""
        return any(run.weak for run in self.runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Training seeds, each once."""
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    @property
    def test_over_train(self) -> float:
        """Pictures tested over pictures trained on, mean over runs."""
        return fmean(run.test_over_train for run in self.runs)

    def of_seed(self, seed: int) -> Subject:
        """The same network, runs of one seed only."""
        return Subject(self.name, self.arch, tuple(run for run in self.runs if run.seed == seed))

    def in_fold(self, fold: tuple[int, int]) -> Subject:
        """The same network, runs of one fold only."""
        return Subject(self.name, self.arch, tuple(run for run in self.runs if run.fold == fold))

    def seed_means(self, measure: Measure, images: Iterable[str]) -> list[float]:
        """Mean over these pictures of every training seed that has the measure of some of them."""
        by_seed = (self.of_seed(seed).metric(measure) for seed in self.seeds)
        means = [mean_of(map(own.get, images)) for own in by_seed]
        return [mean for mean in means if mean is not None]

    def seed_sd(self, measure: Measure) -> float | None:
        """Deviation over seeds of the mean over pictures."""
        means = self.seed_means(measure, self.by_image)
        return stdev(means) if len(means) > 1 else None


def difference_of(first: float | None, second: float | None) -> float | None:
    """First minus second; None where one is not defined."""
    return None if first is None or second is None else first - second
