"""The person's own colour where person and background mix: what keeps a cut-out free of a rim.

Images are uint8 (height, width, 3) RGB, alpha is uint8 (height, width), 255 for a person.

In a picture, a pixel at the outline shows I = a F + (1 - a) B: a share `a` of the person's colour F
and the rest of the background's, B. Laid on another background, the old one would shine through.
Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021 (blur fusion), estimates F in two
passes, each

    F' = blur(a F) / blur(a),  B' = blur((1 - a) B) / blur(1 - a)
    F  = F' + a (I - a F' - (1 - a) B')

first over a wide window with F = B = I, then over a narrow one with what the first pass gave. Here
the wide blurs are computed on a reduced picture, and all else only in tiles along the outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.effects.rasters import row_bands, window_means, window_sums

_CELL = 8  # side of a cell of the reduced picture, in pixels of a picture of up to `_LONG` pixels
_LONG = 1920  # beyond this longer side everything grows with it
_WIDE = 5  # the first pass averages over 2 * 5 + 1 cells: 88 pixels, 90 in the paper's code
_NARROW = 3  # the second pass averages over 2 * 3 + 1 pixels, 6 in the paper's code
_CELLS = 4  # cells along the side of a tile
_REACH = 2  # cells around a tile that its pixels are interpolated from
_CHUNK = 60_000  # pixels of tiles that are worked on at once: what fits into a processor's cache
_NOTHING = np.float32(1e-4)  # less weight than any pixel has

Floats = NDArray[np.float32]


def estimate_foreground(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colour of the person in every pixel that belongs to the person in part, uint8 RGB.

    The picture's own where alpha, uint8 (height, width), is 255, the person's estimated colour
    where it is between; where it is 0, the person's colour continued for some pixels beyond the
    outline, else the picture.
    """
    foreground = image.copy()
    paint_foreground(foreground, image, alpha)
    return foreground


