"""Tell masks whose values mean person and background from all others.

What matters is whether cutting at one half keeps the truth. Greys within 3 pixels of the outline
are smoothing or JPEG noise and are fine. A mask has a problem if more than 1 % of its pixels have
another value away from the outline, or if nothing in it reaches the cut although it is not 0/1:
then it numbers classes, marks unknown pixels or is a soft matte, and a cut would invent its
meaning. Values within 16 of black or white count only where there are at most 8 of them, because
noise has many values and labels have few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

MAX_AMBIGUOUS = 0.01
"""Share of a mask's pixels that may have a value other than its two away from the outline."""

_NEAR_OUTLINE = 3
_NEAR_EXTREME = 16
_FEW_VALUES = 8


def mask_problem(values: NDArray[np.uint8]) -> str | None:
    """Why a mask's values, uint8 (height, width) as stored, have no clear meaning; else None."""
    counts = np.array(Image.fromarray(values).histogram())
    used = np.flatnonzero(counts)
    shown = ", ".join(str(value) for value in used[:5]) + (" ..." if len(used) > 5 else "")
    wish = "use 0 for background and 255 (or 1) for person."
    if used[-1] <= 1:
        return None
    if used[-1] < 128:
        return f"its values ({shown}) all lie below the cut at 128; {wish}"
    other = used[(used > 0) & (used < 255)]
    extreme = other[(other <= _NEAR_EXTREME) | (other >= 255 - _NEAR_EXTREME)]
    if len(extreme) > _FEW_VALUES:
        other = np.setdiff1d(other, extreme)
    if not len(other) or counts[other].sum() <= MAX_AMBIGUOUS * values.size:
        return None
    share = float((np.isin(values, other) & ~_near_outline(values >= 128)).mean())
    if share <= MAX_AMBIGUOUS:
        return None
    return (
        f"{100 * share:.1f} % of its pixels are neither 0 nor 255 and lie away from any outline "
        f"(its values: {shown}); {wish}"
    )


def _near_outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of bool (height, width) within 3 of the other value."""
    image = Image.fromarray(mask.astype(np.uint8))
    side = 2 * _NEAR_OUTLINE + 1
    dilated = np.asarray(image.filter(ImageFilter.MaxFilter(side)))
    return np.asarray(dilated != np.asarray(image.filter(ImageFilter.MinFilter(side))))
