"""Pictures and masks of a data set, as training, evaluation and the data check read them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images.colour import WIDE_MODES, to_eight_bits, to_rgb
from humanseg.images.files import decode, open_file, sentences

Source = str | Path | bytes
"""A file's path, or its bytes."""


def open_image(source: Source) -> Image.Image:
    """Open and decode a picture, upright, in its own mode.

    Animated files give their first frame; EXIF orientation is applied.

    Raises:
        ImageError: missing, not a picture, truncated, or more than `MAX_PIXELS` pixels.
    """
    if isinstance(source, bytes):
        return decode(io.BytesIO(source), "picture").image
    with open_file(Path(source)) as stream:
        return decode(stream, str(source)).image


def read_image(source: Source) -> NDArray[np.uint8]:
    """Read a picture as RGB.

    Grey, 16-bit, palette, CMYK, Lab and alpha pictures are converted; transparency is laid on
    white. Colour profiles are ignored, unlike in `load`.

    Returns:
        uint8 array (height, width, 3), RGB, 0 to 255, upright.

    Raises:
        ImageError: see `open_image`.
    """
    name = _name(source)
    image = open_image(source)
    with sentences(name):
        return to_rgb(image, name)[0]


def read_grey(source: Source) -> NDArray[np.uint8]:
    """Read a mask file as stored, without interpreting its values.

    Palette masks give their indices; colour masks the largest of their channels.

    Returns:
        uint8 array (height, width).

    Raises:
        ImageError: see `open_image`.
    """
    name = _name(source)
    image = open_image(source)
    with sentences(name):
        if image.mode in WIDE_MODES:
            image = to_eight_bits(image, name, mask=True)
        if image.mode in ("L", "P"):
            return np.asarray(image)
        if image.mode == "1":
            return np.asarray(image.convert("L"))
        if image.mode == "LA":
            return np.asarray(image.getchannel("L"))
        return np.asarray(np.asarray(image.convert("RGB")).max(axis=2), dtype=np.uint8)


def read_mask(source: Source) -> NDArray[np.bool_]:
    """Read a mask: person where the value is at least half of the largest allowed (1 or 255).

    Values up to 1 are read as 0/1, all others as 0 to 255 with the cut at 128.

    Returns:
        bool array (height, width), True where there is a person.

    Raises:
        ImageError: see `open_image`.
    """
    values = read_grey(source)
    cut = 1 if values.size and values.max() <= 1 else 128
    return np.asarray(values >= cut)


def _name(source: Source) -> str:
    return "picture" if isinstance(source, bytes) else str(source)
