"""What may be said of networks two by two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.evaluation.analysis.measures import bootstrap_of
from humanseg.evaluation.analysis.network_scores import COMPARED
from humanseg.evaluation.analysis.subjects import Subject, difference_of
from humanseg.evaluation.statistics import Trainings, compare_pair, finish_pairs
from humanseg.evaluation.statistics.paired import with_doubts
from humanseg.results import Doubt, PairAnalysis
from humanseg.results.scores import mean_of


def analyse_pairs(
    subjects: Sequence[Subject], groups: Mapping[str, str]
) -> tuple[PairAnalysis, ...]:
    """Every pair of networks by every compared metric, where an image has a score from both."""
    pairs = [
        pair
        for metric in COMPARED
        for first, second in combinations(subjects, 2)
        if (pair := _pair(first, second, metric, groups)) is not None
    ]
    by_name = {subject.name: subject for subject in subjects}
    return tuple(
        _qualified(pair, by_name[pair.first], by_name[pair.second]) for pair in finish_pairs(pairs)
    )


def _folds(subject: Subject) -> dict[tuple[int, int], frozenset[str]]:
    """Images of every test fold."""
    return {
        run.fold: frozenset(score.id for score in run.scores) for run in subject.runs if run.fold[1]
    }


def _qualified(pair: PairAnalysis, first: Subject, second: Subject) -> PairAnalysis:
    """The pair, doubted where its networks may not be compared at all.

    Networks that were not tested on the same folds did not train on the same images either, and of
    one that is no better than the mean training mask nothing is said.
    """
    more: list[Doubt] = []
    if _folds(first) != _folds(second):
        more.append("folds")
    if first.weak or second.weak:
        more.append("weak")
    return with_doubts(pair, *more) if more else pair


def _pair(
    first: Subject,
    second: Subject,
    metric: Literal["iou", "boundary_iou"],
    groups: Mapping[str, str],
) -> PairAnalysis | None:
    ours, theirs = first.metric(metric), second.metric(metric)
    names = [name for name in ours if name in theirs]
    differences = [difference_of(ours[name], theirs[name]) for name in names]
    if all(difference is None for difference in differences):
        return None
    return compare_pair(
        first.name,
        second.name,
        metric,
        differences,
        bootstrap_of(names, groups),
        _trainings(first, second, metric, names),
    )


def _trainings(first: Subject, second: Subject, metric: str, names: Sequence[str]) -> Trainings:
    same = _folds(first) == _folds(second)
    by_fold = _fold_differences(first, second, metric) if same else []
    deviations = [
        deviation
        for subject in (first, second)
        if (deviation := subject.seed_sd(metric)) is not None
    ]
    return Trainings(
        fold_differences=by_fold,
        test_share_over_train=fmean(run.test_over_train for run in first.runs) if by_fold else None,
        by_seed=_by_seed(first, second, metric, names) if same else None,
        seed_sd=max(deviations) if deviations else None,
    )


def _by_seed(
    first: Subject, second: Subject, metric: str, names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """(seeds, images) scores of both; None with one seed each, or if a seed left some image out."""
    if max(len(first.seeds), len(second.seeds)) < 2:
        return None
    tables = []
    for subject in (first, second):
        by_seed = [subject.of_seed(seed).metric(metric) for seed in subject.seeds]
        if any(name not in scores for scores in by_seed for name in names):
            return None
        tables.append(np.array([[scores[name] for name in names] for scores in by_seed], float))
    return tables[0], tables[1]


def _fold_differences(first: Subject, second: Subject, metric: str) -> list[float]:
    """Mean difference of every fold of every repeat; seeds are averaged first, picture by picture.

    Seeds on the same folds are no repeats: they share their training pictures.
    """
    means = []
    for fold in dict.fromkeys(run.fold for run in first.runs if run.fold[1]):
        ours, theirs = (subject.in_fold(fold).metric(metric) for subject in (first, second))
        mean = mean_of(
            difference_of(value, theirs[name]) for name, value in ours.items() if name in theirs
        )
        if mean is not None:
            means.append(mean)
    return means
