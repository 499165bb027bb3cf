"""Tell masks whose values mean person and background from all others.

What matters is whether cutting at one half keeps the truth. Greys within 3 pixels of the outline
are smoothing or JPEG noise and are fine. A mask has a problem if more than 1 % of its pixels have
another value away from the outline, or if nothing in it reaches the cut although it is not 0/1:
then it numbers classes, marks unknown pixels or is a soft matte, and a cut would invent its
meaning. Values within 16 of black or white count only where there are at most 8 of them, because
noise has many values and labels have few. Colours, of which the largest channel is cut, have one
where two of them, both on more than 1 % of the pixels away from outlines, would be people alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

MAX_AMBIGUOUS = 0.01
"""Share of a mask's pixels that may have a value other than its two away from the outline."""

MIN_DIFFERENCE = 48
"""Of one channel, between two colours: less is noise of one colour."""

_SIDE = 512  # of colours, more pixels are not looked at
_FREQUENT = 32  # colours, of which those that differ are told apart
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
    if len(used) == 2:
        return f"its values are {used[0]} and {used[1]}; {wish}"
    return (
        f"{100 * share:.1f} % of its pixels are neither 0 nor 255 and lie away from any outline "
        f"(its values: {shown}); {wish}"
    )


def colour_problem(colours: NDArray[np.uint8] | None) -> str | None:
    """Why the colours of a mask, uint8 (height, width, 3), have no clear meaning; else None."""
    if colours is None:
        return None
    colours = colours[:: max(1, len(colours) // _SIDE), :: max(1, colours.shape[1] // _SIDE)]
    if np.ptp(colours, axis=2).max() < MIN_DIFFERENCE:
        return None  # greys
    kinds, labels = _kinds(colours)
    apart = labels[~_near_outline(labels)]
    shares = np.bincount(apart, minlength=len(kinds)) / labels.size
    people = kinds[(shares > MAX_AMBIGUOUS) & (kinds.max(axis=1) >= 128)].tolist()
    if len(people) < 2:
        return None
    shown = ", ".join(str(tuple(colour)) for colour in people[:3]) + " ..." * (len(people) > 3)
    return (
        f"its colours number classes, or people one by one: {len(people)} of them ({shown}) would "
        "all be people; use black for background and white for person, or --accept mask-values if "
        "they all are people."
    )


def _kinds(colours: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The most frequent colours that differ, (K, 3), and which of them each pixel is nearest to."""
    keys = (colours >> 3).astype(np.int64) @ [1 << 10, 1 << 5, 1]
    counts = np.bincount(keys.ravel())
    kinds: list[NDArray[np.int16]] = []
    for key in counts.argsort()[::-1][:_FREQUENT]:
        if counts[key]:
            colour = np.median(colours[keys == key], axis=0).astype(np.int16)
            if all(np.abs(colour - other).max() >= MIN_DIFFERENCE for other in kinds):
                kinds.append(colour)
    distances = [np.abs(colours - colour).max(axis=2) for colour in kinds]
    return np.array(kinds, dtype=np.uint8), np.argmin(distances, axis=0).astype(np.uint8)


def _near_outline(labels: NDArray[np.bool_ | np.uint8]) -> NDArray[np.bool_]:
    """Pixels of (height, width) within 3 of another value."""
    image = Image.fromarray(labels.astype(np.uint8))
    side = 2 * _NEAR_OUTLINE + 1
    dilated = np.asarray(image.filter(ImageFilter.MaxFilter(side)))
    return np.asarray(dilated != np.asarray(image.filter(ImageFilter.MinFilter(side))))
