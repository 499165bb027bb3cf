"""The shapes of masks: boxes, blocks, ellipses and hulls are none of people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

CORNERS = 0.15
"""Corners of a mask's pixels over the length of its outline: of boxes and blocks less, of people
0.3 and more."""

Masks = NDArray[np.bool_]


def straight(masks: Masks) -> NDArray[np.bool_]:
    """Which of masks (N, S, S) are boxes or blocks: outlines with few corners."""
    down, right = masks[:, :-1] ^ masks[:, 1:], masks[:, :, :-1] ^ masks[:, :, 1:]
    corners = (down[:, :, :-1] ^ down[:, :, 1:]).sum(axis=(1, 2))
    length = down.sum(axis=(1, 2)) + right.sum(axis=(1, 2))
    return np.asarray(corners < CORNERS * length)


def solidity(mask: Masks) -> float:
    """Area of a mask's parts over that of their convex hulls: 0.8 of people, nearly 1 of hulls."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    boxes = enumerate(ndimage.find_objects(labels), start=1)
    hulls = sum(_area_of_hull(labels[box] == part) for part, box in boxes)
    return float(np.count_nonzero(mask) / hulls) if hulls else 0.0


def _area_of_hull(part: Masks) -> float:
    """Pixels that the hull of all pixels' corners covers."""
    rows = np.flatnonzero(part.any(axis=1))
    left = part[rows].argmax(axis=1)
    right = part.shape[1] - part[rows, ::-1].argmax(axis=1)
    corners = [np.stack([rows + down, side], 1) for down in (0, 1) for side in (left, right)]
    return float(ConvexHull(np.concatenate(corners)).volume)  # in two dimensions the area
