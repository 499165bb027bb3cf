"""From a probability map to pictures: soft edges, cut-outs, other backgrounds, blur.

Alpha is straight: colours are the person's own, not darkened by their transparency. Everything is
integer arithmetic in Pillow, in bands of rows, so that 100 megapixels take no more extra memory
than what is returned.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from humanseg.effects.background_blur import blurred_ground, reduction
from humanseg.effects.foreground import estimate_foreground, paint_foreground
from humanseg.effects.rasters import row_bands, rows_in_band
from humanseg.errors import UsageError
from humanseg.images.resize import Size, resize_probability_bands

Colour = tuple[int, int, int]
"""RGB, 0 to 255 each."""

EDGE = 0.5
"""Share of the way from the threshold down to 0, and up to 1, over which alpha rises."""
BLUR_SHARE = 1 / 50
"""Default radius of the blur as a share of the picture's longer side."""
OVERLAY_COLOUR: Colour = (255, 0, 128)
"""Seldom the colour of anything in a photograph."""
OVERLAY_STRENGTH = 0.5
"""Share of that colour over a person."""

_LONGEST = 60
"""Characters of a wrong value that an error's sentence repeats."""
_STEEPEST = 1e-3
"""Alpha rises from 0 to one half over half of this at least."""
Bands = Iterable[tuple[slice, NDArray[np.float32]]]
"""Rows of a probability map, from top to bottom, as `resize_probability_bands` gives them."""


def soft_alpha(
    probability: NDArray[np.float32], size: Size, *, threshold: float = 0.5, feather: float = 0.0
) -> NDArray[np.uint8]:
    """How far each pixel belongs to a person.

    Alpha is one half where the probability is at the threshold, and reaches 0 and 1 halfway from
    there to probability 0 and 1: what the network is sure of is clear or opaque, without haze.

    Args:
        probability: float32 (h, w), 0 to 1, on the network's grid.
        size: (height, width) of the picture.
        threshold: 0 to 1.
        feather: see `feathered`.

    Returns:
        uint8 (height, width), 255 for a person.
    """
    bands = resize_probability_bands(probability, size, rows=rows_in_band(size))
    return feathered(alpha_of_bands(bands, size, threshold), feather)


def alpha_of_bands(bands: Bands, size: Size, threshold: float) -> NDArray[np.uint8]:
    """`soft_alpha` of a probability at full size that comes in bands."""
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

    Args:
        alpha: uint8 (height, width).
        feather: pixels of the picture, at least 0; may be a fraction. More than its longer side
            counts as that.
    """
    if feather == 0.0:
        return alpha
    reach = float(min(feather, max(alpha.shape)))
    return np.asarray(Image.fromarray(alpha).filter(ImageFilter.BoxBlur(reach)))


def is_number(value: object) -> bool:
    """Whether something is a real number, of Python or NumPy, and no bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def shown(value: object) -> str:
    """A value as it was given, on one line that is not long, for an error's sentence."""
    text = " ".join((str(value) if is_number(value) else repr(value)).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def cutout(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], *, decontaminate: bool = True
) -> NDArray[np.uint8]:
    """The people alone, on transparency.

    Args:
        image: uint8 (height, width, 3) RGB.
        alpha: uint8 (height, width), 255 for a person.
        decontaminate: give pixels at the rim the person's own colour; see `foreground`. Without
            it, they keep the picture's.

    Returns:
        uint8 (height, width, 4), RGB and straight alpha. Where alpha is 0, nothing of the picture
        is left: black, or beside the rim the person's colour, continued for programs that scale
        pictures without regard to alpha.
    """
    out = np.empty((*alpha.shape, 4), dtype=np.uint8)
    for rows in row_bands(alpha.shape):
        picture = Image.fromarray(image[rows])
        picture.putalpha(Image.fromarray(alpha[rows]))
        out[rows] = np.asarray(picture)
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
    """The people on another, opaque background.

    Args:
        image: uint8 (height, width, 3) RGB.
        alpha: uint8 (height, width), 255 for a person.
        background: a colour, or a picture, uint8 (h, w, 3) RGB, that is scaled as `cover` does.
        decontaminate: as for `cutout`.

    Returns:
        uint8 (height, width, 3).

    Raises:
        UsageError: the background is neither.
    """
    ground = _background(check_background(background), alpha.shape)
    front = estimate_foreground(image, alpha) if decontaminate else image
    return _laid(front, alpha, ground)


