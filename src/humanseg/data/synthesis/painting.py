"""The canvas of a drawn scene, its shapes, and the paints that everything in it shares.

Coordinates are (x, y) in canvas pixels, y down. The canvas is `SUPERSAMPLING` times finer than the
image; image and mask are averaged down from the very same shapes, so masks are exact.
"""

from __future__ import annotations

import colorsys
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
Pattern = Literal["plain", "stripes", "checks", "dots"]
_PATTERNS: tuple[Pattern, ...] = ("plain", "stripes", "checks", "dots")

_SKIN = np.array(
    [[247, 216, 196], [236, 188, 158], [214, 158, 120], [176, 118, 80], [128, 82, 54],
     [74, 48, 36]],
    dtype=np.float64,
)  # fmt: skip
"""Tones from light to dark; others are mixed between neighbours."""
_HAIR = np.array(
    [[24, 20, 20], [58, 40, 30], [98, 66, 40], [160, 116, 62], [214, 178, 120], [150, 70, 36],
     [176, 172, 170]],
    dtype=np.float64,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Paint:
    """A surface: up to two colours in a pattern, and some grain."""

    colours: Sequence[Colour]
    pattern: Pattern = "plain"
    period: float = 0.3
    """Length of the pattern, in the unit of what is painted."""
    angle: float = 0.0
    """Of the pattern, in radians."""
    grain: float = 0.05

    def at(
        self, x: NDArray[np.float32], y: NDArray[np.float32], tile: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Colours (N, 3) of places, in the unit of what is painted."""
        cosine, sine = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        u, v = (x * cosine + y * sine) / self.period, (y * cosine - x * sine) / self.period
        second = np.zeros(u.shape, dtype=np.bool_)
        if self.pattern == "stripes":
            second = np.floor(u) % 2 == 1
        elif self.pattern == "checks":
            second = (np.floor(u) + np.floor(v)) % 2 == 1
        elif self.pattern == "dots":
            second = (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.08
        rows, columns = (40 * y).astype(np.intp) % TILE, (40 * x).astype(np.intp) % TILE
        light = 1 + np.float32(self.grain) * tile[rows, columns]
        colours = np.where(second[:, None], self.colours[-1], self.colours[0]) * light[:, None]
        return np.asarray(np.clip(colours, 0, 255), dtype=np.uint8)


class Palette:
    """The colours of one scene, shared by people and everything else in it.

    Colour and texture alone therefore do not tell what is a person.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Pick the colours; `rng` is the scene's only source of chance."""
        self.rng = rng
        self._cloths = [self._cloth_colour() for _ in range(6)]
        self._skins = [self._skin_colour() for _ in range(3)]
        self._hairs = [_HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.8, 1.1) for _ in range(2)]

    def cloth(self, *, plain: float = 0.45) -> Paint:
        """A cloth: plain with the given chance, otherwise of any pattern."""
        rng = self.rng
        pattern = "plain" if rng.random() < plain else _PATTERNS[rng.integers(len(_PATTERNS))]
        order = rng.permutation(len(self._cloths))
        return Paint(
            [self._cloths[index] for index in order[:2]],
            pattern,
            period=rng.uniform(0.08, 0.4),
            angle=rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]),
            grain=rng.uniform(0.02, 0.14),
        )

    def skin(self) -> Paint:
        """A skin tone of the scene."""
        return Paint([self._skins[self.rng.integers(len(self._skins))]], grain=0.03)

    def hair(self) -> Paint:
        """A hair colour of the scene, in strands."""
        colour = self._hairs[self.rng.integers(len(self._hairs))]
        return Paint([colour, colour * 0.88], "stripes", period=0.04, grain=0.15)

    def anything(self) -> Paint:
        """What an object is made of: cloth, skin or hair colours."""
        choice = self.rng.random()
        if choice < 0.35:
            return self.skin()
        return self.hair() if choice < 0.45 else self.cloth()

    def colour(self) -> Colour:
        """A colour of the scene, or greyer than it, as surfaces in the background have it."""
        rng, pool = self.rng, (*self._cloths, *self._skins, *self._hairs)
        colour = np.clip(pool[rng.integers(len(pool))] * rng.uniform(0.75, 1.15), 0, 255)
        return np.asarray(colour + rng.uniform(0, 0.8) * (colour.mean() - colour))

    def _skin_colour(self) -> Colour:
        """A tone between two neighbours of the table."""
        low, share = divmod(self.rng.uniform(0, len(_SKIN) - 1), 1)
        first, second = _SKIN[int(low)], _SKIN[min(int(low) + 1, len(_SKIN) - 1)]
        tone = first + share * (second - first) + self.rng.normal(0, 5, 3)
        return np.asarray(np.clip(tone, 0, 255))

    def _cloth_colour(self) -> Colour:
        """Muted, vivid, near black, near white, or like skin."""
        rng, choice = self.rng, self.rng.random()
        if choice < 0.15:
            return self._skin_colour()
        if choice < 0.45:
            level = rng.choice([rng.uniform(15, 70), rng.uniform(200, 250)])
            return np.asarray(level + rng.normal(0, 5, 3))
        saturation = rng.uniform(0.15, 0.5) if choice < 0.75 else rng.uniform(0.5, 0.95)
        return 255.0 * np.array(
            colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.25, 0.95))
        )


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


