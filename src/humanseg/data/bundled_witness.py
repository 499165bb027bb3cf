"""The bundled model as a witness: what it sees in images against what their masks say.

It is asked about a few images; a second or two. Where it cannot run, it says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from humanseg.data.label_sample import SIDE, LabelSample, evenly
from humanseg.images.resize import resize_mask_from_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.system.errors import HumansegError

KNOWN_IOU = 0.5
"""The bundled model knows a set if, for most images, it agrees this well with the mask or with its
inverse."""
MAX_TRIAL, MAX_ASKED = 12, 40
"""It is tried on so many images, then asked about so many."""
SURE = 0.9
"""Probability of a person whom the model sees clearly."""
UNMARKED, UNMARKED_SHARE = 0.02, 0.2
"""Share of the image, and of all that is clearly a person, that a mask leaves out."""
FIRST_LOOK, MAX_LOOKS, NEAR = 8, 24, 3
"""Images asked about at first, and where one of them has unmarked people; pixels of the small grid
that are still near a mask."""


def ask_bundled_model(sample: LabelSample, trial: Sequence[int], asked: Sequence[int]) -> list[int]:
    """Positions of masks, of those asked, that the bundled model says are inverted.

    None where it knows no such images as those of the trial. Takes a few seconds at most.
    """
    try:
        segmenter = Segmenter(backend="onnxruntime")
        right, inverse = _agreements(segmenter, sample, trial[:MAX_TRIAL])
        if not len(right) or float(np.median(np.maximum(right, inverse))) < KNOWN_IOU:
            return []
        chosen = list(asked)[:MAX_ASKED]
        right, inverse = _agreements(segmenter, sample, chosen)
    except HumansegError:
        return []  # no witness is no finding
    inverted = (inverse > KNOWN_IOU) & (inverse > right)
    return [position for position, which in zip(chosen, inverted, strict=True) if which]


def unmarked_people(sample: LabelSample) -> tuple[list[int], list[int]]:
    """Ask where there are people of whom a mask knows nothing.

    Returns:
        Positions of the images asked about, and of those in which there are.
    """
    order = evenly(len(sample), MAX_LOOKS)
    first = order[:: max(1, len(order) // FIRST_LOOK)]
    try:
        segmenter = Segmenter(backend="onnxruntime")
        seen = [position for position in first if _unmarked(segmenter, sample, position)]
        if not seen:
            return first, []
        rest = [position for position in order if position not in first]
        seen += [position for position in rest if _unmarked(segmenter, sample, position)]
    except HumansegError:
        return [], []  # no witness is no finding
    return order, sorted(seen)


def _unmarked(segmenter: Segmenter, sample: LabelSample, position: int) -> bool:
    grid = segmenter.predict(sample.read(position)).grid
    sure = resize_mask_from_probability(grid, (SIDE, SIDE), SURE)
    near = ndimage.maximum_filter(sample.masks[position], 2 * NEAR + 1)
    outside = np.count_nonzero(sure & ~near)
    return outside > max(UNMARKED * sure.size, UNMARKED_SHARE * np.count_nonzero(sure))


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
