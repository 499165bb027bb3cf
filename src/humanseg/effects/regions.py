"""Connected regions of a probability map: the largest, the smallest, and holes in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.effects.rasters import dilate, window_means

PERSON_SHARE = 0.003
"""Of the image: a smaller region of a mask is not counted as a person."""
SURE, SURE_SHARE = 0.8, 0.002
"""Somebody is found where a region is sure, so far above the threshold on the way to 1, over this
share of the image; measured, see docs/predict.md."""
RATHER_SURE, EXTENT = 0.6, 0.5
"""So far above the threshold a pixel speaks for its region; so far up to the threshold a region
reaches, which is where the soft edge of a cut-out begins."""
_REACH = 0.025
"""How far beyond a dropped region its soft edge is taken away, as a share of the longer side."""
_SOFT = 2
"""Pixels of the map over which that ends."""


@dataclass(frozen=True)
class Regions:
    """Connected regions of a mask, 8-connectivity."""

    labels: NDArray[np.int32]
    """int32 (height, width): 0 outside, else the region's number from 1, in the order of each
    region's first pixel, row by row."""
    areas: NDArray[np.int64]
    """int64 (number of regions): pixels of each."""


def find_regions(mask: NDArray[np.bool_]) -> Regions:
    """Label the connected regions of a mask, bool (height, width).

    Runs of pixels along rows are joined across rows by a union-find over whole arrays (every run
    points to a lower-numbered one that it touches, then pointers are halved until they rest).
    """
    starts, ends, stride = row_runs(mask)
    roots = _join(len(starts), *_touching(starts, ends, stride))
    _, numbers = np.unique(roots, return_inverse=True)
    lengths = ends - starts
    areas = np.bincount(numbers, weights=lengths).astype(np.int64)
    labels = np.zeros(mask.shape, dtype=np.int32)
    labels[mask] = np.repeat(numbers + 1, lengths)
    return Regions(labels, areas)


