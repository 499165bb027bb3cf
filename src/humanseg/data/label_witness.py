"""The bundled model as a witness: which way round a mask is, where it knows such images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.data.label_sample import SIDE, LabelSample
from humanseg.images.resize import resize_mask_from_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.system.errors import HumansegError

KNOWN_IOU = 0.5
"""The bundled model knows a set if, for most images, it agrees this well with the mask or with its
inverse."""
MAX_TRIAL, MAX_ASKED = 12, 40
"""It is tried on so many images, then asked about so many."""


@dataclass(frozen=True, slots=True)
class WitnessReport:
    """What the bundled model says."""

    knows: bool
    """False where it agrees with neither masks nor their inverses: its word counts for nothing."""
    inverted: frozenset[int]
    """Positions of masks that it says are inverted."""


def ask_bundled_model(
    sample: LabelSample, trial: Sequence[int], asked: Sequence[int]
) -> WitnessReport:
    """Let the bundled model look at some images; a few seconds at most.

    Those of the trial show whether it knows such images; the masks of those asked may be inverted.
    """
    try:
        segmenter = Segmenter(backend="onnxruntime")
        right, inverse = _agreements(segmenter, sample, trial[:MAX_TRIAL])
        if not len(right) or float(np.median(np.maximum(right, inverse))) < KNOWN_IOU:
            return WitnessReport(False, frozenset())
        chosen = list(asked)[:MAX_ASKED]
        right, inverse = _agreements(segmenter, sample, chosen)
    except HumansegError:
        return WitnessReport(False, frozenset())  # no witness is no finding
    inverted = (inverse > KNOWN_IOU) & (inverse > right)
    return WitnessReport(True, frozenset(np.array(chosen, dtype=int)[inverted].tolist()))


def _agreements(
    segmenter: Segmenter, sample: LabelSample, positions: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU of the model's masks with the given ones, and with their inverses."""
    right, inverse = [], []
    for position in positions:
        grid = segmenter.predict(sample.read(position)).grid
        mask = resize_mask_from_probability(grid, (SIDE, SIDE), segmenter.threshold)
        right.append(iou(mask, sample.masks[position]))
        inverse.append(iou(mask, ~sample.masks[position]))
    return np.array(right), np.array(inverse)


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union, 1 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0
