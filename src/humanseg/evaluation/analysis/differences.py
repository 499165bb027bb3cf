"""What may be said of networks two by two: their scores, and what they mark where nobody is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.evaluation.analysis.measures import COMPARED, MARKED_SHARE, bootstrap_of
from humanseg.evaluation.analysis.subjects import Subject, difference_of
from humanseg.evaluation.statistics import Trainings, compare_pair, finish_pairs
from humanseg.evaluation.statistics.paired import SIGNIFICANCE, with_doubts
from humanseg.evaluation.statistics.significance import corrected_t, holm, welch_t, wilcoxon
from humanseg.results import Doubt, FalseAlarms, ImageScore, Interval, PairAnalysis
from humanseg.results.scores import mean_of

FEWEST_IMAGES = 30
"""On fewer images without a person no difference is called clear."""
SMALLEST_MARKED = 0.05
"""Smallest difference of the shares of marked images that is called clear: five in a hundred."""
SMALLEST_AREA = 0.01
"""Smallest difference of the shares of marked pixels that is called clear: one in a hundred."""

_Alarm = Callable[[ImageScore], float]
_ALARMS: tuple[tuple[_Alarm, float], ...] = (
    (lambda score: float((score.false_alarm or 0.0) > MARKED_SHARE), SMALLEST_MARKED),
    (lambda score: score.false_alarm or 0.0, SMALLEST_AREA),
)
"""Whether an image is marked and how much of it, with the smallest difference that is clear."""


def analyse_pairs(
    subjects: Sequence[Subject], groups: Mapping[str, str]
) -> tuple[PairAnalysis, ...]:
    """Every pair of networks by every compared metric, where an image has a score from both.

    A pair is doubted where its networks may not be compared at all: those that were not tested on
    the same images, or not on the same folds, for which they did not train on the same images
    either; and of one that is no better than the mean training mask nothing is said.
    """
    pairs = [
        pair
        for metric in COMPARED
        for first, second in combinations(subjects, 2)
        if (pair := _pair(first, second, metric, groups)) is not None
    ]
    by_name = {subject.name: subject for subject in subjects}
    qualified = []
    for pair in finish_pairs(pairs):
        first, second = by_name[pair.first], by_name[pair.second]
        more: list[Doubt] = ["folds"] if _folds(first) != _folds(second) else []
        more += ["pictures"] if first.by_image.keys() != second.by_image.keys() else []
        more += ["weak"] if first.weak or second.weak else []
        qualified.append(with_doubts(pair, *more) if more else pair)
    return tuple(qualified)


def _folds(subject: Subject) -> dict[tuple[int, int], frozenset[str]]:
    """Images of every test fold."""
    return {
        run.fold: frozenset(score.id for score in run.scores) for run in subject.runs if run.fold[1]
    }


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
    same = _folds(first) == _folds(second)
    by_fold = _fold_differences(first, second, metric) if same else []
    deviations = [subject.seed_sd(metric) for subject in (first, second)]
    trainings = Trainings(
        fold_differences=by_fold,
        test_share_over_train=fmean(run.test_over_train for run in first.runs) if by_fold else None,
        by_seed=_by_seed(first, second, metric, names) if same else None,
        seed_sd=max((value for value in deviations if value is not None), default=None),
    )
    bootstrap = bootstrap_of(names, groups)
    return compare_pair(first.name, second.name, metric, differences, bootstrap, trainings)


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
        means.append(
            mean_of(
                difference_of(value, theirs[name]) for name, value in ours.items() if name in theirs
            )
        )
    return [mean for mean in means if mean is not None]


def compare_false_alarms(
    subjects: Sequence[Subject], groups: Mapping[str, str]
) -> tuple[FalseAlarms, ...]:
    """Every pair of networks on the images without a person that both were tested on.

    A difference is clear by the rule for scores: over images and over trainings alike, corrected
    for all pairs and both measures. One training of each shows nothing clear.
    """
    pairs = [
        (first, second, names)
        for first, second in combinations(subjects, 2)
        if (names := [name for name in first.person_free if name in second.person_free])
    ]
    tested = [
        (_by_image(first, second, names, alarm), _alarm_p(first, second, names, alarm))
        for first, second, names in pairs
        for alarm, _ in _ALARMS
    ]
    corrected = iter(holm([p for _, p in tested]))
    by_image = iter(differences for differences, _ in tested)
    found = []
    for first, second, names in pairs:
        bootstrap, measured = bootstrap_of(names, groups), []
        for _, smallest in _ALARMS:
            difference, p = bootstrap.mean(next(by_image)), next(corrected)
            assert difference is not None  # every name has both
            surely = p is not None and p < SIGNIFICANCE and len(names) >= FEWEST_IMAGES
            measured.append((difference, surely and _is_clear(difference, smallest)))
        (marked, marked_clear), (area, area_clear) = measured
        found.append(
            FalseAlarms(
                first=first.name,
                second=second.name,
                images=len(names),
                marked=marked,
                area=area,
                clear=marked_clear or area_clear,
                marked_clear=marked_clear,
                area_clear=area_clear,
            )
        )
    return tuple(found)


def _by_image(first: Subject, second: Subject, names: Sequence[str], alarm: _Alarm) -> list[float]:
    """Difference of every image, each network averaged over its runs."""
    ours, theirs = (
        [fmean(map(alarm, subject.person_free[name])) for name in names]
        for subject in (first, second)
    )
    return [a - b for a, b in zip(ours, theirs, strict=True)]


def _alarm_p(first: Subject, second: Subject, names: Sequence[str], alarm: _Alarm) -> float | None:
    """The larger p of the test over images and the one over trainings; None without either."""
    over_images, _ = wilcoxon(_by_image(first, second, names, alarm))
    folds = _folds(first)
    if folds != _folds(second):
        return None
    if folds:
        by_fold = []
        for fold in folds:
            ours, theirs = first.in_fold(fold), second.in_fold(fold)
            if own := [name for name in names if name in ours.person_free]:
                by_fold.append(fmean(_by_image(ours, theirs, own, alarm)))
        share = fmean(run.test_over_train for run in first.runs)
        over_trainings = corrected_t(by_fold, share)
    else:
        ours_by_seed, theirs_by_seed = (
            _alarms_by_seed(each, names, alarm) for each in (first, second)
        )
        over_trainings = welch_t(ours_by_seed, theirs_by_seed)
    if over_images is None or over_trainings is None:
        return None
    return max(over_images, over_trainings.p)


def _alarms_by_seed(subject: Subject, names: Sequence[str], alarm: _Alarm) -> list[float]:
    """Mean over images of every training seed that saw some of them."""
    seen = (subject.of_seed(seed).person_free for seed in subject.seeds)
    return [
        fmean(fmean(map(alarm, own[name])) for name in names if name in own)
        for own in seen
        if not own.keys().isdisjoint(names)
    ]


def _is_clear(difference: Interval, smallest: float) -> bool:
    low, high = difference.low, difference.high
    if low is None or high is None or low <= 0 <= high:
        return False
    return abs(difference.estimate) >= smallest
