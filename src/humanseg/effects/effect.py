"""What is made of a picture and its probability map: one call for photos, folders and video."""

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
from humanseg.effects.regions import check_share, keep_regions
from humanseg.errors import UsageError
from humanseg.images import LoadedImage
from humanseg.images.resize import Size, resize_mask_from_probability, resize_probability_bands

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
    threshold: float = 0.5
    """A pixel is a person where its probability is at least this."""

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
        if not (is_number(self.threshold) and 0.0 <= self.threshold <= 1.0):
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
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    *,
    alpha_in: NDArray[np.uint8] | None = None,
    size: Size | None = None,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Make a picture's output.

    Args:
        effect: what is wanted.
        image: uint8 (height, width, 3) RGB; transparency already laid on white, as `images` does.
        probability: float32, 0 to 1, on the network's grid, of any size: the whole picture.
        alpha_in: uint8 (height, width), transparency that the picture came with, 255 opaque. A
            cut-out's alpha, and that of people on another background, is the product of both; other
            outputs show the picture as laid on white.
        size: (height, width) of the output where it is not that of `image`, because that was
            decoded at a reduced scale; only where `effect.needs_picture` is False.

    Returns:
        `mask`: uint8 (height, width), 255 for a person, else 0. `probability`: uint16 (height,
        width), 65535 for 1. `cutout`: uint8 (height, width, 4), RGB and straight alpha. Others:
        uint8 (height, width, 3).

    Raises:
        ValueError: shapes that do not belong together.
    """
    own = (image.shape[0], image.shape[1])
    size = size or own
    if effect.needs_picture and size != own:
        raise ValueError(f"the output {effect.output} needs the picture at {size}, not at {own}.")
    if alpha_in is not None and effect.needs_picture and alpha_in.shape != size:
        raise ValueError(f"the transparency is {alpha_in.shape}, the picture {size}.")
    kept = keep_regions(
        probability,
        threshold=effect.threshold,
        smallest=effect.smallest_region,
        largest=effect.largest,
    )
    if effect.output == "mask" and not effect.refine:
        return _shown(resize_mask_from_probability(kept, size, effect.threshold))
    if effect.refine:
        bands = refined_bands(image, kept)
    else:
        bands = resize_probability_bands(kept, size, rows=rows_in_band(size))
    if effect.output in _HARD:
        return _levels(bands, size, effect)
    alpha = feathered(alpha_of_bands(bands, size, effect.threshold), effect.feather)
    return _picture(effect, image, alpha, alpha_in)


def _levels(
    bands: Iterable[tuple[slice, NDArray[np.float32]]], size: Size, effect: Effect
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """`mask` and `probability`."""
    if effect.output == "mask":
        mask = np.empty(size, dtype=np.bool_)
        for rows, values in bands:
            np.greater_equal(values, effect.threshold, out=mask[rows])
        return _shown(mask)
    levels = np.empty(size, dtype=np.uint16)
    for rows, values in bands:
        levels[rows] = values * np.float32(FULL) + np.float32(0.5)
    return levels


def _shown(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.multiply(mask.view(np.uint8), np.uint8(255))


def _picture(
    effect: Effect,
    image: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    alpha_in: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    """The other outputs."""
    if effect.output == "overlay":
        return overlay(image, alpha)
    if effect.output == "blur":
        return blur_background(image, alpha, effect.blur_radius)
    decontaminate = effect.decontaminate
    if alpha_in is not None:
        image = LoadedImage(image, alpha.shape, alpha_in, (), reduced=False).straight()
        if decontaminate:  # of the ground: the white that showed through is off already
            image, decontaminate = estimate_foreground(image, alpha), False
        alpha = multiplied(alpha, alpha_in)
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
