"""Truth masks that may be wrong: a list for a person to look through, not a verdict.

A hole can be the gap between arm and hip, a speck can be a hand behind a door, and a picture that
every network fails on can simply be hard. Nothing is repaired or left out. Empty and full masks are
found by `humanseg.data.audit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from humanseg.results import SuspectLabel

MIN_PARTS = 10
"""So many holes or specks make a mask suspect ..."""
MAX_HOLE_SHARE = 0.01
"""... or holes of more than this share of the person's pixels, however few,"""
MAX_SPECK_SHARE = 0.005
"""... or specks of more than this share."""
SPECK_OF_PERSON = 0.001
"""A speck is smaller than this share of the person's pixels ..."""
SPECK_OF_IMAGE = 0.0005
"""... and than this share of the picture."""
OUTLIER_DEVIATIONS = 3.0
"""A picture that all networks fail on is so many robust deviations below the median best IoU."""

_ALL_AROUND = np.ones((3, 3), dtype=np.bool_)  # 8-connected
Reason = Literal["holes", "specks"]
_DEVIATION_OF_MAD = 1.4826  # makes the median absolute deviation a standard deviation, if normal


@dataclass(frozen=True, slots=True)
class Parts:
    """Small parts of a mask."""

    count: int
    share: float
    """Their pixels over the person's; of holes it can exceed 1."""


def holes(mask: NDArray[np.bool_]) -> Parts:
    """Parts of the background that the person of a mask, bool (height, width), encloses.

    A part is 4-connected, so that a person's outline holds even where it is only corners thick.
    What touches the picture's border is no hole.
    """
    labels, count = ndimage.label(~mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    sizes[np.unique(np.concatenate(edges))] = 0
    return _parts(sizes[1:], mask)


def specks(mask: NDArray[np.bool_]) -> Parts:
    """Tiny parts of the person that touch no other part, not even by a corner.

    Tiny is below both `SPECK_OF_PERSON` and `SPECK_OF_IMAGE`: the first alone would call a distant
    second person a speck beside a large one, the second alone all of a distant crowd.
    """
    labels, count = ndimage.label(mask, structure=_ALL_AROUND)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    limit = min(SPECK_OF_PERSON * sizes.sum(), SPECK_OF_IMAGE * mask.size)
    return _parts(np.where(sizes < limit, sizes, 0), mask)


def _parts(sizes: NDArray[np.int64], mask: NDArray[np.bool_]) -> Parts:
    """Count the sizes that are not zero."""
    person = int(np.count_nonzero(mask))
    return Parts(int(np.count_nonzero(sizes)), int(sizes.sum()) / person if person else 0.0)


def suspects(
    masks: Iterable[tuple[str, NDArray[np.bool_]]], best_iou: Mapping[str, float]
) -> list[SuspectLabel]:
    """List the truth masks that may be wrong, by reason, and within it the largest value first.

    `holes`: at least `MIN_PARTS` holes, or more than `MAX_HOLE_SHARE`; `specks` alike;
    `disagreement`: see `disagreements`. A picture can be listed for several reasons. Masks are read
    one at a time; `best_iou` has, by id, the highest of all networks' IoUs.
    """
    suspected: list[SuspectLabel] = []
    for name, mask in masks:
        checks: tuple[tuple[Reason, Parts, float], ...] = (
            ("holes", holes(mask), MAX_HOLE_SHARE),
            ("specks", specks(mask), MAX_SPECK_SHARE),
        )
        suspected += [
            SuspectLabel(id=name, reason=reason, value=parts.share, count=parts.count)
            for reason, parts, most in checks
            if parts.count >= MIN_PARTS or parts.share > most
        ]
    shapes = sorted(suspected, key=lambda suspect: (suspect.reason, *_rank(suspect)))
    return [*shapes, *disagreements(best_iou)]


def disagreements(best_iou: Mapping[str, float]) -> list[SuspectLabel]:
    """Pictures that even the best network fails on, against what it does on the others.

    A picture is listed where its IoU is more than three robust deviations (1.4826 median absolute
    deviations) below the median, however many they are: a fifth of all masks can be wrong.
    """
    if not best_iou:
        return []
    values = np.array(list(best_iou.values()), dtype=np.float64)
    median = float(np.median(values))
    deviation = _DEVIATION_OF_MAD * float(np.median(np.abs(values - median)))
    bound = median - OUTLIER_DEVIATIONS * deviation
    suspected = [
        SuspectLabel(id=name, reason="disagreement", value=1.0 - iou)
        for name, iou in best_iou.items()
        if iou < bound
    ]
    return sorted(suspected, key=_rank)


def _rank(suspect: SuspectLabel) -> tuple[float, int, str]:
    return (-suspect.value, -suspect.count, suspect.id)
