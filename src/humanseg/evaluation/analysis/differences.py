"""What may be said of networks two by two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Literal

from humanseg.evaluation.analysis.measures import bootstrap_of
from humanseg.evaluation.analysis.network_scores import COMPARED
from humanseg.evaluation.analysis.subjects import RunScores, Subject, mean_of
from humanseg.evaluation.statistics import compare_pair, finish_pairs
from humanseg.results import PairAnalysis


def analyse_pairs(
    subjects: Sequence[Subject], groups: Mapping[str, str]
) -> tuple[PairAnalysis, ...]:
    """Every pair of networks by every compared metric, where a picture has a score from both."""
    pairs = [
        pair
        for metric in COMPARED
        for first, second in combinations(subjects, 2)
        if (pair := _pair(first, second, metric, groups)) is not None
    ]
    folds = {subject.name: _folds(subject) for subject in subjects}
    return tuple(
        pair if folds[pair.first] == folds[pair.second] else _doubted(pair)
        for pair in finish_pairs(pairs)
    )


def _folds(subject: Subject) -> dict[tuple[int, int], frozenset[str]]:
    """Pictures of every test fold."""
    return {
        run.fold: frozenset(score.id for score in run.scores) for run in subject.runs if run.fold[1]
    }


def _doubted(pair: PairAnalysis) -> PairAnalysis:
    """Networks that were not tested on the same folds did not train on the same pictures either."""
    doubts = (*pair.doubts, *(() if "folds" in pair.doubts else ("folds",)))
    return pair.model_copy(update={"doubts": doubts, "evidence": False})


def _pair(
    first: Subject,
    second: Subject,
    metric: Literal["iou", "boundary_iou"],
    groups: Mapping[str, str],
) -> PairAnalysis | None:
    ours, theirs = first.metric(metric), second.metric(metric)
    names = [name for name in ours if name in theirs]
    differences = [_difference(ours[name], theirs[name]) for name in names]
    if all(difference is None for difference in differences):
        return None
    same = _folds(first) == _folds(second)
    by_fold = _fold_differences(first, second, metric) if same else []
    deviations = [one for one in (first.seed_sd(metric), second.seed_sd(metric)) if one is not None]
    return compare_pair(
        first.name,
        second.name,
        metric,
        differences,
        bootstrap_of(names, groups),
        fold_differences=by_fold,
        test_share_over_train=fmean(run.test_over_train for run in first.runs) if by_fold else None,
        seed_sd=max(deviations) if deviations else None,
    )


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second


def _fold_differences(first: Subject, second: Subject, metric: str) -> list[float]:
    """Mean difference of every fold of every repeat; seeds are averaged first, picture by picture.

    Seeds on the same folds are no repeats: they share their training pictures.
    """
    found = []
    for fold in dict.fromkeys(run.fold for run in first.runs if run.fold[1]):
        ours, theirs = (_in_fold(subject, fold, metric) for subject in (first, second))
        mean = mean_of(
            _difference(value, theirs[name]) for name, value in ours.items() if name in theirs
        )
        if mean is not None:
            found.append(mean)
    return found


def _in_fold(subject: Subject, fold: tuple[int, int], metric: str) -> dict[str, float | None]:
    runs: tuple[RunScores, ...] = tuple(run for run in subject.runs if run.fold == fold)
    return Subject(subject.name, subject.arch, runs).metric(metric)
