"""What may be said of networks two by two: their scores, and what they mark where nobody is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.evaluation.analysis.measures import COMPARED, bootstrap_of, marked, marked_area
from humanseg.evaluation.analysis.subjects import Measure, Subject, difference_of
from humanseg.evaluation.statistics import Trainings, compare_pair, finish_pairs
from humanseg.evaluation.statistics.paired import SIGNIFICANCE, with_doubts
from humanseg.evaluation.statistics.significance import corrected_t, holm, welch_t, wilcoxon
from humanseg.results import Doubt, FalseAlarms, PairAnalysis
from humanseg.results.scores import mean_of

FEWEST_IMAGES = 30
"""On fewer images without a person no difference is called clear."""
SMALLEST_MARKED = 0.05
"""Smallest difference of the shares of marked images that is called clear: five in a hundred."""
SMALLEST_AREA = 0.01
"""Smallest difference of the shares of marked pixels that is called clear: one in a hundred."""

_ALARMS: tuple[tuple[Measure, float], ...] = (
    (marked, SMALLEST_MARKED),
    (marked_area, SMALLEST_AREA),
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
        more: list[Doubt] = ["folds"] if first.folds != second.folds else []
        more += ["pictures"] if first.by_image.keys() != second.by_image.keys() else []
        more += ["weak"] if first.weak or second.weak else []
        qualified.append(with_doubts(pair, *more) if more else pair)
    return tuple(qualified)


def _differences(first: Subject, second: Subject, measure: Measure) -> dict[str, float | None]:
    """First minus second by image that both were tested on, each averaged over its runs."""
    ours, theirs = first.metric(measure), second.metric(measure)
    return {
        name: difference_of(value, theirs[name]) for name, value in ours.items() if name in theirs
    }


def _pair(
    first: Subject,
    second: Subject,
    metric: Literal["iou", "boundary_iou"],
    groups: Mapping[str, str],
) -> PairAnalysis | None:
    differences = _differences(first, second, metric)
    if all(difference is None for difference in differences.values()):
        return None
    names = list(differences)
    same = first.folds == second.folds
    by_fold = _fold_differences(first, second, metric) if same else []
    deviations = [subject.seed_sd(metric) for subject in (first, second)]
    trainings = Trainings(
        fold_differences=by_fold,
        test_share_over_train=first.test_over_train if by_fold else None,
        by_seed=_by_seed(first, second, metric, names) if same else None,
        seed_sd=max((value for value in deviations if value is not None), default=None),
    )
    bootstrap = bootstrap_of(names, groups)
    return compare_pair(
        first.name, second.name, metric, list(differences.values()), bootstrap, trainings
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


def _fold_differences(first: Subject, second: Subject, measure: Measure) -> list[float]:
    """Mean difference of every fold of every repeat; seeds are averaged first, picture by picture.

    Seeds on the same folds are no repeats: they share their training pictures.
    """
    means = [
        mean_of(_differences(first.in_fold(fold), second.in_fold(fold), measure).values())
        for fold in first.folds
    ]
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
    corrected = iter(holm([_alarm_p(*pair, alarm) for pair in pairs for alarm, _ in _ALARMS]))
    found = []
    for first, second, names in pairs:
        bootstrap, measured = bootstrap_of(names, groups), []
        for alarm, smallest in _ALARMS:
            differences = _differences(first, second, alarm)
            difference = bootstrap.mean([differences[name] for name in names])
            assert difference is not None  # every name has both
            p = next(corrected)
            surely = p is not None and p < SIGNIFICANCE and len(names) >= FEWEST_IMAGES
            clear = surely and difference.excludes_zero and abs(difference.estimate) >= smallest
            measured.append((difference, clear))
        (share, marked_clear), (area, area_clear) = measured
        found.append(
            FalseAlarms(
                first=first.name,
                second=second.name,
                images=len(names),
                marked=share,
                area=area,
                clear=marked_clear or area_clear,
                marked_clear=marked_clear,
                area_clear=area_clear,
            )
        )
    return tuple(found)


def _alarm_p(first: Subject, second: Subject, names: Sequence[str], alarm: Measure) -> float | None:
    """The larger p of the test over images and the one over trainings; None without either."""
    differences = _differences(first, second, alarm)
    over_images, _ = wilcoxon([value for value in differences.values() if value is not None])
    if first.folds != second.folds:
        return None
    if first.folds:
        by_fold = _fold_differences(first, second, alarm)
        over_trainings = corrected_t(by_fold, first.test_over_train)
    else:
        over_trainings = welch_t(*(each.seed_means(alarm, names) for each in (first, second)))
    if over_images is None or over_trainings is None:
        return None
    return max(over_images, over_trainings.p)
