"""What is made of an image and its probability map; `Prediction.apply` is the way to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from humanseg.effects.compositing import (
    Colour,
    alpha_of_bands,
    blur_background,
    check_background,
    check_feather,
    check_radius,
    composite,
    cover,
    cutout,
    feathered,
    is_number,
    overlay,
    shown,
)
from humanseg.effects.foreground import estimate_foreground
from humanseg.effects.guided_filter import refined_bands
from humanseg.effects.rasters import row_bands, rows_in_band
from humanseg.effects.regions import check_share
from humanseg.errors import UsageError
from humanseg.images import LoadedImage
from humanseg.images.resize import Size, resize_probability_bands

OutputName = Literal["mask", "probability", "cutout", "blur", "replace", "overlay"]

FULL = 65535
"""Level of probability 1 in the output `probability`."""

_HARD: tuple[OutputName, ...] = ("mask", "probability")
_SOFT: tuple[OutputName, ...] = ("cutout", "blur", "replace")


@dataclass(frozen=True, eq=False, kw_only=True)
class Effect:
    """What is wanted. Checked when it is made, so that no picture is begun in vain."""

    output: OutputName
    """`mask`: 0 and 255. `probability`: 16 bits. `cutout`: the people on transparency. `blur`: the
    ground blurred. `replace`: another background. `overlay`: the people tinted."""
    background: Colour | NDArray[np.uint8] | None = None
    """For `replace`, and only for it: RGB, or a picture, uint8 (h, w, 3), scaled to cover."""
    blur_radius: float | None = None
    """For `blur`, and only for it: standard deviation in pixels of the picture; 1/50 of the longer
    side where it is None."""
    feather: float = 0.0
    """Pixels of the picture by which the soft edge is widened to either side; for outputs that have
    a soft edge: `cutout`, `blur` and `replace`."""
    refine: bool = False
    """Bring the outline to the picture's own edges; see `refinement`."""
    decontaminate: bool = True
    """Give the rim the person's own colour where it is laid elsewhere, which are `cutout` and
    `replace`; see `foreground`."""
    smallest_region: float = 0.0
    """Drop connected regions that cover less than this share of the picture."""
    largest: bool = False
    """Keep the largest connected region alone."""
    threshold: float | None = None
    """A pixel is a person where its probability is at least this; the prediction's own if None."""

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            UsageError: a value out of range, or one that the output has no use for.
        """
        if self.output not in get_args(OutputName):
            allowed = ", ".join(get_args(OutputName))
            raise UsageError(f"{self.output!r} is no output; choose one of: {allowed}.")
        self._check_belonging()
        if self.background is not None:
            check_background(self.background)
        if self.blur_radius is not None:
            check_radius(self.blur_radius)
        check_feather(self.feather)
        if not is_number(self.smallest_region):
            raise UsageError(
                f"a smallest region of {shown(self.smallest_region)} is impossible; give the share "
                "of the picture, 0 to 1, such as 0.01."
            )
        check_share(self.smallest_region)
        threshold = 0.5 if self.threshold is None else self.threshold
        if not (is_number(threshold) and 0.0 <= threshold <= 1.0):
            raise UsageError(
                f"a threshold of {shown(self.threshold)} is impossible; give 0 to 1, a number."
            )

    def _check_belonging(self) -> None:
        if self.output == "replace" and self.background is None:
            raise UsageError("the output replace needs a background: a colour or a picture.")
        if self.output != "replace" and self.background is not None:
            raise UsageError(
                f"the output {self.output} has no background; choose replace, or leave it out."
            )
        if self.output != "blur" and self.blur_radius is not None:
            raise UsageError(
                f"the output {self.output} has no blur radius; choose blur, or leave it out."
            )
        if self.output not in _SOFT and self.feather != 0.0:
            raise UsageError(
                f"the output {self.output} has no edge to feather; choose cutout, blur or replace, "
                "or leave it out."
            )

    @property
    def needs_picture(self) -> bool:
        """Whether the picture's own pixels are needed, at full size."""
        return self.output not in _HARD or self.refine

    def sized(self, size: Size) -> Effect:
        """The same effect for many pictures of one size: a background picture is scaled once.

        Args:
            size: (height, width) of the pictures.
        """
        if not isinstance(self.background, np.ndarray):
            return self
        return replace(self, background=cover(self.background, size))


def apply(
    effect: Effect,
    picture: LoadedImage | None,
    probability: NDArray[np.float32],
    size: Size,
    *,
    threshold: float,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Make a picture's output, as `Prediction.apply` does.

    Transparency that the picture came with is multiplied with the alpha of a cut-out, and of people
    on another background; other outputs show the picture as laid on white.

    Args:
        effect: what is wanted; its regions are chosen already, see `Prediction.under`.
        picture: the picture at full size; None if `effect.needs_picture` is False.
        probability: float32, 0 to 1, on the network's grid, of any size: the whole picture.
        size: (height, width) of the output, which is the picture's.
        threshold: a pixel is a person where its probability is at least this.

    Returns:
        `mask`: uint8 (height, width), 255 for a person, else 0. `probability`: uint16 (height,
        width), 65535 for 1. `cutout`: uint8 (height, width, 4), RGB and straight alpha. Others:
        uint8 (height, width, 3).

    Raises:
        ValueError: the picture is missing or of another size.
    """
    if effect.needs_picture and (picture is None or picture.pixels.shape[:2] != size):
        raise ValueError(f"the output {effect.output} needs the picture at {size}.")
    if effect.refine and picture is not None:
        bands = refined_bands(picture.pixels, probability)
    else:
        bands = resize_probability_bands(probability, size, rows=rows_in_band(size))
    if picture is None or effect.output in _HARD:
        return _levels(bands, size, effect.output, threshold)
    alpha = feathered(alpha_of_bands(bands, size, threshold), effect.feather)
    return _composed(effect, picture, alpha)


def _levels(
    bands: Iterable[tuple[slice, NDArray[np.float32]]],
    size: Size,
    output: OutputName,
    threshold: float,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """`mask` and `probability`."""
    if output == "mask":
        mask = np.empty(size, dtype=np.bool_)
        for rows, values in bands:
            np.greater_equal(values, threshold, out=mask[rows])
        return show_mask(mask)
    levels = np.empty(size, dtype=np.uint16)
    for rows, values in bands:
        levels[rows] = values * np.float32(FULL) + np.float32(0.5)
    return levels


def show_mask(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A mask as it is written: uint8, 255 for a person, else 0."""
    return np.multiply(mask.view(np.uint8), np.uint8(255))


def _composed(effect: Effect, picture: LoadedImage, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The other outputs."""
    image = picture.pixels
    if effect.output == "overlay":
        return overlay(image, alpha)
    if effect.output == "blur":
        return blur_background(image, alpha, effect.blur_radius)
    decontaminate = effect.decontaminate
    if picture.alpha is not None:
        image = picture.straight()
        if decontaminate:  # of the background: the white that showed through is off already
            image, decontaminate = estimate_foreground(image, alpha), False
        alpha = multiplied(alpha, picture.alpha)
    if effect.background is None:
        return cutout(image, alpha, decontaminate=decontaminate)
    return composite(image, alpha, effect.background, decontaminate=decontaminate)


def multiplied(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Product of two alphas, 255 for 1, rounded.

    Args:
        first: uint8 (height, width).
        second: uint8 of the same shape.
    """
    out = np.empty_like(first)
    for rows in row_bands(first.shape):
        product = first[rows].astype(np.uint16) * second[rows] + np.uint16(128)
        out[rows] = (product + (product >> 8)) >> 8  # exact division by 255 up to 255 * 255
    return out
