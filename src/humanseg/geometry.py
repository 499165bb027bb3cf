"""Resizing between a picture and the network's grid: one copy for every path.

Training, validation, evaluation and prediction all go through these functions, so that a network
sees in use exactly what it saw in training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Size = tuple[int, int]
"""(height, width) in pixels."""


def resize_image(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Stretch a picture to `size`, bilinear with antialiasing when it shrinks.

    Args:
        image: uint8 (height, width, 3).
        size: (height, width) wanted.

    Returns:
        uint8 (size[0], size[1], 3).
    """
    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def resize_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Stretch a mask to `size`: a triangle filter as wide as the shrinking, cut at one half.

    Pixel centres stay aligned with `resize_image`, unlike nearest-neighbour resizing as OpenCV
    does it (opencv/opencv#9096).

    Args:
        mask: bool (height, width).
        size: (height, width) wanted.

    Returns:
        bool (size[0], size[1]).
    """
    if mask.shape == size:
        return mask
    soft = Image.fromarray(mask.astype(np.uint8) * 255)
    resized = np.asarray(soft.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return np.asarray(resized >= 128)


def resize_mask_nearest(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Stretch a mask as OpenCV's `INTER_NEAREST` does: each pixel takes its cell's top-left one.

    Kept only to repeat published runs; it shifts masks against their pictures.
    """
    rows = np.floor(np.arange(size[0]) * (mask.shape[0] / size[0])).astype(np.intp)
    columns = np.floor(np.arange(size[1]) * (mask.shape[1] / size[1])).astype(np.intp)
    rows = np.minimum(rows, mask.shape[0] - 1)
    columns = np.minimum(columns, mask.shape[1] - 1)
    return np.asarray(mask[np.ix_(rows, columns)])


def resize_probability(probability: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Bring a probability map from the network's grid to `size`, bilinear, pixel centres aligned.

    Args:
        probability: float32 (height, width), 0 to 1.
        size: (height, width) wanted.

    Returns:
        float32 (size[0], size[1]), 0 to 1.
    """
    if probability.shape == size:
        return probability
    # uint8 would quantise; Pillow's mode F keeps float32.
    resized = Image.fromarray(probability).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(np.clip(np.asarray(resized), 0.0, 1.0), dtype=np.float32)