def paint_foreground(
    target: NDArray[np.uint8], image: NDArray[np.uint8], alpha: NDArray[np.uint8]
) -> None:
    """Write what `estimate_foreground` estimates into `target`'s first three channels."""
    scale = max(1, round(max(alpha.shape) / _LONG))
    layout = _Layout(_CELL * scale, _NARROW * scale)
    rows, columns = _tiles(alpha, layout.side)
    if not rows.size:
        return
    wide = _wide_sums(image, alpha, layout)
    chunk = max(1, _CHUNK // (layout.side + 2 * layout.margin) ** 2)
    for start in range(0, rows.size, chunk):
        part = slice(start, start + chunk)
        _paint_tiles(target, image, alpha, wide, layout, rows[part], columns[part])


@dataclass(frozen=True)
class _Layout:
    """Lengths in pixels, in proportion to the picture."""

    cell: int
    margin: int

    @property
    def side(self) -> int:
        """Of a tile."""
        return self.cell * _CELLS

    def interpolation(self) -> Floats:
        """Matrix (side + 2 margins, cells + 2 reaches) that takes cells to pixels, linearly."""
        pixels = np.arange(-self.margin, self.side + self.margin)
        centre = (pixels + 0.5) / self.cell - 0.5 + _REACH
        cells = np.arange(_CELLS + 2 * _REACH)
        weights = np.maximum(0.0, 1.0 - np.abs(centre[:, None] - cells))
        return np.asarray(weights, dtype=np.float32)


def _tiles(alpha: NDArray[np.uint8], side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Tile rows and columns of the tiles that hold pixels between person and background."""
    lefts = np.arange(0, alpha.shape[1], side)
    mixed = []
    for band in row_bands(alpha.shape, multiple=side):
        between = (alpha[band] - np.uint8(1)) < np.uint8(254)  # 0 becomes 255
        down = np.logical_or.reduceat(between, np.arange(0, len(between), side), axis=0)
        mixed.append(np.logical_or.reduceat(down, lefts, axis=1))
    rows, columns = np.nonzero(np.concatenate(mixed))
    return rows, columns


def _wide_sums(image: NDArray[np.uint8], alpha: NDArray[np.uint8], layout: _Layout) -> Floats:
    """Wide means on the reduced picture: of a I (3), of I (3), of a (1), all 0 to 255.

    float32 (7, cells down, cells across), framed by `_REACH` cells.
    """
    parts = []
    for rows in row_bands(alpha.shape, multiple=layout.cell):
        strip = Image.fromarray(image[rows])
        whole = np.asarray(strip.reduce(layout.cell))
        strip.putalpha(Image.fromarray(alpha[rows]))
        covered = np.asarray(strip.convert("RGBa").reduce(layout.cell))
        parts.append(np.dstack([covered[..., :3], whole, covered[..., 3]]))
    cells = np.concatenate(parts).transpose(2, 0, 1).astype(np.float32)
    means = window_means(cells, _WIDE)
    down, across = (-length % _CELLS + _REACH for length in means.shape[1:])
    return np.pad(means, ((0, 0), (_REACH, down), (_REACH, across)), mode="edge")


def _paint_tiles(
    target: NDArray[np.uint8],
    image: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    wide: Floats,
    layout: _Layout,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> None:
    height, width = alpha.shape
    offsets = np.arange(-layout.margin, layout.side + layout.margin)
    down, across = rows[:, None] * layout.side + offsets, columns[:, None] * layout.side + offsets
    y = np.clip(down, 0, height - 1)[:, :, None]
    x = np.clip(across, 0, width - 1)[:, None, :]
    cover = alpha[y, x]
    share = cover[:, None].astype(np.float32) / np.float32(255.0)
    colour = np.ascontiguousarray(image[y, x].transpose(0, 3, 1, 2), dtype=np.float32)
    estimate = _fuse(colour, share, _interpolated(wide, layout, rows, columns), layout.margin)
    inner = slice(layout.margin, layout.margin + layout.side)
    inside = (down < height)[:, inner, None] & (across < width)[:, None, inner]
    tile, row, column = np.nonzero((cover[:, inner, inner] < 255) & inside)
    painted = estimate.transpose(0, 2, 3, 1)[tile, row, column]
    target[down[:, inner][tile, row], across[:, inner][tile, column], :3] = painted


def _interpolated(
    wide: Floats, layout: _Layout, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Floats:
    """Wide means at the pixels of tiles and their margins: float32 (tiles, 7, side, side)."""
    cells = np.arange(_CELLS + 2 * _REACH)
    down, across = rows[:, None] * _CELLS + cells, columns[:, None] * _CELLS + cells
    patches = wide[:, down[:, :, None], across[:, None, :]].transpose(1, 0, 2, 3)
    matrix = layout.interpolation()
    return np.asarray(matrix @ patches @ matrix.T, dtype=np.float32)


def _fuse(colour: Floats, share: Floats, wide: Floats, margin: int) -> NDArray[np.uint8]:
    """Both passes, for tiles with margins: colour (tiles, 3, side, side), 0 to 255, share, 0 to 1.

    `wide` is (tiles, 7, side, side), see `_wide_sums`. The margins are gone afterwards.
    """
    # First pass: F' and B' are quotients of the wide means, where blur((1 - a) I) is blur(I) less
    # blur(a I). The second pass averages what the first gave, weighted by a and 1 - a, over the
    # narrow window, and corrects it towards the pixel's own colour once more.
    rest = 1.0 - share
    covered, whole, weight = wide[:, :3], wide[:, 3:6], wide[:, 6:] / np.float32(255.0)
    front = covered / np.maximum(weight, _NOTHING)
    back = (whole - covered) / np.maximum(1.0 - weight, _NOTHING)
    back = np.clip(back, 0.0, 255.0)
    front = _corrected(front, back, colour, share, rest)
    side = 2 * margin + 1
    person, ground = window_sums(share, side), window_sums(rest, side)
    near_front = window_sums(front * share, side) / np.maximum(person, _NOTHING)
    near_back = window_sums(back * rest, side) / np.maximum(ground, _NOTHING)
    inner = (..., slice(margin, -margin), slice(margin, -margin))
    # Where the narrow window holds no person at all, the wide one's colour stays.
    near_front = np.where(person < _NOTHING, front[inner], near_front)
    final = _corrected(near_front, near_back, colour[inner], share[inner], rest[inner])
    return np.asarray(final + np.float32(0.5), dtype=np.uint8)


def _corrected(front: Floats, back: Floats, colour: Floats, share: Floats, rest: Floats) -> Floats:
    """The formula's second line, kept within 0 to 255."""
    estimate = colour - share * front
    estimate -= rest * back
    estimate *= share
    estimate += front
    return np.clip(estimate, 0.0, 255.0, out=estimate)
