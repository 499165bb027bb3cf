"""What is behind the people, blurred.

Images are uint8 (height, width, 3) RGB, alpha is uint8 (height, width), 255 for a person.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.effects.rasters import dilate, reduced
from humanseg.images.resize import Size

_FINEST = 2.4
"""Standard deviation of the blur in pixels of the reduced picture: smooth when it is enlarged."""
_SHARPEST = 0.3  # the least standard deviation there: hardly any blur
_SMALL_PIXELS = 4_000_000  # the reduced picture is no larger
_GUARD = 1 / 300
"""Background nearer to a person than this share of the longer side does not enter the blur."""
_UNSURE = 1e-4
"""Weight of what is continued behind a person: it counts where there is no background near."""


def reduction(size: Size, radius: float) -> Size:
    """By how much, (down, across), a picture of `size` is reduced before it is blurred by `radius`.

    Alike, but where a side is shorter than that; then it is the side's length, and the other one is
    a multiple of it, so that a strip is reduced along as any picture is.
    """
    height, width = size
    area = math.ceil(math.sqrt(height * width / _SMALL_PIXELS))
    length = math.ceil(max(size) / _SMALL_PIXELS)
    smooth, small = int(radius / _FINEST), max(area, length)
    both = min(max(smooth, small), *size)
    along = both * max(round(smooth / both), math.ceil(small / both))
    return (along, both) if height > width else (both, along)


def blurred_background(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], radius: float, factor: Size
) -> NDArray[np.uint8]:
    """The background alone, continued behind the people, and blurred by `radius` pixels.

    Weighted means over background alone (normalised convolution, Knutsson and Westin, "Normalized
    and differential convolution", CVPR 1993): no colour of a person bleeds into it, and nothing
    darkens beside one. uint8 of the size over the factor (see `reduction`),
    rounded up: to be enlarged bilinearly.
    """
    # Colours c with weights w, 1 for background and 0 for people, are blurred as sum(g c w) /
    # sum(g w). Holes are filled first and get a tiny weight, so that the quotient is defined deep
    # behind a person, and is what the surroundings continue to.
    colour = _cells(image, factor).transpose(2, 0, 1).astype(np.float32)
    covered = _cells(alpha, factor)
    guard = max(1, round(_GUARD * max(alpha.shape) / max(factor)))
    near = covered != 0
    for _ in range(guard):
        near = dilate(near)
    if near.all():
        clear = (255 - covered).astype(np.float32) + np.float32(_UNSURE)
        colour = _filled(colour, clear / clear.max())
    else:
        colour = _filled(colour, (~near).astype(np.float32))
    weight = np.where(near, np.float32(_UNSURE), np.float32(1.0))
    sums = np.concatenate([colour * weight, weight[None]])
    for axis in (-1, -2):
        sums = _gaussian(sums, _remaining(radius, factor[axis]), axis)
    return np.asarray((sums[:3] / sums[3:] + 0.5).transpose(1, 2, 0), dtype=np.uint8)


def _cells(image: NDArray[np.uint8], factor: Size) -> NDArray[np.uint8]:
    """Means over cells of `factor` pixels, see `reduction`."""
    both = min(factor)
    small = reduced(image, both)
    if factor == (both, both):
        return small
    down, across = factor
    return np.asarray(Image.fromarray(small).reduce((across // both, down // both)))


def _remaining(radius: float, factor: int) -> float:
    """Standard deviation, in cells, that is left to blur by along an axis.

    Reducing averages over a square, enlarging over a triangle: 1/12 and 1/6 of its side squared.
    """
    variance = (radius / factor) ** 2 - (0.25 if factor > 1 else 0.0)
    return math.sqrt(max(variance, _SHARPEST**2))


def _filled(colour: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Continue the colours (3, h, w) of a background into its holes, where the weight (h, w) is 0.

    Pull-push (Gortler et al., "The lumigraph", SIGGRAPH 1996): a hole takes the weighted mean of
    the smallest square around it, of sides 2, 4, 8 ... pixels, that has any weight. Colours are
    mixed with what is continued as far as the weight is below 1.
    """
    if weight.size == 1 or weight.min() == 1.0:
        return colour
    height, width = weight.shape
    sums = np.concatenate([colour * weight, weight[None]])
    sums = np.pad(sums, ((0, 0), (0, height % 2), (0, width % 2)))
    sums = sums[:, ::2] + sums[:, 1::2]
    sums = sums[:, :, ::2] + sums[:, :, 1::2]
    means = sums[:3] / np.maximum(sums[3], np.float32(_UNSURE**2))
    coarse = _filled(means, np.minimum(sums[3], 1.0))
    around = np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2)[:, :height, :width]
    return around + (colour - around) * weight


def _gaussian(values: NDArray[np.float32], sigma: float, axis: int) -> NDArray[np.float32]:
    """Gaussian along an axis, cut at three standard deviations; borders are repeated."""
    length = values.shape[axis]
    if length == 1:  # however wide: a side shorter than a cell has nothing left to blur
        return values
    reach = math.ceil(3.0 * sigma)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    weights = (weights / (2.0 * weights.sum() - weights[0])).astype(np.float32)
    margin = [(0, 0)] * values.ndim
    margin[axis] = (reach, reach)
    padded = np.pad(values, margin, mode="edge").swapaxes(axis, -1)
    blurred: NDArray[np.float32] = padded[..., reach : reach + length] * weights[0]
    for offset in range(1, reach + 1):
        before = padded[..., reach - offset : reach - offset + length]
        after = padded[..., reach + offset : reach + offset + length]
        blurred += (before + after) * weights[offset]
    return blurred.swapaxes(axis, -1)
