"""Decode any picture or mask file into one array convention.

Every path of the product reads files here: training, evaluation, prediction and the data check.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from humanseg.errors import ImageError

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded."""

Source = str | Path | bytes
"""A file's path, or its bytes."""

_WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "F")


def open_image(source: Source) -> Image.Image:
    """Open and decode a picture, upright, in its own mode.

    Animated files give their first frame; EXIF orientation is applied.

    Raises:
        ImageError: missing, not a picture, truncated, or more than `MAX_PIXELS` pixels.
    """
    name = "picture" if isinstance(source, bytes) else str(source)
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(stream)
            if image.width * image.height > MAX_PIXELS:
                image.close()
                raise ImageError(
                    f"{name}: {image.width}x{image.height} pixels; at most "
                    f"{MAX_PIXELS // 1_000_000} million are allowed. Make it smaller first."
                )
            with image:
                image.load()
                return ImageOps.exif_transpose(image)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file.") from error
    except IsADirectoryError as error:
        raise ImageError(f"{name}: is a folder, not a picture.") from error
    except PermissionError as error:
        raise ImageError(f"{name}: may not be read (permission denied).") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not a picture in a known format.") from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name}: too many pixels; at most {MAX_PIXELS // 1_000_000} million."
        ) from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise ImageError(f"{name}: damaged or cut short ({error}).") from error


def _to_eight_bits(image: Image.Image, *, mask: bool = False) -> Image.Image:
    """16-bit, 32-bit and float grey as 8-bit grey; integer files by their top byte.

    A 16-bit mask whose values fit into 8 bits holds labels, not brightness, and stays as it is.
    """
    sixteen_bits = image.mode.startswith("I;16")
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        values = values * 255.0 if values.size and values.max() <= 1.0 else values
    elif values.size and (values.max() > 255 or (sixteen_bits and not mask)):
        values = values / 257.0
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), mode="L")


def read_image(source: Source) -> NDArray[np.uint8]:
    """Read a picture as RGB.

    Grey, 16-bit, palette, CMYK and alpha pictures are converted; transparency is laid on white.

    Returns:
        uint8 array (height, width, 3), RGB, 0 to 255, upright.

    Raises:
        ImageError: see `open_image`.
    """
    image = open_image(source)
    if image.mode in _WIDE_MODES:
        image = _to_eight_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.asarray(image.convert("RGB"))


def read_grey(source: Source) -> NDArray[np.uint8]:
    """Read a mask file as stored, without interpreting its values.

    Palette masks give their indices; colour masks the largest of their channels.

    Returns:
        uint8 array (height, width).

    Raises:
        ImageError: see `open_image`.
    """
    image = open_image(source)
    if image.mode in _WIDE_MODES:
        image = _to_eight_bits(image, mask=True)
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
