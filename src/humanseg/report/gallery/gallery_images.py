"""Images and masks as small data URIs that a page lays over each other.

An image is stored once. Each mask of it is an image of its own, mostly transparent, of two or four
colours, which the browser draws over it.
"""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images import load
from humanseg.images.resize import Size, resize_image, resize_probability, size_within
from humanseg.images.stored_maps import read_probability
from humanseg.system.errors import DataError, ImageError

WRONG = (226, 61, 0)
"""Colour of false positives: a red that stays apart from `MISSED` with any colour vision."""
MISSED = (0, 104, 214)
"""Colour of false negatives: a blue."""

_VEIL = (208, 208, 205, 184)
"""Lies over the background: fades it without hiding what is there."""
_CLEAR = (0, 0, 0, 0)
_STRONG = 224

_WORKING_SIDE = 1024
"""Masks of larger images are drawn from this many pixels on a side; the page shows fewer."""

_PHOTO_QUALITY, _PHOTO_EFFORT = 70, 3


def read_shrunk(file: Path, size: Size) -> NDArray[np.uint8]:
    """Read an image at `size`, as uint8 RGB; JPEG files are decoded at a fraction of theirs."""
    return resize_image(load(file, at_least=2 * max(size)).pixels, size)


def read_prediction(file: Path, size: Size, threshold: float) -> NDArray[np.bool_]:
    """Read a stored prediction as a mask of `size`, or of at most `_WORKING_SIDE` pixels a side."""
    working = size_within(size, _WORKING_SIDE)
    try:
        probability = read_probability(file)
    except DataError as error:
        raise ImageError(str(error)) from error
    return resize_probability(probability, working) >= threshold


def photo_uri(pixels: NDArray[np.uint8]) -> str:
    """An image, uint8 (height, width, 3), as WebP."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=_PHOTO_QUALITY, method=_PHOTO_EFFORT)
    return _uri("webp", stream)


def mask_uri(mask: NDArray[np.bool_]) -> str:
    """A veil over everything outside the mask, bool (height, width), as PNG."""
    return _palette_uri(mask.astype(np.uint8), (_VEIL, _CLEAR))


def error_uri(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> str:
    """A veil over the background, and errors in colour; both bool (height, width)."""
    colours = (_VEIL, _CLEAR, (*WRONG, _STRONG), (*MISSED, _STRONG))
    indices = np.where(truth, np.where(predicted, 1, 3), np.where(predicted, 2, 0))
    return _palette_uri(indices.astype(np.uint8), colours)


def _palette_uri(indices: NDArray[np.uint8], colours: tuple[tuple[int, int, int, int], ...]) -> str:
    image = Image.frombytes("P", (indices.shape[1], indices.shape[0]), indices.tobytes())
    image.putpalette([part for colour in colours for part in colour[:3]])
    stream = io.BytesIO()
    bits = 1 if len(colours) == 2 else 2
    opacity = bytes(colour[3] for colour in colours)
    # Runs of one colour: nearly as small as the slowest compression, in a third of the time.
    image.save(
        stream, "PNG", bits=bits, transparency=opacity, compress_level=6, compress_type=zlib.Z_RLE
    )
    return _uri("png", stream)


def _uri(kind: str, stream: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
