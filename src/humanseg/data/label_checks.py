"""Truth masks that may be wrong: a list for a person to look through, not a verdict.

A hole can be the gap between arm and hip, a speck can be a hand behind a door, and a picture that
every network fails on can simply be hard. So each is listed only where all networks are sure that
the mask is wrong. Nothing is repaired or left out. Empty and full masks are found by
`humanseg.data.audit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from humanseg.images.resize import resize_probability
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
OUTLIER_DEVIATIONS = 1.0
"""A picture that all networks fail on is so many robust deviations below the median best IoU ..."""
MIN_WRONG = 0.05
"""... and all are sure of the opposite of the mask on more than this share of the person ..."""
NEAR_OUTLINE = 0.02
"""... farther from the mask's outline than this share of the diagonal: outlines are never exact."""
SURE = 0.9
"""Probability of a person, or of background, from which on a network is sure."""
SURE_PART = 0.8
"""A hole or speck is doubted where all networks are sure of the opposite on so much of it."""

_ALL_AROUND = np.ones((3, 3), dtype=np.bool_)  # 8-connected
Reason = Literal["holes", "specks"]
_ORDER = ("holes", "specks", "disagreement")
_DEVIATION_OF_MAD = 1.4826  # makes the median absolute deviation a standard deviation, if normal


Mask = NDArray[np.bool_]
Probabilities = Callable[[str], NDArray[np.float32] | None]
"""By id, what each network says, float32 (networks, h, w) on any grid; None where unknown."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Small parts of a mask."""

    count: int
    share: float
    """Their pixels over the person's; of holes it can exceed 1."""


def holes(mask: Mask, doubted: Mask | None = None) -> Parts:
    """Parts of the background that the person of a mask, bool (height, width), encloses.

    A part is 4-connected, so that a person's outline holds even where it is only corners thick.
    What touches the picture's border is no hole. With `doubted`, only those that lie in it.
    """
    labels, count = ndimage.label(~mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    sizes[np.unique(np.concatenate(edges))] = 0
    return _parts(labels, sizes, mask, doubted)


def specks(mask: Mask, doubted: Mask | None = None) -> Parts:
    """Tiny parts of the person that touch no other part, not even by a corner.

    Tiny is below both `SPECK_OF_PERSON` and `SPECK_OF_IMAGE`: the first alone would call a distant
    second person a speck beside a large one, the second alone all of a distant crowd. With
    `doubted`, only those that lie in it.
    """
    labels, count = ndimage.label(mask, structure=_ALL_AROUND)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    limit = min(SPECK_OF_PERSON * sizes[1:].sum(), SPECK_OF_IMAGE * mask.size)
    return _parts(labels, np.where(sizes < limit, sizes, 0), mask, doubted)


def _parts(
    labels: NDArray[np.int32], sizes: NDArray[np.int64], mask: Mask, doubted: Mask | None
) -> Parts:
    """Count the labels, except the first, whose sizes are not zero."""
    sizes[0] = 0
    if doubted is not None:
        inside = np.bincount(labels[doubted], minlength=len(sizes))
        sizes = np.where(inside >= SURE_PART * sizes, sizes, 0)
    person = int(np.count_nonzero(mask))
    return Parts(int(np.count_nonzero(sizes)), int(sizes.sum()) / person if person else 0.0)


def suspects(
    masks: Iterable[tuple[str, Mask]], best_iou: Mapping[str, float], said: Probabilities
) -> list[SuspectLabel]:
    """List the truth masks that may be wrong, by reason, and within it the largest value first.

    `holes`: at least `MIN_PARTS` holes that all networks fill, or more than `MAX_HOLE_SHARE`;
    `specks` alike; `disagreement`: see `failures`, where all networks are sure of something else
    than the mask. A picture can be listed for several reasons. Masks are read one at a time;
    `best_iou` has, by id, the highest of all networks' IoUs.
    """
    failed = failures(best_iou)
    suspected: list[SuspectLabel] = []
    for name, mask in masks:
        probabilities = said(name) if name in failed or _odd_parts(name, mask) else None
        if probabilities is None:
            continue
        size = (mask.shape[0], mask.shape[1])
        resized = [resize_probability(each, size) for each in probabilities]
        person, background = np.min(resized, axis=0) >= SURE, np.max(resized, axis=0) <= 1 - SURE
        suspected += _odd_parts(name, mask, person, background)
        if name in failed and _contradicted(mask, person, background):
            value = 1.0 - best_iou[name]
            suspected.append(SuspectLabel(id=name, reason="disagreement", value=value))
    return sorted(
        suspected, key=lambda each: (_ORDER.index(each.reason), -each.value, -each.count, each.id)
    )


def _contradicted(mask: Mask, person: Mask, background: Mask) -> bool:
    """Whether the mask is the opposite of much of a person that is sure, off its outline."""
    side = 1 + 2 * max(1, round(NEAR_OUTLINE * float(np.hypot(*mask.shape))))
    inner = ndimage.minimum_filter(mask, side), ndimage.minimum_filter(~mask, side)
    wrong = (inner[0] & background) | (inner[1] & person)
    return bool(wrong.sum() > MIN_WRONG * np.count_nonzero(mask | person))


def _odd_parts(
    name: str, mask: Mask, person: Mask | None = None, background: Mask | None = None
) -> list[SuspectLabel]:
    """Many or large holes or specks; of those that are a person, or background, if that is sure."""
    checks: tuple[tuple[Reason, Parts, float], ...] = (
        ("holes", holes(mask, person), MAX_HOLE_SHARE),
        ("specks", specks(mask, background), MAX_SPECK_SHARE),
    )
    return [
        SuspectLabel(id=name, reason=reason, value=parts.share, count=parts.count)
        for reason, parts, most in checks
        if parts.count >= MIN_PARTS or parts.share > most
    ]


def failures(best_iou: Mapping[str, float]) -> set[str]:
    """Pictures that even the best network fails on, against what it does on the others.

    Their IoU is more than a robust deviation (1.4826 median absolute deviations) below the median,
    however many they are: a fifth of all masks can be wrong, and networks that learned from such
    are unsure everywhere.
    """
    if not best_iou:
        return set()
    values = np.array(list(best_iou.values()), dtype=np.float64)
    median = float(np.median(values))
    deviation = _DEVIATION_OF_MAD * float(np.median(np.abs(values - median)))
    bound = median - OUTLIER_DEVIATIONS * deviation
    return {name for name, iou in best_iou.items() if iou < bound}
