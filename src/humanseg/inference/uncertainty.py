"""How unsure a network is of an image: what a person should look at, and correct, first.

Two signs, both without truth. Along contours a probability near one half says that the network
cannot decide where the person ends. And a network that knows its people marks the same ones in the
mirrored image. Neither tells of people whom the network surely overlooks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.effects.regions import PERSON_SHARE


@dataclass(frozen=True)
class Uncertainty:
    """How unsure a network is of one image; all from 0, sure, to 1."""

    contour: float
    """Uncertain area against that of the people: sum of 4 p (1 - p), which is 1 where p is one half
    and mostly lies along contours, over the sum of the larger of p and 4 p (1 - p)."""
    disagreement: float
    """1 less the overlap of the probabilities of the image and of the mirrored one: sum of absolute
    differences over sum of the larger ones."""

    @property
    def value(self) -> float:
        """The mean of both, by which images are ordered."""
        return (self.contour + self.disagreement) / 2


def measure_uncertainty(
    probability: NDArray[np.float32], mirrored: NDArray[np.float32]
) -> Uncertainty:
    """How unsure a network is.

    To the sums that are divided by, an area of `PERSON_SHARE` of the image is added, the smallest
    person that counts: specks do not count as much where there is nobody.

    Args:
        probability: of the image on the network's grid, float32 (height, width), 0 to 1.
        mirrored: of the mirrored image, mirrored back.
    """
    least = max(1, round(PERSON_SHARE * probability.size))
    unsure = 4.0 * probability * (1.0 - probability)

    def share(part: NDArray[np.float32], other: NDArray[np.float32]) -> float:
        whole = np.maximum(probability, other).sum(dtype=np.float64)
        return float(part.sum(dtype=np.float64) / (whole + least))

    return Uncertainty(
        contour=share(unsure, unsure),
        disagreement=share(np.abs(probability - mirrored), mirrored),
    )
