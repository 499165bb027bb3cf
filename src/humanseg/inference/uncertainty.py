"""How unsure a network is of an image: what a person should look at, and correct, first.

Two signs, both without truth. Along the contour a probability near one half says that the network
cannot decide where the person ends. And a network that knows its people marks the same ones in the
mirrored image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.effects.rasters import dilate
from humanseg.effects.regions import PERSON_SHARE

BAND = 3
"""Pixels of the network's grid to either side of the contour."""


@dataclass(frozen=True)
class Uncertainty:
    """How unsure a network is of one image; all from 0, sure, to 1."""

    contour: float
    """Mean of 4 p (1 - p) over the pixels within `BAND` of the mask's contour. Of a mask without
    a contour, empty or full, over the most uncertain `PERSON_SHARE` of all pixels: as many as the
    smallest person has that counts."""
    disagreement: float
    """1 less the overlap of the probabilities of the image and of the mirrored one: sum of absolute
    differences over sum of maxima. To both a person of `PERSON_SHARE` is added, so that specks do
    not count as much where there is nobody."""

    @property
    def value(self) -> float:
        """The mean of both, by which images are ordered."""
        return (self.contour + self.disagreement) / 2


def measure_uncertainty(
    probability: NDArray[np.float32], mirrored: NDArray[np.float32], threshold: float
) -> Uncertainty:
    """How unsure a network is.

    Args:
        probability: of the image on the network's grid, float32 (height, width), 0 to 1.
        mirrored: of the mirrored image, mirrored back.
        threshold: a pixel is a person where its probability is at least this.
    """
    unsure = 4.0 * probability * (1.0 - probability)
    band = _band(probability >= threshold)
    least = max(1, round(PERSON_SHARE * unsure.size))
    at_contour = unsure[band] if band.any() else np.partition(unsure, -least, axis=None)[-least:]
    apart = np.abs(probability - mirrored).sum(dtype=np.float64)
    largest = np.maximum(probability, mirrored).sum(dtype=np.float64)
    return Uncertainty(
        contour=float(at_contour.mean(dtype=np.float64)),
        disagreement=float(apart / (largest + least)),
    )


def _band(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels within `BAND` of both people and background."""
    people, background = mask, ~mask
    for _ in range(BAND):
        people, background = dilate(people), dilate(background)
    return people & background
