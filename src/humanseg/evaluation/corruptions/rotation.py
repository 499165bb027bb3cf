"""Turn a picture and its mask by the same angle."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from humanseg.images.resize import Size

_QUARTER = 90


def draw_turn(angle: int, random: Generator) -> int:
    """The angle, clockwise (negative) or counterclockwise (positive) by chance."""
    return angle if random.integers(2) else -angle


def turn_image(image: NDArray[np.uint8], angle: int, random: Generator) -> NDArray[np.uint8]:
    """Turn uint8 (height, width, 3) by degrees either way, bilinear.

    Quarter turns are exact, others keep the canvas; corners that come from outside are mirrored in.
    """
    turn = draw_turn(angle, random)
    if turn % _QUARTER == 0:
        return np.rot90(image, turn // _QUARTER).copy()
    size = (image.shape[0], image.shape[1])
    planes = [_turn_plane(image[..., channel], turn, size, order=1) for channel in range(3)]
    return np.stack(planes, axis=2)


def turn_mask(mask: NDArray[np.bool_], turn: int, size: Size) -> NDArray[np.bool_]:
    """Turn a bool mask counterclockwise as `turn_image` turned its image, nearest neighbour.

    A mask of any size is stretched over the image, whose `size` is (height, width).
    """
    if turn % _QUARTER == 0:
        return np.rot90(mask, turn // _QUARTER).copy()
    return _turn_plane(mask.view(np.uint8), turn, size, order=0).view(np.bool_)


def _turn_plane(
    plane: NDArray[np.uint8], turn: int, size: Size, *, order: int
) -> NDArray[np.uint8]:
    """Sample every pixel where it was before, in the geometry of the whole picture."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    height, width = (whole / own for whole, own in zip(size, plane.shape, strict=True))
    # In (row, column); rows run down, hence the signs of a counterclockwise turn undone.
    back = np.array([[cos, sin * width / height], [-sin * height / width, cos]])
    centre = (np.array(plane.shape) - 1) / 2
    turned = affine_transform(
        plane, back, offset=centre - back @ centre, order=order, mode="reflect"
    )
    return np.asarray(turned, dtype=np.uint8)
