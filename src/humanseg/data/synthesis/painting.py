"""Shapes, materials and the canvas that people, objects and backgrounds are painted with.

Coordinates are (x, y) in canvas pixels, y down. The canvas is `SUPERSAMPLING` times finer than the
picture; picture and mask are averaged down from the very same shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SUPERSAMPLING = 2
TILE = 256
"""Side of the noise tile, a power of two."""

Points = NDArray[np.float64]
"""(points, 2): x, y."""
Colour = NDArray[np.float64]
"""(3,): RGB, 0 to 255."""
Pattern = Literal["plain", "stripes", "bands", "checks", "dots", "speckle"]
PATTERNS: tuple[Pattern, ...] = ("plain", "stripes", "bands", "checks", "dots", "speckle")

_LEVELS = 64
_DARKEST, _BRIGHTEST = 0.25, 1.3
_COLOURS = 3


class Material:
    """A surface: up to three colours in a pattern, some roughness."""

    def __init__(
        self,
        colours: Sequence[Colour],
        pattern: Pattern = "plain",
        *,
        period: float = 0.3,
        phase: float = 0.0,
        roughness: float = 0.05,
    ) -> None:
        self.pattern = pattern
        self.period = period
        """Length of the pattern in body units (heads)."""
        self.phase = phase
        self.roughness = roughness
        padded = np.stack([colours[index % len(colours)] for index in range(_COLOURS)])
        levels = np.linspace(_DARKEST, _BRIGHTEST, _LEVELS)
        lit = padded[:, None, :] * levels[None, :, None]
        self.table = np.clip(lit, 0, 255).astype(np.uint8).reshape(-1, 3)
        """uint8 (3 colours x 64 brightness levels, 3), RGB."""

    def choose(
        self, along: NDArray[np.float32], across: NDArray[np.float32], tile: NDArray[np.float32]
    ) -> NDArray[np.intp] | int:
        """Which colour each point has, by its place on the surface in body units."""
        if self.pattern == "plain":
            return 0
        u = along * np.float32(1 / self.period) + np.float32(self.phase)
        v = across * np.float32(1 / self.period) + np.float32(self.phase)
        rows, columns = np.floor(u).astype(np.intp), np.floor(v).astype(np.intp)
        chosen: NDArray[np.intp]
        if self.pattern == "stripes":
            chosen = columns & 1
        elif self.pattern == "bands":
            chosen = rows & 1
        elif self.pattern == "checks":
            chosen = (rows & 1) + (columns & 1)
        elif self.pattern == "dots":
            u, v = u - rows - np.float32(0.5), v - columns - np.float32(0.5)
            chosen = (u * u + v * v < 0.08).astype(np.intp)
        else:
            noise = _sample(tile, u * 12, v * 12)
            chosen = (noise > -0.1).astype(np.intp) + (noise > 0.35)
        return chosen


def _sample(
    tile: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Values of the repeated tile at the nearest whole places."""
    index = (u.astype(np.int32) & (TILE - 1)) * TILE + (v.astype(np.int32) & (TILE - 1))
    return np.asarray(tile.reshape(-1).take(index))


