"""Spoil pictures on purpose, by known amounts, to see how much of its accuracy a network keeps.

Eight of the ten follow ImageNet-C (Hendrycks and Dietterich, "Benchmarking neural network
robustness to common corruptions and perturbations", ICLR 2019) with its five severities.
Occlusion and rotation are additions. A picture is corrupted at its native size, before anything
resizes it for a network.

Differences from ImageNet-C, all deliberate:

* Lengths in pixels (radii of blurs, blocks of `pixelate`, clouds of `fog`) are meant for pictures
  of 224 pixels. Here they grow with the picture's shorter side, so that a severity looks the same
  at every size. Noise and JPEG stay as they are: one grain per pixel and blocks of eight pixels.
* The trail of `motion_blur` is centred. ImageMagick's trail is one-sided and moves the picture, at
  severity 5 by a twentieth of its side; a truth mask that stays would be wrong.
* One seed gives one pattern for all severities, so that a curve over severities shows severity
  alone.

Everything here is NumPy, SciPy and Pillow, and leaves the global random state alone.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from humanseg.evaluation.corruptions.kinds import (
    CORRUPTIONS,
    ROTATION,
    Corruption,
    draw_turn,
    turn_mask,
)
from humanseg.system.errors import UsageError

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "Corruption",
    "corrupt_pair",
]

SEVERITIES = (1, 2, 3, 4, 5)
"""From mild to severe."""


def corrupt_pair(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], name: str, severity: int, *, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Corrupt a picture and take its truth along.

    The result depends on the picture, name, severity and seed only (for `jpeg` also on the
    installed Pillow). Noise of one seed is the same in all pictures of one size: give every
    picture a seed of its own.

    Args:
        image: uint8 (height, width, 3), RGB, at native size; grey pictures have equal channels.
        mask: bool, of any size. Only `rotation` changes it: it is then a new one, turned by the
            same angle. Occlusion does not: the person is still there.
        name: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: 0 or above.

    Returns:
        uint8 (height, width, 3), a new array, (width, height, 3) for `rotation` at severity 4, a
        quarter turn; and the mask.

    Raises:
        UsageError: unknown name or severity, a negative seed, not such a picture, or one too long
            for JPEG.
    """
    corruption, random = _prepare(image, name, severity, seed)
    corrupted = corruption.effect(image, corruption.levels[severity - 1], random)
    if name != "rotation":
        return corrupted, mask
    _, random = _prepare(image, name, severity, seed)
    angle = draw_turn(ROTATION.levels[severity - 1], random)
    return corrupted, turn_mask(mask, angle, (image.shape[0], image.shape[1]))


def _prepare(
    image: NDArray[np.uint8], name: str, severity: int, seed: int
) -> tuple[Corruption[Any], Generator]:
    if name not in CORRUPTIONS:
        raise UsageError(f"corruption: got {name!r}; allowed: {', '.join(CORRUPTIONS)}.")
    if severity not in SEVERITIES:
        raise UsageError(f"severity of {name}: got {severity!r}; allowed: 1, 2, 3, 4, 5.")
    if seed < 0:
        raise UsageError(f"seed of {name}: got {seed}; allowed: 0 and above.")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UsageError(
            f"{name}: got a picture of shape {image.shape} and type {image.dtype}; "
            "give uint8 (height, width, 3), RGB."
        )
    return CORRUPTIONS[name], np.random.default_rng((zlib.crc32(name.encode()), seed))
