"""From a probability map to pictures: soft edges, cut-outs, other backgrounds, blur.

Images are uint8 (height, width, 3) RGB, alpha is uint8 (height, width), 255 for a person.
Alpha is straight: colours are the person's own, not darkened by their transparency. Everything is
integer arithmetic in Pillow, in bands of rows, so that 100 megapixels take no more extra memory
than what is returned.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageFilter

from humanseg import images
from humanseg.config.sentences import shown
from humanseg.effects.background_blur import blurred_background, reduction
from humanseg.effects.foreground import estimate_foreground, paint_foreground
from humanseg.effects.rasters import row_bands, rows_in_band
from humanseg.images import ImageLike
from humanseg.images.resize import Size, resize_probability_bands
from humanseg.system.errors import ImageError, UsageError

Colour: TypeAlias = tuple[int, int, int]
"""RGB, 0 to 255 each."""
Background: TypeAlias = Colour | ImageLike
"""A colour or an image; see `read_background`."""

EDGE = 0.5
"""Share of the way from the threshold down to 0, and up to 1, over which alpha rises."""
BLUR_SHARE = 1 / 50
"""Default radius of the blur as a share of the picture's longer side."""
OVERLAY_COLOUR: Colour = (255, 0, 128)
"""Seldom the colour of anything in a photograph."""
OVERLAY_STRENGTH = 0.5
"""Share of that colour over a person."""

_CLEAR = ("transparent", "none")
_STEEPEST = 1e-3  # alpha rises from 0 to one half over half of this at least
Bands: TypeAlias = Iterable[tuple[slice, NDArray[np.float32]]]
"""Rows of a probability map, from top to bottom, as `resize_probability_bands` gives them."""


def soft_alpha(
    probability: NDArray[np.float32], size: Size, *, threshold: float = 0.5
) -> NDArray[np.uint8]:
    """How far each pixel belongs to a person: uint8 of `size`, 255 for a person.

    Alpha is one half where the probability, float32 on the network's grid, is at the threshold, and
    reaches 0 and 1 halfway from there to probability 0 and 1: what the network is sure of is clear
    or opaque, without haze.
    """
    bands = resize_probability_bands(probability, size, rows=rows_in_band(size))
    return alpha_of_bands(bands, size, threshold)


def alpha_of_bands(bands: Bands, size: Size, threshold: float) -> NDArray[np.uint8]:
    """`soft_alpha` of a probability at full size that comes in bands."""
    # Straight line through 1/2 at the threshold, with one slope below it and another above: the
    # gentler of two lines through that point is the lower one on one side and the upper one on the
    # other, so min or max of both lines is the bent one.
    inside = min(max(threshold, _STEEPEST), 1.0 - _STEEPEST)
    below, above = np.float32(127.5 / (EDGE * inside)), np.float32(127.5 / (EDGE * (1.0 - inside)))
    bent = np.minimum if above < below else np.maximum
    alpha = np.empty(size, dtype=np.uint8)
    for rows, values in bands:
        distance = values - np.float32(threshold)
        ramp = distance * below
        if above != below:
            bent(ramp, distance * above, out=ramp)
        ramp += np.float32(128.0)
        alpha[rows] = np.clip(ramp, 0.0, 255.0, out=ramp)
    return alpha


def feathered(alpha: NDArray[np.uint8], feather: float) -> NDArray[np.uint8]:
    """Widen the soft edge: a hard edge becomes a ramp of `feather` pixels to either side.

    At least 0, and perhaps a fraction; more than the picture's longer side counts as that.
    """
    if feather == 0.0:
        return alpha
    reach = float(min(feather, max(alpha.shape)))
    return np.asarray(Image.fromarray(alpha).filter(ImageFilter.BoxBlur(reach)))


def cutout(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], *, decontaminate: bool = True
) -> NDArray[np.uint8]:
    """The people alone, on transparency: uint8 (height, width, 4), RGB and straight alpha.

    Pixels at the rim get the person's own colour, see `foreground`, unless `decontaminate` is off.
    Where alpha is 0, nothing of the picture is left: black, or beside the rim the person's colour,
    continued for programs that scale pictures without regard to alpha.
    """
    out = np.empty((*alpha.shape, 4), dtype=np.uint8)
    for rows in row_bands(alpha.shape):
        band = Image.fromarray(image[rows])
        band.putalpha(Image.fromarray(alpha[rows]))
        out[rows] = np.asarray(band)
        out[rows].view(np.uint32)[..., 0] *= alpha[rows] != 0
    if decontaminate:
        paint_foreground(out, image, alpha)
    return out


def composite(
    image: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    background: Colour | NDArray[np.uint8],
    *,
    decontaminate: bool = True,
) -> NDArray[np.uint8]:
    """The people on another, opaque background, which is scaled as `cover` does.

    See `read_background`, and `cutout` for `decontaminate`.
    """
    behind = _rows_of(background, alpha.shape)
    front = estimate_foreground(image, alpha) if decontaminate else image
    return _laid(front, alpha, behind)


