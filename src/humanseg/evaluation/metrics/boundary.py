"""Boundary IoU: Cheng et al., "Boundary IoU", CVPR 2021."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from humanseg.evaluation.metrics.overlap import Mask

BOUNDARY_SHARE = 0.02
"""Width of the boundary band as a share of the picture's diagonal (Cheng et al. 2021)."""


def boundary_band(mask: Mask, width: int) -> Mask:
    """Pixels of a mask within `width` of its contour; the picture's border counts as contour.

    The mask less its erosion, `width` times with 3x3 ones inside a frame of zeros, as in the
    authors' code (Cheng et al., "Boundary IoU", CVPR 2021). Eroding `width` times with 3x3 ones is
    eroding once with a square of side 2 * width + 1, which is what is done here.

    Args:
        mask: bool (height, width).
        width: pixels, at least 1.

    Returns:
        bool (height, width).
    """
    side = 2 * width + 1
    eroded = ndimage.minimum_filter(mask.view(np.uint8), size=side, mode="constant", cval=0)
    return np.asarray(mask & ~eroded.astype(np.bool_))


def boundary_width(height: int, width: int) -> int:
    """Band width in pixels: 2 % of the diagonal, rounded, at least 1."""
    return max(1, round(BOUNDARY_SHARE * math.hypot(height, width)))
