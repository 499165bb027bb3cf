"""What is made of an image and its probability map; `Prediction.apply` is the way to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.effects.compositing import (
    alpha_of_bands,
    blur_background,
    composite,
    cutout,
    feathered,
    overlay,
)
from humanseg.effects.effect import (
    BlurEffect,
    CutoutEffect,
    Effect,
    OverlayEffect,
    ReplaceEffect,
)
from humanseg.effects.encode import show_mask
from humanseg.effects.foreground import estimate_foreground
from humanseg.effects.guided_filter import refined_bands
from humanseg.effects.rasters import row_bands, rows_in_band
from humanseg.images import LoadedImage
from humanseg.images.resize import Size, resize_probability_bands

FULL = 65535
"""Level of probability 1 in the output `probability`."""


def render(
    effect: Effect,
    loaded: LoadedImage | None,
    probability: NDArray[np.float32],
    size: Size,
    *,
    threshold: float,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Make a picture's output, of `size`, as `Prediction.apply` does.

    Transparency that the picture came with is multiplied with the alpha of a cut-out, and of people
    on another background; other outputs show the picture as laid on white.

    Args:
        effect: what is wanted; its regions are chosen already, see `Prediction.under`.
        loaded: the image at full size; None if `effect.needs_image` is False.
        probability: float32, 0 to 1, on the network's grid, of any size: the whole picture.
        size: (height, width) of the picture.
        threshold: a pixel is a person where its probability is at least this.

    Returns:
        `mask`: uint8 (height, width), 255 for a person, else 0. `probability`: uint16 (height,
        width), 65535 for 1. `cutout`: uint8 (height, width, 4), RGB and straight alpha,
        smaller if trimmed. Others: uint8 (height, width, 3).

    Raises:
        ValueError: the picture is missing or of another size.
    """
    if effect.needs_image and (loaded is None or loaded.pixels.shape[:2] != size):
        raise ValueError(f"the output {effect.output} needs the picture at {size}.")
    if effect.refines and loaded is not None:
        bands = refined_bands(loaded.pixels, probability)
    else:
        bands = resize_probability_bands(probability, size, rows=rows_in_band(size))
    if effect.output == "mask":
        mask = np.empty(size, dtype=np.bool_)
        for rows, values in bands:
            np.greater_equal(values, threshold, out=mask[rows])
        return show_mask(mask)
    if loaded is None or effect.output == "probability":
        levels = np.empty(size, dtype=np.uint16)
        for rows, values in bands:
            levels[rows] = values * np.float32(FULL) + np.float32(0.5)
        return levels
    return _composed(effect, loaded, alpha_of_bands(bands, size, threshold))


def _composed(effect: Effect, loaded: LoadedImage, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The other outputs."""
    image = loaded.pixels
    if isinstance(effect, OverlayEffect):
        return overlay(image, alpha)
    if isinstance(effect, BlurEffect):
        return blur_background(image, feathered(alpha, effect.feather), effect.blur_radius)
    assert isinstance(effect, (CutoutEffect, ReplaceEffect))
    alpha, decontaminate = feathered(alpha, effect.feather), effect.decontaminate
    if loaded.alpha is not None:
        image = loaded.straight()
        if decontaminate:  # of the background: the white that showed through is off already
            image, decontaminate = estimate_foreground(image, alpha), False
        alpha = multiplied(alpha, loaded.alpha)
    if isinstance(effect, CutoutEffect):
        made = cutout(image, alpha, decontaminate=decontaminate)
        return trimmed(made, alpha) if effect.trim else made
    return composite(image, alpha, effect.background, decontaminate=decontaminate)


def trimmed(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The smallest part of an image that holds all that is not transparent; all of an empty one."""
    box = Image.fromarray(alpha).getbbox()
    if box is None:
        return image
    left, top, right, bottom = box
    return np.ascontiguousarray(image[top:bottom, left:right])


def multiplied(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Product of two alphas, uint8 of one shape, 255 for 1, rounded."""
    out = np.empty_like(first)
    for rows in row_bands(first.shape):
        product = first[rows].astype(np.uint16) * second[rows] + np.uint16(128)
        out[rows] = (product + (product >> 8)) >> 8  # exact division by 255 up to 255 * 255
    return out