def read_background(background: Background) -> Colour | NDArray[np.uint8]:
    """Whatever a user calls a background, as a colour or an image, uint8 (h, w, 3) RGB.

    Three whole numbers from 0 to 255; a colour's name (`white`), `#20a040` or `32,160,64`; or an
    image: see `images.load`.

    Raises:
        UsageError: neither, or a file that does not exist.
        ImageError: the file cannot be read as an image.
    """
    if isinstance(background, str):
        colour = parse_colour(background)
        if colour is None and not Path(background).is_file():
            clear = "; a transparent one is a cutout" if background.lower() in _CLEAR else ""
            raise UsageError(
                f"background: got {shown(background)}; give a colour, such as white, #20a040 or "
                f"32,160,64, or an image file that exists{clear}."
            )
        return images.load(background).pixels if colour is None else colour
    if isinstance(background, (tuple, list)):
        levels = [value for value in background if _is_level(value)]
        if not len(background) == len(levels) == 3:
            raise UsageError(
                f"background: got {shown(background)}; give three whole numbers from 0 to 255 "
                "(RGB), or an image."
            )
        return int(levels[0]), int(levels[1]), int(levels[2])
    try:
        return images.load(background).pixels
    except ImageError as error:
        raise ImageError(f"background: {error}") from error


def parse_colour(text: str) -> Colour | None:
    """The colour that a text means, see `read_background`; None for none or a transparent one."""
    levels = text.split(",")
    if len(levels) == 3 and all(level.strip().isdecimal() for level in levels):
        red, green, blue = (int(level) for level in levels)
        return (red, green, blue) if max(red, green, blue) <= 255 else None
    try:
        colour = ImageColor.getrgb(text)
    except ValueError:
        return None
    return colour[:3] if len(colour) == 3 or colour[3] == 255 else None


def _is_level(value: object) -> bool:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and 0 <= value <= 255  # type: ignore[operator]


def cover(background: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Scale a picture so that it just covers `size`, keeping its proportions, and cut off the rest.

    What sticks out is cut evenly from both sides. For many pictures of one size, such as the frames
    of a video, call it once: a background of the right size is used as it is.
    """
    if background.shape[:2] == size:
        return background
    rows_of = _rows_of(background, size)
    return np.concatenate([np.asarray(rows_of(rows)) for rows in row_bands(size)])


def blur_background(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], radius: float | None = None
) -> NDArray[np.uint8]:
    """The people sharp before their blurred background, see `blurred_background`.

    The radius is a standard deviation in pixels, 1/50 of the longer side by default. More than the
    longer side counts as that; in pictures above 4 megapixels, less than 5 may become a little
    more.
    """
    longer = max(alpha.shape)
    radius = longer * BLUR_SHARE if radius is None else float(min(radius, longer))
    factor = reduction(alpha.shape, radius)
    small = Image.fromarray(blurred_background(image, alpha, radius, factor))
    return _laid(image, alpha, _enlarged(small, alpha.shape[1], factor))


def overlay(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, uint8 RGB, with the people tinted, to see what was found."""
    levels = [round(level * OVERLAY_STRENGTH) for level in range(256)]
    out = np.empty_like(image)
    for rows in row_bands(alpha.shape):
        band = Image.fromarray(image[rows])
        strength = Image.fromarray(alpha[rows]).point(levels)
        band.paste(OVERLAY_COLOUR, (0, 0, *band.size), strength)
        out[rows] = np.asarray(band)
    return out


BackgroundRows: TypeAlias = Callable[[slice], Image.Image]
"""Some rows of a background."""


def _laid(
    front: NDArray[np.uint8], alpha: NDArray[np.uint8], background: BackgroundRows
) -> NDArray[np.uint8]:
    out = np.empty_like(front)
    for rows in row_bands(alpha.shape):
        band = background(rows)
        band.paste(Image.fromarray(front[rows]), (0, 0), Image.fromarray(alpha[rows]))
        out[rows] = np.asarray(band)
    return out


def _rows_of(background: Colour | NDArray[np.uint8], size: Size) -> BackgroundRows:
    height, width = size
    if not isinstance(background, np.ndarray):
        return lambda rows: Image.new("RGB", (width, rows.stop - rows.start), background)
    if background.shape[:2] == size:
        return lambda rows: Image.fromarray(background[rows])
    source = Image.fromarray(background)
    scale = min(source.height / height, source.width / width)
    left, top = (source.width - width * scale) / 2, (source.height - height * scale) / 2

    def rows_of(rows: slice) -> Image.Image:
        # Pillow refuses a box that rounding carried over the edge.
        right = min(left + width * scale, source.width)
        bottom = min(top + rows.stop * scale, source.height)
        box = (max(left, 0.0), max(top + rows.start * scale, 0.0), right, bottom)
        shape = (width, rows.stop - rows.start)
        return source.resize(shape, Image.Resampling.BILINEAR, box=box)

    return rows_of


def _enlarged(small: Image.Image, width: int, factor: Size) -> BackgroundRows:
    """The blurred background at full size; the cells at the far edges may be cut short."""
    down, across = factor

    def rows_of(rows: slice) -> Image.Image:
        box = (0.0, rows.start / down, width / across, rows.stop / down)
        return small.resize((width, rows.stop - rows.start), Image.Resampling.BILINEAR, box=box)

    return rows_of
