"""What a trained network says about the very masks that it was trained on.

A network learns what most masks say. Where its own masks fit the training masks better once these
are mirrored, turned over, inverted, shifted, or exchanged for those of other images, the masks are
wrong, however high its score is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from humanseg.config.finding_codes import Code
from humanseg.data.edge_agreement import ALTERATIONS, shift
from humanseg.data.inspection import Finding, Severity
from humanseg.data.label_guards import Judge, Which
from humanseg.evaluation.metrics import Mask
from humanseg.evaluation.metrics.overlap import pairwise_ious

MIN_IMAGES = 16
"""Fewer training images with people are not judged."""
CLOSE = 0.05
"""Mean IoU by which altered masks may come near the masks as they are, before that is a warning."""
CLEAR_IOU = 0.5
"""A mask is doubted for another only where that fits at least so well ..."""
CLEAR_GAIN = 0.1
"""... and so much better."""
OTHER_IOU, STRANGE_IOU = 0.7, 0.4
"""What the network sees is of another image where it fits its mask so well, and its own less."""
SOME, SOME_IMAGES = 0.05, 3
"""From this share of the images, and so many, on it is worth saying."""
BASELINE_SHARE = 0.4
"""Share of images on which the mean mask does better than the network, from which on it is said."""
SHIFTS = (0.05, 0.1, 0.2)
"""Of the side, in eight directions. Smaller shifts are seen by edges."""
GAIN = 0.02
"""Mean IoU that altered masks must gain: a network is off by a part of its coarsest stride. They
must also be fitted better than their own mean mask fits them: a network that has learned little
fits its masks and altered ones about as well."""
SEEN_SHARE = 0.25
"""A network that marks less of the images than this share of what their masks, or their inverses,
do has not learned them and says nothing of them."""

_ALTERED: dict[str, Code] = {
    "mirrored": "mirrored-masks",
    "upside-down": "upside-down-masks",
    "turned by 180": "turned-masks",
}


def learned_findings(
    ids: Sequence[str], predicted: NDArray[np.bool_], truths: NDArray[np.bool_], where: str
) -> list[Finding]:
    """Doubts about training masks.

    `predicted` is what the trained network finds in the training images, `truths` are their masks,
    both bool (N, S, S); findings name `where`, the data set's folder or file. They are errors where
    altered masks fit better than the masks as they are, and warnings where they come close or some
    images are concerned.
    """
    usable = np.asarray(truths.any(axis=(1, 2)) & ~truths.all(axis=(1, 2)))
    if np.count_nonzero(usable) < MIN_IMAGES:
        return []
    marked = truths[usable].mean()
    if predicted[usable].mean() < SEEN_SHARE * min(marked, 1 - marked):
        return []
    names = [ids[index] for index in np.flatnonzero(usable).tolist()]
    doubt = _Doubt(names, predicted[usable], truths[usable], where)
    findings = [
        *(
            doubt.altered(ALTERATIONS[how](doubt.truths), how, code)
            for how, code in _ALTERED.items()
        ),
        doubt.altered(~doubt.truths, "inverted", "inverted-masks"),
        doubt.shifted(),
        doubt.of_others(),
        doubt.below_mean_mask(),
    ]
    return [finding for finding in findings if finding is not None]


class _Doubt(Judge):
    """One network's masks of its training images against theirs."""

    def __init__(self, ids: Sequence[str], predicted: Mask, truths: Mask, where: str) -> None:
        super().__init__(ids, where)
        self.truths, self._predicted = truths, predicted
        self._own = ious(predicted, truths)

    def altered(self, masks: Mask, how: str, code: Code) -> Finding | None:
        """Masks that fit better mirrored, turned or inverted."""
        other = ious(self._predicted, masks)
        learned = other.mean() > _constant_iou(masks).mean()
        better = (other > self._own + CLEAR_GAIN) & (other >= CLEAR_IOU)
        text = f"the network trained on them fits {{}} better {how} ({{}} against {{}} IoU)"
        if learned and other.mean() > self._own.mean() + GAIN:
            return self._doubted(
                code, text.format("the masks", *_pair(other, self._own)), better, error=True
            )
        if self._counts(better):
            fitted = text.format(self.count(better), *_pair(other[better], self._own[better]))
            return self._doubted(code, fitted, better)
        if learned and other.mean() > self._own.mean() - CLOSE:
            close = f"the network trained on them fits the masks almost as well {how}"
            return self._doubted(code, close, better)
        return None

    def shifted(self) -> Finding | None:
        """Masks that fit better somewhere else."""
        side = self.truths.shape[1]
        steps = [max(1, round(share * side)) for share in SHIFTS]
        moves = [
            move for step in steps for move in product((-step, 0, step), repeat=2) if any(move)
        ]
        scores = {move: ious(self._predicted, shift(self.truths, *move)).mean() for move in moves}
        (down, right), best = max(scores.items(), key=lambda item: item[1])
        constant = _constant_iou(shift(self.truths, down, right)).mean()
        if best <= max(self._own.mean() + GAIN, constant):
            return None
        text = (
            f"the network trained on them fits the masks better shifted by {100 * right / side:.0f}"
            f" % of the width and {100 * down / side:.0f} % of the height"
        )
        return self._doubted("shifted-masks", text, np.ones(len(self._ids), bool), error=True)

    def of_others(self) -> Finding | None:
        """Masks that fit no better than those of other images."""
        table = pairwise_ious(self.truths, self._predicted)  # rows: predictions
        others = (table.sum(axis=1) - np.diag(table)) / (len(table) - 1)
        np.fill_diagonal(table, 0.0)
        strange = (self._own < STRANGE_IOU) & (table.max(axis=1) >= OTHER_IOU)
        if others.mean() >= self._own.mean():
            text = "the network trained on them fits the masks of other images as well"
            return self._doubted("shuffled-masks", text, strange)
        if self._counts(strange):
            text = (
                f"{self.count(strange)} fit what the network sees there far worse than the mask of "
                "another image does"
            )
            return self._doubted("shuffled-masks", text, strange)
        return None

    def below_mean_mask(self) -> Finding | None:
        """Images on which even the mean of all masks does better than the network."""
        below = self._own < _constant_iou(self.truths)
        if below.mean() < BASELINE_SHARE:
            return None
        text = (
            f"on {self.count(below)} the mean of all masks, which looks at no image, does better "
            "than the network"
        )
        return self._doubted("doubtful-masks", text, below)

    def _counts(self, which: Which) -> bool:
        return bool(which.sum() >= max(SOME_IMAGES, SOME * len(which)))

    def _doubted(self, code: Code, text: str, which: Which, *, error: bool = False) -> Finding:
        severity: Severity = "error" if error else "warning"
        return self.finding(code, severity, f"{text}; look at these masks.", which)


def ious(first: Mask, second: Mask) -> NDArray[np.float64]:
    """IoU of each mask (N, S, S) with the other of its place; two empty ones give 0."""
    union = (first | second).sum(axis=(1, 2))
    return np.asarray((first & second).sum(axis=(1, 2)) / np.maximum(union, 1))


def _constant_iou(masks: Mask) -> NDArray[np.float64]:
    """IoU of each mask (N, S, S) with the mean of all, cut where that fits best."""
    mean = masks.mean(axis=0)
    cuts = np.stack([mean >= cut for cut in np.arange(0.1, 1.0, 0.1)])
    table = pairwise_ious(cuts, masks)
    return np.asarray(table[:, int(table.mean(axis=0).argmax())])


def _pair(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[str, str]:
    return f"{first.mean():.2f}", f"{second.mean():.2f}"
