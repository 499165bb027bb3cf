"""What networks mark where nobody is, two by two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

from humanseg.evaluation.analysis.measures import MARKED_SHARE, bootstrap_of
from humanseg.evaluation.analysis.subjects import Subject
from humanseg.results import FalseAlarms, ImageScore, Interval

FEWEST_IMAGES = 10
"""On fewer images without a person no difference is called clear."""
SMALLEST_MARKED = 0.05
"""Smallest difference of the shares of marked images that is called clear: five in a hundred."""
SMALLEST_AREA = 0.01
"""Smallest difference of the shares of marked pixels that is called clear: one in a hundred."""


def compare_false_alarms(
    subjects: Sequence[Subject], groups: Mapping[str, str]
) -> tuple[FalseAlarms, ...]:
    """Every pair of networks on the images without a person that both were tested on."""
    pairs = []
    for first, second in combinations(subjects, 2):
        ours, theirs = first.person_free, second.person_free
        names = [name for name in ours if name in theirs]
        if not names:
            continue
        bootstrap = bootstrap_of(names, groups)
        marked = bootstrap.mean([_marked(ours[name]) - _marked(theirs[name]) for name in names])
        area = bootstrap.mean([_area(ours[name]) - _area(theirs[name]) for name in names])
        if marked is None or area is None:
            continue
        clear = len(names) >= FEWEST_IMAGES and (
            _is_clear(marked, SMALLEST_MARKED) or _is_clear(area, SMALLEST_AREA)
        )
        pairs.append(
            FalseAlarms(
                first=first.name,
                second=second.name,
                images=len(names),
                marked=marked,
                area=area,
                clear=clear,
            )
        )
    return tuple(pairs)


def _area(scores: Sequence[ImageScore]) -> float:
    """Share of the image that is marked, mean over runs."""
    return fmean(score.false_alarm for score in scores)


def _marked(scores: Sequence[ImageScore]) -> float:
    """Share of the runs that mark the image."""
    return fmean(score.false_alarm > MARKED_SHARE for score in scores)


def _is_clear(difference: Interval, smallest: float) -> bool:
    low, high = difference.low, difference.high
    if low is None or high is None or low <= 0 <= high:
        return False
    return abs(difference.estimate) >= smallest
