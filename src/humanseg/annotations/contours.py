"""Outlines of masks along the borders of pixels, and the same with fewer points.

A point is (x, y) in pixels: (0, 0) is the top left corner of the image, (1, 1) that of the pixel in
the second row and column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ring: TypeAlias = NDArray[np.float64]
"""float64 (points, 2), closed: the last point is joined to the first."""


def trace_rings(mask: NDArray[np.bool_]) -> tuple[list[Ring], NDArray[np.intp]]:
    """The outlines of all regions of a mask and of their holes, exactly.

    Regions hang together along sides or corners, as those of `humanseg.effects.regions` do, so that
    each has one outline. Seen on the screen, outlines run clockwise and holes against it.

    The horizontal edges are cut into pieces at the corners. The corners in one column of the grid,
    from the top down, are the ends of vertical edges, two by two; these say which piece follows
    which. All but the walk from piece to piece is done on whole arrays.

    Returns the rings of a bool (height, width), with a point at every corner, in the order of their
    topmost pieces; and for each a pixel, (ring, 2), of the region that it belongs to.
    """
    stride = mask.shape[1] + 2
    framed = np.zeros((mask.shape[0] + 2, stride), dtype=np.int8)
    framed[1:-1, 1:-1] = mask
    steps = np.diff(framed, axis=0).ravel()  # 1 above a pixel of the mask, -1 below
    changes = np.flatnonzero(steps[1:] != steps[:-1]) + 1
    starts, ends = changes[steps[changes] != 0], changes[steps[changes - 1] != 0]
    down = steps[starts] > 0
    rows, left, right = starts // stride, starts % stride - 1, ends % stride - 1
    first, last = np.where(down, left, right), np.where(down, right, left)  # mask on the right hand
    following = _following(first, last, rows, down)
    rings, owners = [], []
    for pieces in _cycles(following):
        points = np.empty((2 * len(pieces), 2))
        points[0::2, 0], points[1::2, 0] = first[pieces], last[pieces]
        points[:, 1] = np.repeat(rows[pieces], 2)
        rings.append(points)
        top = pieces[0]
        owners.append((rows[top] if down[top] else rows[top] - 1, left[top]))
    return rings, np.array(owners, dtype=np.intp).reshape(-1, 2)


def _following(
    first: NDArray[np.intp], last: NDArray[np.intp], rows: NDArray[np.intp], down: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """For each horizontal piece, the one to which a vertical edge leads from its end."""
    count = len(first)
    # Where two pixels touch at a corner alone, four edges meet in it. The piece below a pixel's
    # upper edge comes first: that joins the two pixels.
    up = np.tile(~down, 2)
    order = np.lexsort((up, np.tile(rows, 2), np.concatenate([first, last])))
    above, below = order[0::2], order[1::2]
    following = np.empty(count, dtype=np.intp)
    following[np.maximum(above, below) - count] = np.minimum(above, below)
    return following


def _cycles(following: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    pointers = following.tolist()
    seen = bytearray(len(pointers))
    cycles = []
    for start in range(len(pointers)):
        pieces = []
        while not seen[start]:
            seen[start] = 1
            pieces.append(start)
            start = pointers[start]
        if pieces:
            cycles.append(np.array(pieces))
    return cycles


def smoothed(ring: Ring) -> Ring:
    """A ring along the borders of pixels, led through the middles of their sides instead.

    Stairs become slopes, which need fewer points; the centres of pixels stay on their side. Of a
    straight piece, the middles of the first and the last pixel's sides are taken.
    """
    following = np.roll(ring, -1, axis=0)
    half = np.sign(following - ring) / 2
    middles = np.stack([ring + half, following - half], axis=1).reshape(-1, 2)
    return np.asarray(middles[(middles != np.roll(middles, 1, axis=0)).any(axis=1)])


def simplify(ring: Ring, tolerance: float) -> Ring:
    """A ring with fewer points, by Douglas and Peucker's method.

    Points that are left out lie off the new outline by at most `tolerance` pixels. `ring` itself
    where fewer than three would be left.
    """
    far = int(np.argmax(np.square(ring - ring[0]).sum(axis=1)))
    closed = np.concatenate([ring, ring[:1]])
    stays = np.zeros(len(closed), dtype=np.bool_)
    stays[[0, far]] = True
    pending = [(0, far), (far, len(ring))]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        distances = _squared_distances(closed[first : last + 1])
        worst = int(np.argmax(distances))
        if distances[worst] > tolerance * tolerance:
            middle = first + 1 + worst
            stays[middle] = True
            pending += [(first, middle), (middle, last)]
    simple = ring[stays[:-1]]
    return simple if len(simple) >= 3 else ring


def _squared_distances(points: Ring) -> NDArray[np.float64]:
    """Of all points but the first and last from the line between these two."""
    chord, inner = points[-1] - points[0], points[1:-1] - points[0]
    length = float(chord @ chord)
    if length > 0.0:
        inner = inner - np.clip(inner @ chord / length, 0.0, 1.0)[:, None] * chord
    return np.asarray(np.square(inner).sum(axis=1))


def bridged(rings: Sequence[Ring]) -> Ring:
    """One ring of an outline and its holes, which run the other way round, joined by seams.

    For formats that have no holes: what fills polygons leaves the holes out all the same.
    """
    outline = rings[0]
    for hole in rings[1:]:
        at = int(np.argmin(np.square(outline - hole[0]).sum(axis=1)))
        outline = np.concatenate([outline[: at + 1], hole, hole[:1], outline[at:]])
    return outline
