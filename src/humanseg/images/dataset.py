"""Images of a data set, as training, evaluation and the data check read them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images.colour import to_rgb
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
    name = name_of(source)
    image = open_image(source)
    with sentences(name):
        return to_rgb(image, name)[0]


def name_of(source: Source) -> str:
    """What to call a file in errors."""
    return "picture" if isinstance(source, bytes) else str(source)
