"""Images and masks of a data set, as training, evaluation and the data check read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images.colour import WIDE_MODES, to_eight_bits, to_rgb
from humanseg.images.files import (
    Quiet,
    check_pixels,
    decode,
    identify,
    open_file,
    open_source,
    read_orientation,
    sentences,
)

Source = str | Path | bytes
"""A file's path, or its bytes."""

_OPAQUE = 128  # opacity from which a pixel counts as seen


def open_image(source: Source) -> Image.Image:
    """Open and decode a picture, upright, in its own mode.

    Animated files give their first frame; EXIF orientation is applied.

    Raises:
        ImageError: missing, not a picture, truncated, or more than `MAX_PIXELS` pixels.
    """
    return _opened(source)[0]


def _opened(source: Source) -> tuple[Image.Image, str]:
    """The picture, and what to call it in errors."""
    with open_source(source) as (stream, name):
        return decode(stream, name).image, name


def read_image(source: Source) -> NDArray[np.uint8]:
    """Read a picture as RGB: uint8 (height, width, 3), 0 to 255, upright.

    Grey, 16-bit, palette, CMYK, Lab and alpha pictures are converted; transparency is laid on
    white. Colour profiles are ignored, unlike in `load`.

    Raises:
        ImageError: see `open_image`.
    """
    image, name = _opened(source)
    with sentences(name):
        return to_rgb(image, name)[0]


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture, upright, from its header alone.

    Raises:
        ImageError: missing, not a picture, or more than `MAX_PIXELS` pixels.
    """
    with open_file(path) as stream, sentences(str(path)), Quiet():
        header = identify(stream, str(path))
        check_pixels(header.size, str(path))
        width, height = header.size
        return (width, height) if read_orientation(header)[0] >= 5 else (height, width)


def read_grey(source: Source) -> NDArray[np.uint8]:
    """Read a mask file as values, without deciding which of them mean a person.

    Colour masks give the largest of their channels. Masks whose visible pixels all have one colour
    give their opacity. Palette masks give their indices, which number classes, unless the palette
    shows that they do not: where all colours are grey, and where of two colours black comes last,
    the colours count, as programs that save a drawn mask with few colours order them as they like.
    16-bit masks give their top byte, and those of 9 to 15 bits the top eight of these.

    Returns:
        uint8 array (height, width).

    Raises:
        ImageError: see `open_image`.
    """
    return read_grey_and_colours(source)[0]


def read_grey_and_colours(
    source: Source,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """What `read_grey` gives, and the colours, uint8 (height, width, 3), that it was made of.

    None of a mask that has other values than the largest of its channels.

    Raises:
        ImageError: see `open_image`.
    """
    image, name = _opened(source)
    with sentences(name):
        if image.mode in WIDE_MODES:
            image = to_eight_bits(image, name, mask=True)
        if image.has_transparency_data:
            opacity = _opacity_mask(image.convert("RGBA"))
            if opacity is not None:
                return opacity, None
        if image.mode == "L" or (image.mode == "P" and not _by_colours(image)):
            return np.asarray(image), None
        if image.mode in ("1", "LA"):
            return np.asarray(image.convert("L")), None
        colours = np.asarray(image.convert("RGB"))
        return np.asarray(colours.max(axis=2), dtype=np.uint8), colours


def read_mask(source: Source) -> NDArray[np.bool_]:
    """Read a mask: person where the value is at least half of the largest allowed (1 or 255).

    Values up to 1 are read as 0/1, all others as 0 to 255 with the cut at 128.

    Returns:
        bool array (height, width), True where there is a person.

    Raises:
        ImageError: see `open_image`.
    """
    return mask_of(read_grey(source))


def mask_of(values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What `read_mask` makes of the values of `read_grey`."""
    return np.asarray(values >= (1 if values.max() <= 1 else 128))


def _opacity_mask(rgba: Image.Image) -> NDArray[np.uint8] | None:
    """The opacity, where that alone draws something; None where colours do."""
    pixels = np.asarray(rgba)
    opacity = pixels[..., 3]
    if opacity.min() >= _OPAQUE or opacity.max() < _OPAQUE:
        return None
    seen = pixels[opacity >= _OPAQUE, :3]
    return opacity.copy() if (seen == seen[0]).all() else None


def _by_colours(image: Image.Image) -> bool:
    """Whether a palette mask means its colours rather than its indices."""
    colours = np.reshape(image.getpalette() or [], (-1, 3))
    used = np.flatnonzero(image.histogram())
    if used[-1] >= len(colours):
        return False
    shown = colours[used]
    if len(shown) > 1 and (shown == shown[0]).all():
        return False  # a palette that was never filled
    grey = bool((shown == shown[:, :1]).all())
    return grey or (len(shown) == 2 and not shown[1].any())