def check_background(background: Colour | NDArray[np.uint8]) -> Colour | NDArray[np.uint8]:
    """Refuse what is neither a colour nor a picture.

    Raises:
        UsageError: see above.
    """
    if isinstance(background, np.ndarray):
        if background.dtype != np.uint8 or background.ndim != 3 or background.shape[2] != 3:
            raise UsageError(
                f"a background of shape {background.shape} and type {background.dtype} is no "
                "picture; give uint8 (height, width, 3), RGB."
            )
        if background.size == 0:
            raise UsageError("the background picture is empty; give one with pixels.")
        return background
    three = isinstance(background, (tuple, list)) and len(background) == 3
    if not three or not all(_is_level(value) for value in background):
        raise UsageError(
            f"the background {shown(background)} is no colour; give three whole numbers from 0 to "
            "255 (RGB), or a picture."
        )
    return background


def _is_level(value: object) -> bool:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and 0 <= value <= 255  # type: ignore[operator]


def cover(background: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Scale a picture so that it just covers `size`, keeping its proportions, and cut off the rest.

    What sticks out is cut evenly from both sides. For many pictures of one size, such as the frames
    of a video, call it once: a background of the right size is used as it is.

    Args:
        background: uint8 (h, w, 3) RGB.
        size: (height, width) wanted.

    Returns:
        uint8 (size[0], size[1], 3).
    """
    if background.shape[:2] == size:
        return background
    ground = _background(background, size)
    return np.concatenate([np.asarray(ground(rows)) for rows in row_bands(size)])


def blur_background(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], radius: float | None = None
) -> NDArray[np.uint8]:
    """The people sharp before a blurred background.

    The blur is a weighted mean over ground alone (normalised convolution, Knutsson and Westin,
    "Normalized and differential convolution", CVPR 1993): no colour of a person bleeds into it, and
    nothing darkens beside one. It is computed on a reduced picture, a Gaussian of `radius` in all.

    Args:
        image: uint8 (height, width, 3) RGB.
        alpha: uint8 (height, width), 255 for a person.
        radius: standard deviation of the Gaussian in pixels of the picture; 1/50 of the longer side
            by default. More than the longer side counts as that; in pictures above 4 megapixels,
            less than 5 pixels may become a little more.

    Returns:
        uint8 (height, width, 3).
    """
    if radius is None:
        radius = default_radius(alpha.shape)
    radius = float(min(radius, max(alpha.shape)))
    factor = reduction(alpha.shape, radius)
    small = Image.fromarray(blurred_ground(image, alpha, radius, factor))
    return _laid(image, alpha, _enlarged(small, alpha.shape, factor))


def default_radius(size: Size) -> float:
    """`BLUR_SHARE` of the longer side, in pixels."""
    return max(size) * BLUR_SHARE


def overlay(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with the people tinted, to see what was found.

    Args:
        image: uint8 (height, width, 3) RGB.
        alpha: uint8 (height, width), 255 for a person.

    Returns:
        uint8 (height, width, 3).
    """
    levels = [round(level * OVERLAY_STRENGTH) for level in range(256)]
    out = np.empty_like(image)
    for rows in row_bands(alpha.shape):
        picture = Image.fromarray(image[rows])
        strength = Image.fromarray(alpha[rows]).point(levels)
        picture.paste(OVERLAY_COLOUR, (0, 0, *picture.size), strength)
        out[rows] = np.asarray(picture)
    return out


Ground = Callable[[slice], Image.Image]
"""Some rows of a background."""


def _laid(front: NDArray[np.uint8], alpha: NDArray[np.uint8], ground: Ground) -> NDArray[np.uint8]:
    out = np.empty_like(front)
    for rows in row_bands(alpha.shape):
        picture = ground(rows)
        picture.paste(Image.fromarray(front[rows]), (0, 0), Image.fromarray(alpha[rows]))
        out[rows] = np.asarray(picture)
    return out


def _background(background: Colour | NDArray[np.uint8], size: Size) -> Ground:
    height, width = size
    if not isinstance(background, np.ndarray):
        red, green, blue = (int(value) for value in background)
        return lambda rows: Image.new("RGB", (width, rows.stop - rows.start), (red, green, blue))
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


def _enlarged(small: Image.Image, size: Size, factor: Size) -> Ground:
    """The blurred ground at full size; the cells at the far edges may be cut short."""
    width = size[1]
    down, across = factor

    def rows_of(rows: slice) -> Image.Image:
        box = (0.0, rows.start / down, width / across, rows.stop / down)
        return small.resize((width, rows.stop - rows.start), Image.Resampling.BILINEAR, box=box)

    return rows_of
