"""Whether a probability of 0.7 is a person seven times in ten."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from humanseg.evaluation.metrics.surface import Mask, near_contour
from humanseg.results import Calibration

BINS = 15
"""Bins of equal width, as Guo et al., "On calibration of modern neural networks", ICML 2017."""

BAND_PARTS = 50
"""The band reaches over the diagonal by this: 2 %, as in Boundary IoU."""


def calibrate(
    probability: NDArray[np.float32], truth: Mask, ignored: Mask | None = None
) -> tuple[Calibration, Calibration]:
    """Count the pixels of one picture by their probability, float32 (height, width), 0 to 1.

    Over all pixels, and, since easy background rules whole pictures, over those within 2 % of the
    diagonal of the truth's contour; none where the truth has no contour. Pixels that are `ignored`,
    bool (height, width), are in neither. A bin holds its lower end and not its upper; 1 is in the
    last bin.
    """
    bins = np.minimum((probability * BINS).astype(np.intp), BINS - 1) + BINS * truth
    whole: Mask | slice = slice(None)
    band = near_contour(truth, BAND_PARTS)
    if ignored is not None:
        whole, band = ~ignored, band & ~ignored
    return (
        _count(bins[whole].ravel(), probability[whole].ravel()),
        _count(bins[band], probability[band]),
    )


def _count(bins: NDArray[np.intp], probability: NDArray[np.float32]) -> Calibration:
    """Sum up flat pixels; the second half of the bins holds those that are person."""
    background, person = np.bincount(bins, minlength=2 * BINS).reshape(2, BINS)
    sums = np.bincount(bins, weights=probability, minlength=2 * BINS).reshape(2, BINS).sum(axis=0)
    return Calibration(
        pixels=tuple((background + person).tolist()),
        probability=tuple(sums.tolist()),
        person=tuple(person.tolist()),
    )


def add_calibrations(parts: Iterable[Calibration]) -> Calibration:
    """All pixels of many calibrations as one; no pixels without any."""
    listed = list(parts)
    bins = {
        name: np.reshape([getattr(part, name) for part in listed], (-1, BINS)).sum(axis=0).tolist()
        for name in Calibration.model_fields
    }
    return Calibration(**bins)
