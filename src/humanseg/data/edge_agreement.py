"""What the outlines of masks say of them, without any network: their shapes, and where they run.

A mask's outline lies where its image changes: on photographs and drawings alike the edges under it
are stronger than under the same outline mirrored, turned, shifted, made wider or smaller, or laid
on another image. Boxes, blocks, ellipses and hulls are outlines of no people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from humanseg.data.label_sample import LabelSample

MIN_OUTLINE = 24
"""Pixels of an outline, on the small grid, below which nothing is said of its mask."""
MAX_SHIFT = 28
"""Pixels of the small grid by which masks are shifted at most."""
CORNERS = 0.15
"""Corners of a mask's pixels over the length of its outline: of boxes and blocks less, of people
0.3 and more."""

Floats = NDArray[np.float32]
Masks = NDArray[np.bool_]

ALTERATIONS: dict[str, Callable[[Masks], Masks]] = {
    "mirrored": lambda masks: masks[:, :, ::-1],
    "upside-down": lambda masks: masks[:, ::-1],
    "turned by 180": lambda masks: masks[:, ::-1, ::-1],
    "turned by 90": lambda masks: np.rot90(masks, 1, axes=(1, 2)),
    "turned by 270": lambda masks: np.rot90(masks, 3, axes=(1, 2)),
    "transposed": lambda masks: masks.swapaxes(1, 2),
    "anti-transposed": lambda masks: masks[:, ::-1, ::-1].swapaxes(1, 2),
}
"""What may have been done to masks (N, S, S); turned is anticlockwise. Transposed: rows and columns
exchanged; anti-transposed: counted from the end."""

REMEDIES = ("too wide", "too narrow", "scaled", "shifted")
"""What may be wrong with masks that `remedied` ones fit better."""
OFFSETS = (3, 6, 9)
"""Pixels of the small grid by which masks are made narrower or wider."""
SCALES = (
    *((factor, factor) for factor in (0.8, 0.9, 1.11, 1.25)),
    *((factor, 1.0) for factor in (0.75, 0.85, 1.18, 1.33)),
    *((1.0, factor) for factor in (0.75, 0.85, 1.18, 1.33)),
)
"""Height and width of scaled masks over those of the masks, about the middle of the image."""
CORNER_SCALES = tuple(
    scale for factor in (0.67, 0.75, 1.33, 1.5) for scale in ((factor, 1.0), (1.0, factor))
)
"""The same about the top left corner: frames that were added, or forgotten, at two sides only."""
SHIFTS = (5, 10)
"""Pixels of the small grid by which single masks are shifted, in eight directions."""


def remedied(masks: Masks) -> Iterator[tuple[str, Masks]]:
    """Masks (N, S, S) changed so that wrong ones would be right, with one of `REMEDIES` each."""
    for pixels in OFFSETS:
        around = (1, 2 * pixels + 1, 2 * pixels + 1)
        yield "too wide", ndimage.minimum_filter(masks, around)
        yield "too narrow", ndimage.maximum_filter(masks, around)
    middle = (masks.shape[1] - 1) / 2
    for scale in SCALES:
        yield "scaled", _scaled(masks, scale, middle)
    for scale in CORNER_SCALES:
        yield "scaled", _scaled(masks, scale, -0.5)
    for step in SHIFTS:
        for move in product((-step, 0, step), repeat=2):
            if any(move):
                yield "shifted", shift(masks, *move)


def shift(masks: Masks, down: int, right: int) -> Masks:
    """Masks (N, S, S) moved by some pixels; background comes in."""
    moved = np.zeros_like(masks)
    height, width = masks.shape[1:]
    moved[:, max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = masks[
        :, max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)
    ]
    return moved


def _scaled(masks: Masks, scale: tuple[float, float], fixed: float) -> Masks:
    """Masks made larger or smaller about the pixel that stays, in rows and columns alike."""
    side = masks.shape[1]
    rows, columns = ((np.arange(side) - fixed) / factor + fixed for factor in scale)
    outside = [(axis < -0.5) | (axis > side - 0.5) for axis in (rows, columns)]
    rows, columns = (axis.round().clip(0, side - 1).astype(int) for axis in (rows, columns))
    scaled = masks[:, rows][:, :, columns]
    scaled[:, outside[0]] = scaled[:, :, outside[1]] = False
    return scaled


@dataclass(frozen=True, slots=True, eq=False)
class EdgeAgreement:
    """Mean edge strength, 0 to 1, under outlines; N pairs."""

    testable: NDArray[np.bool_]
    """(N,): outlines long enough to say anything."""
    own: Floats
    """(N,): under the image's own outline."""
    others: Floats
    """(N, N): of image i under outline j; NaN on the diagonal and for outlines not testable."""
    altered: dict[str, Floats]
    """(N,) by alteration: under the own outline, altered; of several remedies the best."""
    shift: tuple[int, int]
    """(down, right) in pixels of the small grid: where all outlines together agree best."""
    shift_gain: Floats
    """(testable,): what that shift adds to the agreement of each."""

    def deviations(self, agreement: Floats) -> Floats:
        """(N,): so many standard deviations of other masks' agreement above their mean."""
        mean = np.nanmean(self.others, axis=1)
        spread = np.nanstd(self.others, axis=1)
        return np.asarray((agreement - mean) / np.maximum(spread, 1e-6), dtype=np.float32)


