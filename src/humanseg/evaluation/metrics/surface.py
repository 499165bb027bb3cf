"""Bands along contours (Cheng et al., "Boundary IoU", CVPR 2021), and distances between contours.

Distances are kept as squares of whole pixels until the last step: two pixels are within a tolerance
or not without regard to rounding.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

Mask = NDArray[np.bool_]
"""bool (height, width), True where there is a person."""

Pixels = NDArray[np.intp]
"""Row and column of n pixels, (n, 2)."""

_LONG = 8  # sides of the picture; a longer contour is quicker measured over the whole picture


def contour(mask: Mask) -> Mask:
    """Pixels of a mask with a pixel outside it above, below, left or right of them.

    The mask less its erosion with a 3x3 cross, the frame repeated: the picture's border is no
    contour, since nobody knows where the person ends beyond it. A full mask has none.
    """
    outside = ~mask
    beside = np.zeros_like(mask)
    beside[1:] |= outside[:-1]
    beside[:-1] |= outside[1:]
    beside[:, 1:] |= outside[:, :-1]
    beside[:, :-1] |= outside[:, 1:]
    return np.asarray(beside & mask)


def squared_reach(shape: tuple[int, ...], parts: int) -> int:
    """Largest squared distance in pixels that is at most the diagonal over `parts`."""
    height, width = shape
    return (height * height + width * width) // (parts * parts)


def near_contour(mask: Mask, parts: int) -> Mask:
    """Pixels, inside and outside, within the diagonal over `parts` of a mask's contour.

    Straight-line distances between pixel centres, exactly; `parts` is 50 for 2 % of the diagonal.
    """
    reach = squared_reach(mask.shape, parts)
    near = np.zeros_like(mask)
    wide, half_width = contour(mask), 0
    # A disc, row by row from its narrow ends: the contour widens along rows as the disc does.
    for step in range(min(math.isqrt(reach), len(mask) - 1), -1, -1):
        while half_width < math.isqrt(reach - step * step):
            wide, half_width = _widen(wide), half_width + 1
        near[step:] |= wide[: len(mask) - step]
        near[: len(mask) - step] |= wide[step:]
    return near


def _widen(mask: Mask) -> Mask:
    """One pixel to the left and to the right."""
    wider = mask.copy()
    wider[:, 1:] |= mask[:, :-1]
    wider[:, :-1] |= mask[:, 1:]
    return wider


def measure_surfaces(prediction: Mask, truth: Mask) -> dict[str, Any]:
    """How far the contours of two masks of one shape lie apart: those fields of `ImageScore`.

    Normalised surface Dice: Nikolov et al., "Deep learning to achieve clinically applicable
    segmentation of head and neck anatomy", 2018; average and 95th percentile distances as in
    "Metrics Reloaded" (Maier-Hein et al. 2024), the latter as the larger of both directions.
    """
    marked, true = np.argwhere(contour(prediction)), np.argwhere(contour(truth))
    lengths = {"contour_true": len(true), "contour_predicted": len(marked)}
    if not len(marked) or not len(true):
        return {**lengths, "contour_near_05": 0, "contour_near_10": 0}
    long = len(marked) + len(true) > _LONG * sum(truth.shape)
    between = _squared_over_image if long else _squared_by_tree
    squared = between(true, marked, truth.shape), between(marked, true, truth.shape)
    both = np.concatenate(squared)
    near_05, near_10 = (
        int(np.count_nonzero(both <= squared_reach(truth.shape, parts))) for parts in (200, 100)
    )
    return {
        **lengths,
        "contour_near_05": near_05,
        "contour_near_10": near_10,
        "distance_sum": float(np.sqrt(both).sum()),
        "distance_p95": max(float(np.percentile(np.sqrt(part), 95)) for part in squared),
    }


def _squared_by_tree(points: Pixels, others: Pixels, shape: tuple[int, ...]) -> Pixels:
    """Squared distance of every point to the nearest of the others; time grows with points."""
    _, nearest = cKDTree(others).query(points)
    return _squared(points - others[nearest])


def _squared_over_image(points: Pixels, others: Pixels, shape: tuple[int, ...]) -> Pixels:
    """The same; time grows with pixels alone, however long and intricate the contours are."""
    elsewhere = np.ones(shape, dtype=np.bool_)
    elsewhere[tuple(others.T)] = False
    nearest = ndimage.distance_transform_edt(
        elsewhere, return_distances=False, return_indices=True
    )[:, points[:, 0], points[:, 1]]
    return _squared(points - nearest.T)


def _squared(offsets: Pixels) -> Pixels:
    return np.asarray((offsets * offsets).sum(axis=1), dtype=np.intp)


BOUNDARY_SHARE = 0.02
"""Width of the boundary band as a share of the picture's diagonal (Cheng et al. 2021)."""


def boundary_band(mask: Mask, width: int) -> Mask:
    """Pixels of a mask within `width` of its contour; the picture's border counts as contour.

    The mask less its erosion, `width` times with 3x3 ones inside a frame of zeros, as in the
    authors' code (Cheng et al., "Boundary IoU", CVPR 2021). Eroding `width` times with 3x3 ones is
    eroding once with a square of side 2 * width + 1, which is what is done here.
    """
    side = 2 * width + 1
    eroded = ndimage.minimum_filter(mask.view(np.uint8), size=side, mode="constant", cval=0)
    return np.asarray(mask & ~eroded.astype(np.bool_))


def boundary_width(height: int, width: int) -> int:
    """Band width in pixels: 2 % of the diagonal, rounded, at least 1."""
    return max(1, round(BOUNDARY_SHARE * math.hypot(height, width)))
