"""Random layers that are laid over a picture: clouds and rectangles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_CLOUD_SIDE = 256
_MAX_ASPECT = 2.0  # of a rectangle, against the picture's
_TRIES = 100

Box = tuple[float, float, float, float]
"""Top, left, bottom, right as shares of the picture."""


def cloud(decay: float, random: Generator) -> NDArray[np.float32]:
    """A plasma fractal by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982).

    It repeats itself at its borders, like ImageNet-C's.

    Args:
        decay: roughness of every finer step is divided by its square; more is smoother.
        random: source of randomness.

    Returns:
        float32 (256, 256), 0 to 1, both reached.
    """
    corners = np.zeros((1, 1))
    roughness = 1.0
    while len(corners) < _CLOUD_SIDE:
        corners = _refine(corners, roughness, random)
        roughness /= decay**2
    corners -= corners.min()
    return np.asarray(corners / corners.max(), dtype=np.float32)


def _refine(
    corners: NDArray[np.float64], roughness: float, random: Generator
) -> NDArray[np.float64]:
    """Twice the grid: a new point in every cell and on every edge, near the mean of its four."""

    def near(total: NDArray[np.float64]) -> NDArray[np.float64]:
        return total / 4 + random.uniform(-roughness, roughness, total.shape)

    rows = corners + np.roll(corners, -1, axis=0)  # above plus below, for every vertical edge
    columns = corners + np.roll(corners, -1, axis=1)
    middle = near(rows + np.roll(rows, -1, axis=1))
    finer = np.empty((2 * len(corners), 2 * len(corners)))
    finer[::2, ::2] = corners
    finer[1::2, 1::2] = middle
    finer[::2, 1::2] = near(columns + middle + np.roll(middle, 1, axis=0))
    finer[1::2, ::2] = near(rows + middle + np.roll(middle, 1, axis=1))
    return finer


def rectangles(covered: Sequence[float], random: Generator) -> list[Box]:
    """Place rectangles that do not overlap, one after the other.

    Args:
        covered: share of the picture that the first, the first two, ... cover together, rising
            to 0.25 at most.
        random: source of randomness.
    """
    while True:
        placed: list[Box] = []
        for area in np.diff(covered, prepend=0.0):
            box = _place(float(area), placed, random)
            if box is None:
                break
            placed.append(box)
        if len(placed) == len(covered):
            return placed


def _place(area: float, others: Sequence[Box], random: Generator) -> Box | None:
    """A rectangle of random shape beside the others; None where luck was bad."""
    for _ in range(_TRIES):
        aspect = _MAX_ASPECT ** random.uniform(-1.0, 1.0)
        height, width = (area * aspect) ** 0.5, (area / aspect) ** 0.5
        top, left = random.uniform(0.0, 1.0 - height), random.uniform(0.0, 1.0 - width)
        box = (top, left, top + height, left + width)
        if not any(_overlap(box, other) for other in others):
            return box
    return None


def _overlap(first: Box, second: Box) -> bool:
    return (
        first[0] < second[2]
        and second[0] < first[2]
        and first[1] < second[3]
        and second[1] < first[3]
    )