class Canvas:
    """An image being painted, with the label of every pixel."""

    def __init__(self, background: NDArray[np.uint8], tile: NDArray[np.float32]) -> None:
        """Start from a background, uint8 (height, width, 3), at image size."""
        self.pixels = background.repeat(SUPERSAMPLING, axis=0).repeat(SUPERSAMPLING, axis=1)
        self.height, self.width = self.pixels.shape[:2]
        self.person = np.zeros((self.height, self.width), dtype=np.bool_)
        self._tile = tile

    def fill(self, outline: Points, paint: Paint, *, unit: float, person: bool) -> None:
        """Paint the inside of an outline and label it; `unit` is the paint's, in pixels."""
        window, inside = self._cut(outline)
        rows, columns = np.nonzero(inside)
        centre = outline.mean(axis=0)
        x = (columns + window[1].start - centre[0]).astype(np.float32) / np.float32(unit)
        y = (rows + window[0].start - centre[1]).astype(np.float32) / np.float32(unit)
        self.pixels[window][inside] = paint.at(x, y, self._tile)
        self.person[window][inside] = person

    def darken(self, outline: Points, factor: float) -> None:
        """Throw a shadow: multiply the inside of an outline, labels unchanged."""
        window, inside = self._cut(outline)
        shaded = self.pixels[window][inside] * np.float32(factor)
        self.pixels[window][inside] = shaded.astype(np.uint8)

    def finish(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Average down to image size: uint8 (height, width, 3) and bool (height, width)."""
        pixels = Image.fromarray(self.pixels).reduce(SUPERSAMPLING)
        cover = Image.fromarray(self.person.astype(np.uint8) * 255).reduce(SUPERSAMPLING)
        return np.asarray(pixels), np.asarray(np.asarray(cover) >= 128)

    def _cut(self, outline: Points) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        """The visible bounding box of an outline, perhaps empty, and what is inside."""
        low = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (self.width, self.height))
        wide, tall = np.maximum(high - low, 0).tolist()
        shape = Image.new("L", (wide, tall))
        ImageDraw.Draw(shape).polygon((outline - low).ravel().tolist(), fill=1)
        left, top = low.tolist()
        return np.s_[top : top + tall, left : left + wide], np.asarray(shape, dtype=np.bool_)


def point(x: float, y: float) -> Points:
    """A position or direction."""
    return np.array([x, y], dtype=np.float64)


def down(angle: float) -> Points:
    """Unit vector that hangs down at angle 0 and swings towards positive x."""
    return point(np.sin(angle), np.cos(angle))


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


def ellipse(centre: Points, rx: float, ry: float) -> Points:
    """Outline of an ellipse."""
    turns = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return centre + np.column_stack([rx * np.cos(turns), ry * np.sin(turns)])


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
