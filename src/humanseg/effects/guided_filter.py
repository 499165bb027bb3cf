"""Bring a coarse probability map to the picture's own edges: the fast guided filter.

He and Sun, "Fast Guided Filter", 2015 (arXiv:1505.00996), after He, Sun and Tang, "Guided Image
Filtering", TPAMI 2013: within every small window the probability is taken to be a linear function
of colour, q = a . I + b. The coefficients are fitted at reduced size, averaged, enlarged and
applied to the picture at full size, whose edges q then has.

Unlike there, a window counts only as far as colour explains the probability in it: by R^2, the
share of its variance, from `TRUSTED[0]` on, wholly from `TRUSTED[1]`. Where leaves or folds have
edges of their own beside the outline, colour explains little, and the probability stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.effects.rasters import reduced, row_bands, stretched_rows, window_means
from humanseg.images.resize import resize_image, resize_probability, size_within

SIDE = 320
"""Longer side, in pixels, of the reduced picture that the coefficients are fitted on."""
RADIUS = 4
"""Windows have 2 * 4 + 1 pixels of it on a side: an outline moves by no more than these few."""
EPSILON = 1e-4
"""Variance of colour, on the scale 0 to 1, below which a window counts as plain: noise."""
TRUSTED = (0.5, 0.9)
"""R^2 of windows that do not count at all, and that count wholly."""
_EVEN = 1e-5  # variance of a probability that has no outline

Floats = NDArray[np.float32]


def refine(
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    *,
    side: int = SIDE,
    radius: int = RADIUS,
    epsilon: float = EPSILON,
    trusted: tuple[float, float] = TRUSTED,
) -> NDArray[np.float32]:
    """Refined probability at the picture's size, float32, with the picture, uint8 RGB, as guide.

    The probability is on the network's grid. A picture whose longer side is above `side` is reduced
    to it; windows reach `radius` of its pixels; the larger `epsilon`, the smoother; `trusted`
    below zero are the paper's: every window counts.
    """
    bands = refined_bands(
        image, probability, side=side, radius=radius, epsilon=epsilon, trusted=trusted
    )
    return np.concatenate([values for _, values in bands])


def refined_bands(
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    *,
    side: int = SIDE,
    radius: int = RADIUS,
    epsilon: float = EPSILON,
    trusted: tuple[float, float] = TRUSTED,
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """`refine` from top to bottom in bands, for large pictures: rows and their values."""
    size = (image.shape[0], image.shape[1])
    small = size_within(size, side)
    # A large picture is first reduced in bands, so that Pillow needs no copy of the whole.
    reduction = max(1, max(size) // (4 * side))
    guide = resize_image(reduced(image, reduction), small).transpose(2, 0, 1).astype(np.float32)
    guide /= np.float32(255.0)
    fitted = _fit(guide, resize_probability(probability, small), radius, epsilon, trusted)
    planes = [Image.fromarray(plane) for plane in fitted]
    for rows in row_bands(size):
        slopes = (np.asarray(stretched_rows(plane, size, rows)) for plane in planes[:3])
        refined = np.array(stretched_rows(planes[3], size, rows))
        for channel, slope in enumerate(slopes):
            refined += slope * image[rows, :, channel]
        yield rows, np.clip(refined, 0.0, 1.0, out=refined)


def _fit(
    guide: Floats,
    probability: Floats,
    radius: int,
    epsilon: float,
    trusted: tuple[float, float],
) -> Floats:
    """Averaged coefficients: float32 (4, h, w), three slopes per level of 0 to 255, and b."""
    # Ridge regression in every window (equations 14 and 15 of the 2013 paper): the slopes are
    # (covariance of colour + epsilon)^-1 (covariance of colour and probability), and the offset
    # makes the means agree. Covariance is mean of product less product of means, in float64.
    first, second = np.triu_indices(3)  # red with red, green and blue, green with green ...
    products = guide[first] * guide[second]
    squared = (probability * probability)[None]
    layers = np.concatenate([guide, probability[None], squared, products, guide * probability])
    means = window_means(layers, radius).astype(np.float64)
    colour, level = means[:3], means[3]
    covariance = means[5:11] - colour[first] * colour[second]
    covariance[first == second] += epsilon
    common = means[11:] - colour * level
    slopes = _solve(covariance, common)
    offset = level - (slopes * colour).sum(axis=0)
    explained = (slopes * common).sum(axis=0) / np.maximum(means[4] - level * level, _EVEN)
    weight = _smooth_step(explained, *trusted)
    # Every window votes a . I + b by its weight, and for the probability itself by the rest.
    votes = np.concatenate([weight * slopes / 255.0, [weight * offset, weight]])
    fitted = window_means(votes.astype(np.float32), radius)
    fitted[3] += (np.float32(1.0) - fitted[4]) * probability
    return fitted[:4]


def _smooth_step(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """0 up to `low`, 1 from `high` on, and between 3 t^2 - 2 t^3."""
    step = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(step * step * (3.0 - 2.0 * step), dtype=np.float64)


def _solve(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve a symmetric system, elements 11, 12, 13, 22, 23, 33, in every pixel by its adjugate."""
    a, b, c, d, e, f = matrix
    # Cofactors of a symmetric matrix, named by their row and column; the determinant is the first
    # row times its own.
    c11, c12, c13 = d * f - e * e, c * e - b * f, b * e - c * d
    c22, c23, c33 = a * f - c * c, b * c - a * e, a * d - b * b
    x, y, z = right
    solved = np.stack(
        [
            c11 * x + c12 * y + c13 * z,
            c12 * x + c22 * y + c23 * z,
            c13 * x + c23 * y + c33 * z,
        ]
    )
    return np.asarray(solved / (a * c11 + b * c12 + c * c13), dtype=np.float64)