def row_runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Where runs of pixels along the rows of a mask start and end, and the length of a row.

    Places are counted row by row, with a gap after each row, so that no run goes on in the next.
    """
    framed = np.zeros((mask.shape[0], mask.shape[1] + 1), dtype=np.int8)
    framed[:, :-1] = mask
    edges = np.diff(framed.ravel(), prepend=np.int8(0))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), framed.shape[1]


def _touching(
    starts: NDArray[np.intp], ends: NDArray[np.intp], stride: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (run, run of the next row) that touch along a side or at a corner."""
    first = np.searchsorted(ends, starts + stride, side="left")
    last = np.searchsorted(starts, ends + stride, side="right")
    counts = last - first
    upper = np.repeat(np.arange(len(starts)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return upper, np.repeat(first, counts) + offsets


def _join(count: int, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    """Lowest number of the set that each item is in, given pairs that belong together."""
    parent = np.arange(count)
    while first.size:
        left, right = parent[first], parent[second]
        apart = left != right
        if not apart.any():
            break
        first, second, left, right = first[apart], second[apart], left[apart], right[apart]
        np.minimum.at(parent, np.maximum(left, right), np.minimum(left, right))
        while True:
            above = parent[parent]
            if np.array_equal(above, parent):
                break
            parent = above
    return parent


def largest_share(probability: NDArray[np.float32], threshold: float) -> float:
    """Share of the image that the largest region of a probability map covers, 0 to 1."""
    areas = find_regions(probability >= threshold).areas
    return float(areas.max() / probability.size) if areas.size else 0.0


def has_person(probability: NDArray[np.float32], threshold: float) -> bool:
    """Whether a network is sure of somebody: of a region that covers at least `SURE_SHARE`.

    Sure is a probability of 0.9 or more at a threshold of 0.5. What is uncertain all over, or
    smaller, is as often something else.
    """
    return largest_share(probability, threshold + SURE * (1.0 - threshold)) >= SURE_SHARE


def drop_unsure(
    probability: NDArray[np.float32], threshold: float, sure_share: float
) -> NDArray[np.float32]:
    """Take out the regions in which a network is hardly anywhere sure of a person.

    Thresholding with hysteresis (Canny, A computational approach to edge detection, 1986), with a
    share instead of a single pixel: a person has a sure middle, what only resembles one has none.
    At a threshold of 0.5 a region is all that hangs together at a probability of 0.25 or more, and
    sure are pixels of 0.8 or more, counted against those of 0.5 or more.

    Args:
        probability: float32 (height, width), 0 to 1, on the network's grid.
        threshold: 0 to 1; a pixel is a person where its probability is at least this.
        sure_share: of a region's people, so much must be sure for it to stay, 0 to 1.

    Returns:
        float32 (height, width), 0 in what was taken out; `probability` itself if nothing was.
    """
    if sure_share <= 0.0:
        return probability
    labels = find_regions(probability >= EXTENT * threshold).labels
    sure = probability >= threshold + RATHER_SURE * (1.0 - threshold)
    counts = np.bincount(labels[probability >= threshold], minlength=labels.max() + 1)
    sures = np.bincount(labels[sure], minlength=len(counts))
    dropped = sures < sure_share * np.maximum(counts, 1)
    dropped[0] = False
    if not dropped.any():
        return probability
    return np.where(dropped[labels], np.float32(0.0), probability)


def keep_regions(
    probability: NDArray[np.float32],
    *,
    threshold: float = 0.5,
    smallest: float = 0.0,
    largest: bool = False,
    holes: float = 0.0,
) -> NDArray[np.float32]:
    """Take regions out of a probability map, and fill holes in those that stay.

    A region is a set of pixels at or above the threshold that hang together along sides or corners.
    People who touch or overlap are therefore one region, and a person whom something in front cuts
    in two is two. The probability is 0 in a dropped region and its soft edge, and rises to what it
    was over a few pixels, halfway where another region is near; it is unchanged in those that stay.
    A hole is a region below the threshold that does not reach the border of the image. Filling is
    dropping, of one minus the probability.

    Args:
        probability: float32 (height, width), 0 to 1, on the network's grid.
        threshold: where a region begins.
        smallest: drop regions that cover less than this share of the image, 0 to 1.
        largest: keep only the region with the most pixels (of equals, the topmost).
        holes: fill holes that cover less than this share of the image, 0 to 1.

    Returns:
        float32 (height, width); `probability` itself if nothing changes.
    """
    if largest or smallest > 0.0:
        regions = find_regions(probability >= threshold)
        staying = regions.areas >= smallest * probability.size
        if largest and regions.areas.size:
            staying &= np.arange(regions.areas.size) == regions.areas.argmax()
        if not staying.all():
            probability = probability * _remaining(regions, staying)
    if holes > 0.0:
        regions = find_regions(probability < threshold)
        labels = regions.labels
        border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        staying = regions.areas >= holes * probability.size
        staying[border[border > 0] - 1] = True
        if not staying.all():
            added = (1.0 - probability) * (1.0 - _remaining(regions, staying))
            probability = probability + added
    return np.asarray(probability, dtype=np.float32)


def _remaining(regions: Regions, staying: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What to multiply with: 0 in and around dropped regions, 1 in the others and elsewhere."""
    stays = np.concatenate([[False], staying])[regions.labels]
    dropped = np.concatenate([[False], ~staying])[regions.labels]
    near, guarded = dropped, stays
    for _ in range(max(_SOFT, round(_REACH * max(stays.shape)))):
        # Both grow at one pace and stop where they meet, halfway.
        near, guarded = dilate(near) & ~guarded, dilate(guarded) & ~near
    factor = 1.0 - near.astype(np.float32)
    for _ in range(_SOFT):
        factor = window_means(factor, 1)
    factor[dropped] = 0.0
    factor[stays] = 1.0
    return factor
