"""An effect on one picture, and how much of the picture is a person: for photos and for video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from humanseg.effects.effect import Effect, apply
from humanseg.effects.regions import keep_regions
from humanseg.images.resize import Size


@dataclass(frozen=True, eq=False)
class Rendered:
    """What came of one picture or frame."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    """As `effects.apply` gives them."""
    coverage: float
    """Share of the picture that is a person, 0 to 1: of the mask if one was made, otherwise on the
    network's grid. Regions that the effect drops do not count."""


def render(
    effect: Effect,
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    *,
    alpha_in: NDArray[np.uint8] | None = None,
    size: Size | None = None,
) -> Rendered:
    """Apply an effect and measure what it shows.

    Args:
        effect: what is wanted.
        image: uint8 (height, width, 3) RGB; see `effects.apply` for all of them.
        probability: float32, 0 to 1, on the network's grid.
        alpha_in: uint8 (height, width), transparency that the picture came with.
        size: (height, width) of the output where it is not that of `image`.

    Raises:
        ValueError: shapes that do not belong together.
    """
    if effect.largest or effect.smallest_region:
        probability = keep_regions(
            probability,
            threshold=effect.threshold,
            smallest=effect.smallest_region,
            largest=effect.largest,
        )
        effect = replace(effect, largest=False, smallest_region=0.0)
    pixels = apply(effect, image, probability, alpha_in=alpha_in, size=size)
    if effect.output == "mask":
        return Rendered(pixels, float(np.count_nonzero(pixels) / pixels.size))
    return Rendered(pixels, float(np.mean(probability >= effect.threshold)))