def noise_tile(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of several octaves, float32 (TILE, TILE), about -1 to 1, that repeats without seams."""
    total = np.zeros((TILE, TILE), dtype=np.float32)
    margin = 3
    for cells, weight in ((6, 0.8), (24, 0.5), (80, 0.3), (TILE, 0.15)):
        coarse = np.pad(rng.random((cells, cells), dtype=np.float32) * 2 - 1, margin, mode="wrap")
        inner = (margin, margin, margin + cells, margin + cells)
        image = Image.fromarray(coarse).resize((TILE, TILE), Image.Resampling.BICUBIC, box=inner)
        total += np.float32(weight) * np.asarray(image)
    return total


@dataclass(frozen=True, slots=True)
class Frame:
    """Local coordinates of a surface: patterns and shading follow the limb, not the picture."""

    origin: Points
    axis: Points
    """Unit vector along the surface."""
    half_width: float
    """Pixels from the axis to the edge, where a round surface turns dark."""
    unit: float
    """Pixels per body unit."""
    roundness: float = 0.4
    """Loss of light at the edge: 0 flat."""


class Canvas:
    """A picture being painted, with the label of every pixel."""

    def __init__(
        self, background: NDArray[np.uint8], tile: NDArray[np.float32], light: Points
    ) -> None:
        """Start from a background, uint8 (height, width, 3), at picture size."""
        factor = SUPERSAMPLING
        self.pixels = background.repeat(factor, axis=0).repeat(factor, axis=1)
        self.person = np.zeros(self.pixels.shape[:2], dtype=np.bool_)
        self.tile = tile
        self.light = light
        """Where the light comes from, (x, y), length up to 1."""

    @property
    def height(self) -> int:
        """Canvas pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Canvas pixels."""
        return int(self.pixels.shape[1])

    def fill(self, outline: Points, material: Material, frame: Frame, *, person: bool) -> None:
        """Paint the inside of an outline and label it."""
        cut = self._cut(outline)
        if cut is None:
            return
        left, top, inside = cut
        height, width = inside.shape
        flat = np.flatnonzero(inside)
        rows, columns = np.divmod(flat.astype(np.int32), np.int32(width))
        x = columns.astype(np.float32) + np.float32(left - frame.origin[0])
        y = rows.astype(np.float32) + np.float32(top - frame.origin[1])
        ax, ay = np.float32(frame.axis[0]), np.float32(frame.axis[1])
        along, across = x * ax + y * ay, y * ax - x * ay
        lean = 0.6 * float(self.light[1] * ax - self.light[0] * ay)
        offset = across * np.float32(1 / max(frame.half_width, 1e-3)) - np.float32(lean)
        level = np.float32(1.05) - np.float32(frame.roundness) * np.minimum(offset * offset, 1.5)
        unit = np.float32(1 / frame.unit)
        along, across = along * unit, across * unit
        if material.roughness:
            grain = _sample(self.tile, along * 40 + 512, across * 40 + 512)
            level += np.float32(material.roughness) * grain
        scale = np.float32((_LEVELS - 1) / (_BRIGHTEST - _DARKEST))
        shade = np.clip((level - np.float32(_DARKEST)) * scale, 0, _LEVELS - 1).astype(np.intp)
        shade += material.choose(along, across, self.tile) * _LEVELS
        window = slice(top, top + height), slice(left, left + width)
        self.pixels[window][inside] = material.table.take(shade, axis=0)
        self.person[window][inside] = person

    def darken(self, outline: Points, factor: float) -> None:
        """Throw a shadow: multiply the inside of an outline, labels unchanged."""
        cut = self._cut(outline)
        if cut is not None:
            left, top, inside = cut
            height, width = inside.shape
            window = self.pixels[top : top + height, left : left + width]
            window[inside] = (window[inside] * np.float32(factor)).astype(np.uint8)

    def _cut(self, outline: Points) -> tuple[int, int, NDArray[np.bool_]] | None:
        """Left, top and inside of an outline's visible bounding box; None if nothing is visible."""
        low = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        high = np.ceil(outline.max(axis=0)).astype(int) + 1
        high = np.minimum(high, (self.width, self.height))
        if (high <= low).any():
            return None
        shape = Image.new("L", (int(high[0] - low[0]), int(high[1] - low[1])))
        ImageDraw.Draw(shape).polygon((outline - low).ravel().tolist(), fill=1)
        return int(low[0]), int(low[1]), np.asarray(shape, dtype=np.bool_)

    def finish(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Average down to picture size: uint8 (height, width, 3) and bool (height, width)."""
        pixels = Image.fromarray(self.pixels).reduce(SUPERSAMPLING)
        cover = Image.fromarray(self.person.astype(np.uint8) * 255).reduce(SUPERSAMPLING)
        return np.asarray(pixels), np.asarray(np.asarray(cover) >= 128)


def point(x: float, y: float) -> Points:
    """A place or direction."""
    return np.array([x, y], dtype=np.float64)


def down(angle: float, sign: float = 1.0) -> Points:
    """Unit vector that hangs down at angle 0 and swings towards `sign` in x."""
    return point(sign * np.sin(angle), np.cos(angle))


def capsule(start: Points, end: Points, start_radius: float, end_radius: float) -> Points:
    """Outline of two discs and everything between them: a tapered limb."""
    step = end - start
    length = float(np.hypot(*step))
    if length <= abs(start_radius - end_radius) + 1e-6:
        larger = start if start_radius >= end_radius else end
        return ellipse(larger, max(start_radius, end_radius), max(start_radius, end_radius))
    base = np.arctan2(step[1], step[0])
    opening = np.arccos((start_radius - end_radius) / length)
    far = base + np.linspace(-opening, opening, 9)
    near = base + np.linspace(opening, 2 * np.pi - opening, 9)
    return np.concatenate(
        [
            end + end_radius * np.column_stack([np.cos(far), np.sin(far)]),
            start + start_radius * np.column_stack([np.cos(near), np.sin(near)]),
        ]
    )


def ellipse(centre: Points, rx: float, ry: float, angle: float = 0.0) -> Points:
    """Outline of an ellipse turned by `angle` in radians."""
    turns = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    flat = np.column_stack([rx * np.cos(turns), ry * np.sin(turns)])
    return centre + turn(flat, angle)


def turn(points: Points, angle: float) -> Points:
    """Rotate about the origin by `angle` in radians, from x towards y."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]))


def smooth(points: Points, rounds: int = 2) -> Points:
    """Round a closed outline by cutting its corners (Chaikin)."""
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        cut = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1)
        points = cut.reshape(-1, 2)
    return points
