"""The bundled model as a witness: what it sees in images against what their masks say.

It is asked about a few images; a second or two. Where it cannot run, it says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from humanseg.data.label_sample import SIDE, LabelSample, evenly
from humanseg.images.resize import resize_mask_from_probability, resize_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.system.errors import HumansegError

KNOWN_IOU = 0.5
"""The bundled model knows a set if, for most images, it agrees this well with the mask or with its
inverse."""
MAX_TRIAL, MAX_ASKED = 12, 40
"""It is tried on so many images, then asked about so many."""
SURE, UNSURE, CLEAR_SHARE = 0.9, 0.1, 0.42
"""Probability of a person whom the model sees clearly, and of one that there may be; of all such
pixels, so many are clear in photographs (0.6 to 0.9), and not in drawings (0.2)."""
UNMARKED, UNMARKED_SHARE = 0.02, 0.2
"""Share of the image, and of all that is clearly a person, that a mask leaves out."""
FIRST_LOOK, MAX_LOOKS, NEAR = 8, 24, 3
"""Images asked about at first, and where one of them has unmarked people; pixels of the small grid
that are still near a mask."""


def ask_bundled_model(sample: LabelSample, asked: Sequence[int]) -> list[int]:
    """Positions of masks, of those asked, that the bundled model says are inverted.

    None where it knows no such images. Takes a few seconds at most.
    """
    try:
        segmenter = Segmenter(backend="onnxruntime", sure_share=0.0)
        right, inverse = _agreements(segmenter, sample, evenly(len(sample), MAX_TRIAL))
        if float(np.median(np.maximum(right, inverse))) < KNOWN_IOU:
            return []
        chosen = list(asked)[:MAX_ASKED]
        right, inverse = _agreements(segmenter, sample, chosen)
    except HumansegError:
        return []  # no witness is no finding
    inverted = (inverse > KNOWN_IOU) & (inverse > right)
    return [position for position, which in zip(chosen, inverted, strict=True) if which]


def unmarked_people(sample: LabelSample) -> tuple[list[int], list[int]]:
    """Positions of images asked about, and of those in which a mask knows nothing of some people.

    None of these where the model is unsure of most that it sees, as it is of drawings.
    """
    order = evenly(len(sample), MAX_LOOKS)
    first = order[:: max(1, len(order) // FIRST_LOOK)]
    try:
        segmenter = Segmenter(backend="onnxruntime", sure_share=0.0)
        looks = {position: _look(segmenter, sample, position) for position in first}
        if any(unmarked for unmarked, _, _ in looks.values()):
            rest = [position for position in order if position not in looks]
            looks |= {position: _look(segmenter, sample, position) for position in rest}
    except HumansegError:
        return [], []  # no witness is no finding
    sure, seen = (sum(look[index] for look in looks.values()) for index in (1, 2))
    seen_clearly = sure >= CLEAR_SHARE * seen
    return sorted(looks), [each for each in sorted(looks) if looks[each][0] and seen_clearly]


def _look(segmenter: Segmenter, sample: LabelSample, position: int) -> tuple[bool, int, int]:
    """Whether a mask leaves out people; pixels that are clearly one, and that may be one."""
    grid = resize_probability(segmenter.predict(sample.read(position)).grid, (SIDE, SIDE))
    sure, near = grid >= SURE, ndimage.maximum_filter(sample.masks[position], 2 * NEAR + 1)
    clear, outside = np.count_nonzero(sure), np.count_nonzero(sure & ~near)
    unmarked = outside > max(UNMARKED * sure.size, UNMARKED_SHARE * clear)
    return bool(unmarked), int(clear), int(np.count_nonzero(grid >= UNSURE))


def _agreements(
    segmenter: Segmenter, sample: LabelSample, positions: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU of the model's masks with the given ones, and with their inverses."""
    scores = []
    for position in positions:
        grid = segmenter.predict(sample.read(position)).grid
        mask = resize_mask_from_probability(grid, (SIDE, SIDE), segmenter.threshold)
        truth = sample.masks[position]
        scores.append((iou(mask, truth), iou(mask, ~truth)))
    right, inverse = np.array(scores).T
    return right, inverse


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union, 1 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0
