"""Masks and probability maps as files.

A probability map is kept on the network's grid in 16 bits: everything that is scored or shown later
can be made from it again, and rounding moves no probability by more than 1/131070.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images import open_image
from humanseg.system.atomic import replacing
from humanseg.system.errors import DataError, ImageError

_TOP = 65535
_QUICK = 1  # zlib level: noise in small probabilities hardly shrinks


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask, bool (height, width), as PNG, 0 and 255, atomically; folders are made."""
    _save(path, Image.fromarray(mask.astype(np.uint8) * 255).convert("1"))


def write_probability(path: Path, probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write a probability map as 16-bit grey PNG, atomically; gives what will be read."""
    levels = np.rint(probability.astype(np.float64) * _TOP).astype(np.uint16)
    _save(path, Image.fromarray(levels))
    return _from_levels(levels)


def read_probability(path: Path) -> NDArray[np.float32]:
    """Read what `write_probability` wrote: float32 (height, width), 0 to 1.

    Raises:
        DataError: missing, damaged, or not such a file.
    """
    try:
        image = open_image(path)
    except ImageError as error:
        raise DataError(
            f"{error} It holds a stored prediction; delete the run's folder and run again."
        ) from error
    if not image.mode.startswith("I;16"):
        raise DataError(f"{path}: is no stored prediction (16-bit grey); run the network again.")
    return _from_levels(np.asarray(image))


def _from_levels(levels: NDArray[np.uint16]) -> NDArray[np.float32]:
    return np.asarray(levels.astype(np.float32) / _TOP, dtype=np.float32)


def _save(path: Path, image: Image.Image) -> None:
    with replacing(path) as temporary:
        image.save(temporary, format="PNG", compress_level=_QUICK)