def edge_agreement(sample: LabelSample) -> EdgeAgreement:
    """Compare outlines with edges, of two testable pairs at least; 200 pairs take two seconds."""
    edges, outlines = _edges(sample.images), _outlines(sample.masks)
    flat = outlines.reshape(len(sample), -1)
    lengths = flat.sum(axis=1)
    usable = lengths >= MIN_OUTLINE
    others = edges.reshape(flat.shape) @ flat.T.astype(np.float32)
    others /= np.maximum(lengths, 1).astype(np.float32)
    own = np.diag(others).copy()
    np.fill_diagonal(others, np.nan)
    others[:, ~usable] = np.nan
    best, gain = _best_shift(edges[usable], outlines[usable])
    altered = {name: _under(edges, alter(outlines)) for name, alter in ALTERATIONS.items()}
    altered |= {name: np.zeros_like(own) for name in REMEDIES}
    for name, masks in remedied(sample.masks):
        altered[name] = np.maximum(altered[name], _under(edges, _outlines(masks)))
    return EdgeAgreement(usable, own, others, altered, best, gain)


def has_outline(masks: Masks) -> NDArray[np.bool_]:
    """Which of masks (N, S, S) have an outline long enough, bool (N,)."""
    return np.asarray(_outlines(masks).sum(axis=(1, 2)) >= MIN_OUTLINE)


def _edges(images: NDArray[np.uint8]) -> Floats:
    """Rank of each pixel's gradient within its image, 0 (flattest) to 1.

    Ranks, because contrast differs between images and must not decide.
    """
    smooth = ndimage.gaussian_filter(images.astype(np.float32), (0, 1, 1, 0))
    gradient = np.zeros(images.shape[:3], dtype=np.float32)
    gradient[:, 1:-1] = np.abs(smooth[:, 2:] - smooth[:, :-2]).max(axis=3) ** 2
    gradient[:, :, 1:-1] += np.abs(smooth[:, :, 2:] - smooth[:, :, :-2]).max(axis=3) ** 2
    flat = gradient.reshape(len(images), -1)
    ranks = flat.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return (ranks / max(1, flat.shape[1] - 1)).astype(np.float32).reshape(gradient.shape)


def _outlines(masks: Masks) -> Masks:
    """Pixels on either side of an outline; the image's border is none."""
    outline = np.zeros_like(masks)
    down, right = _steps(masks)
    outline[:, :-1] |= down
    outline[:, 1:] |= down
    outline[:, :, :-1] |= right
    outline[:, :, 1:] |= right
    outline[:, [0, -1]] = outline[:, :, [0, -1]] = False
    return outline


def _steps(masks: Masks) -> tuple[Masks, Masks]:
    """Where a pixel differs from the one below it, and from the one to its right."""
    return masks[:, :-1] ^ masks[:, 1:], masks[:, :, :-1] ^ masks[:, :, 1:]


def _under(edges: Floats, outlines: Masks) -> Floats:
    """Mean edge strength; 0 under outlines that are too short to say anything."""
    lengths = outlines.sum(axis=(1, 2))
    sums = (edges * outlines).sum(axis=(1, 2))
    return np.where(lengths < MIN_OUTLINE, 0.0, sums / np.maximum(lengths, 1)).astype(np.float32)


def _best_shift(edges: Floats, outlines: Masks) -> tuple[tuple[int, int], Floats]:
    """Where the mean agreement of all outlines, shifted alike, is highest, and each one's gain.

    Cross-correlation by the Fourier transform, padded so that nothing comes in again at the other
    side; edges less their mean, so that what leaves the image counts as average.
    """
    size = (2 * edges.shape[1], 2 * edges.shape[2])
    window = np.r_[0 : MAX_SHIFT + 1, -MAX_SHIFT:0]
    shifted = np.empty((len(edges), len(window), len(window)), dtype=np.float32)
    for index, (edge, outline) in enumerate(zip(edges, outlines, strict=True)):
        spectrum = np.fft.rfft2(edge - edge.mean(), size)
        spectrum *= np.conj(np.fft.rfft2(outline.astype(np.float32), size))
        correlation = np.fft.irfft2(spectrum, size) / max(1, int(outline.sum()))
        shifted[index] = correlation[np.ix_(window, window)]
    down, right = np.unravel_index(int(shifted.mean(axis=0).argmax()), shifted.shape[1:])
    gain = shifted[:, down, right] - shifted[:, 0, 0]
    return (int(window[down]), int(window[right])), gain


def straight(masks: Masks) -> NDArray[np.bool_]:
    """Which of masks (N, S, S) are boxes or blocks: outlines with few corners."""
    down, right = _steps(masks)
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
