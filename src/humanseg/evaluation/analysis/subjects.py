"""Runs of one network, and their scores picture by picture."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from statistics import stdev

from humanseg.results import Calibration, Evaluation, ImageScore, RunResult
from humanseg.results.scores import mean_of


@dataclass(frozen=True)
class RunScores:
    """One network of one training, with the pictures that it was tested on."""

    name: str
    seed: int
    fold: tuple[int, int]
    """Seed of the split and number of the fold; the same for runs with the same test pictures."""
    test_over_train: float
    scores: tuple[ImageScore, ...]
    calibration: Calibration | None
    band_calibration: Calibration | None
    iou: float | None
    train_iou: float | None
    weak: bool = False
    """Whether it scores no better than the mean training mask."""


def of_run(result: RunResult) -> RunScores:
    """What the analysis needs of a run."""
    config, split = result.config, result.split
    train = result.train_summary
    return RunScores(
        name=result.name,
        seed=config.training.seed,
        fold=(config.split.seed, config.split.fold if config.split.protocol == "folds" else 0),
        test_over_train=len(split.test) / max(1, len(split.train)),
        scores=result.scores,
        calibration=result.calibration,
        band_calibration=result.band_calibration,
        iou=result.summary.iou_mean,
        train_iou=train.iou_mean if train is not None else None,
        weak=result.weak,
    )


def of_evaluation(result: Evaluation) -> RunScores:
    """The same of a model that was scored on a data set."""
    return RunScores(
        name=result.model,
        seed=0,
        fold=(0, 0),
        test_over_train=0.0,
        scores=result.scores,
        calibration=result.calibration,
        band_calibration=result.band_calibration,
        iou=result.summary.iou_mean,
        train_iou=None,
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
    def person_free(self) -> dict[str, list[ImageScore]]:
        """Those of `by_image` whose truth has no person."""
        return {name: scores for name, scores in self.by_image.items() if scores[0].person_free}

    def metric(self, name: str) -> dict[str, float | None]:
        """Mean over runs of a score of `ImageScore`, of every picture; None where no run has it."""
        return {
            image: mean_of(getattr(score, name) for score in scores)
            for image, scores in self.by_image.items()
        }

    def sums(self, name: str) -> list[float]:
        """Sum over runs of a count of `ImageScore`, of every picture."""
        return [
            float(sum(getattr(score, name) for score in scores))
            for scores in self.by_image.values()
        ]

    @property
    def weak(self) -> bool:
        """Whether any of its runs scores no better than the mean training mask."""
        return any(run.weak for run in self.runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Training seeds, each once."""
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    def of_seed(self, seed: int) -> Subject:
        """The same network, runs of one seed only."""
        return Subject(self.name, self.arch, tuple(run for run in self.runs if run.seed == seed))

    def in_fold(self, fold: tuple[int, int]) -> Subject:
        """The same network, runs of one fold only."""
        return Subject(self.name, self.arch, tuple(run for run in self.runs if run.fold == fold))

    def seed_sd(self, metric: str) -> float | None:
        """Deviation over seeds of the mean over pictures."""
        if len(self.seeds) < 2:
            return None
        means = [mean_of(self.of_seed(seed).metric(metric).values()) for seed in self.seeds]
        defined = [value for value in means if value is not None]
        return stdev(defined) if len(defined) > 1 else None


def difference_of(first: float | None, second: float | None) -> float | None:
    """First minus second; None where one is not defined."""
    return None if first is None or second is None else first - second
