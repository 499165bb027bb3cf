"""Put people, objects and a background together and take the photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from humanseg.data.synthesis.painting import (
    TILE,
    Canvas,
    Colour,
    Palette,
    Points,
    capsule,
    down,
    ellipse,
    noise_tile,
    point,
)
from humanseg.data.synthesis.people import Figure, Outfit, draw_body
from humanseg.images.resize import Size

Pixels = NDArray[np.float32]
"""(height, width, 3), RGB, 0 to 255."""

_PEOPLE = np.array([0.08, 0.58, 0.2, 0.09, 0.05]), np.array([0.0, 1.0, 0.0, 0.0, 0.0])
"""Chance of 0, 1, 2, 3 and 4 people in a cluttered and in a plain scene."""
_HEIGHTS = np.array([0.06, 0.24, 0.36, 0.34]), np.array([0.0, 0.0, 0.5, 0.5])
"""Chance of small, whole, cropped and close people in a cluttered and in a plain scene."""
_HEIGHT_RANGES = np.array([[0.3, 0.65], [0.65, 1.1], [1.1, 2.0], [2.0, 4.0]])
"""Of people if they stood, as shares of the image's height."""


def draw_scene(
    rng: np.random.Generator, size: Size, *, clutter: float = 1.0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw people among things of their own colours.

    Args:
        rng: the only source of chance.
        size: (height, width) in pixels.
        clutter: 0 to 1; from one large person before a plain backdrop to several, tiny and hidden
            people and things on all sides.

    Returns:
        The image, uint8 (height, width, 3), RGB, and the mask, bool (height, width), True where a
        person is the foremost thing in at least half of the pixel.
    """
    palette, tile = Palette.draw(rng), noise_tile(rng)
    background = _Background(rng, size, palette, tile).draw(clutter)
    stage = _Stage(Canvas(background, tile), palette, rng)
    weights = np.array([clutter, 1.0 - clutter])
    count = int(rng.choice(5, p=weights @ np.stack(_PEOPLE)))
    ranges = _HEIGHT_RANGES[rng.choice(4, size=count, p=weights @ np.stack(_HEIGHTS))]
    heights = np.sort(rng.uniform(ranges[:, 0], ranges[:, 1]))
    slots = (rng.permutation(count) + 0.5) / max(count, 1)
    positions = np.clip(slots + rng.normal(0, 0.12, count), 0.02, 0.98)
    for _ in range(round(clutter * int(rng.integers(1, 7)))):
        stage.add_object(float(rng.uniform(0.2, 0.9)))
    for position, height in zip(positions, heights, strict=True):
        stage.add_person(float(position), float(height))
    if rng.random() < 0.4 * clutter:
        for _ in range(int(rng.integers(1, 4))):
            stage.add_object(float(rng.uniform(0.3, 0.8)), near=True)
    if rng.random() < 0.12 * clutter:
        stage.add_ledge()
    image, mask = stage.canvas.finish()
    return photograph(rng, image), mask


@dataclass(frozen=True, slots=True)
class _Background:
    """What lies behind everything, in the colours of the scene."""

    rng: np.random.Generator
    size: Size
    palette: Palette
    tile: NDArray[np.float32]

    def draw(self, clutter: float) -> NDArray[np.uint8]:
        """A random background, uint8 (height, width, 3); a plain one without clutter."""
        paint = (self.plain, self.bricks, self.hills, self.room)[int(self.rng.integers(4))]
        pixels = paint() if self.rng.random() < clutter else self.plain()
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        if self.rng.random() < 0.35:
            radius = max(self.size) * float(self.rng.uniform(0.003, 0.015))
            image = image.filter(ImageFilter.BoxBlur(radius))
        return np.asarray(image)

    def plain(self) -> Pixels:
        """A backdrop with falling light."""
        first = self._colour()
        return self._ramp(first, first * float(self.rng.uniform(0.6, 1.2))) + 6 * self._noise()

    def bricks(self) -> Pixels:
        """Courses of bricks, tiles or planks, each a little different."""
        height, width = self.size
        course = max(3.0, max(self.size) * float(self.rng.uniform(0.03, 0.1)))
        length = course * float(self.rng.choice([1.0, 2.2, 40.0]))
        rows = np.arange(height) / course
        columns = np.arange(width)[None, :] / length + 0.5 * (np.floor(rows) % 2)[:, None]
        joint = (rows % 1 < 0.12)[:, None] | (columns % 1 < 0.12 * course / length)
        which = np.floor(rows).astype(int)[:, None] * 37 + np.floor(columns).astype(int) * 101
        shade = 1 + 0.3 * self.tile.reshape(-1)[which % self.tile.size][..., None]
        wall = self._colour().astype(np.float32) * (shade + 0.1 * self._noise())
        return np.where(joint[..., None], self._colour().astype(np.float32), wall)

    def hills(self) -> Pixels:
        """A sky over hills or a beach."""
        height, width = self.size
        sky = np.array([150.0, 190.0, 230.0]) if self.rng.random() < 0.6 else self._colour()
        pixels = self._ramp(sky, np.minimum(sky * 1.2 + 20, 255)) + 14 * self._noise()
        across, rows = np.linspace(0, 1, width), np.arange(height)[:, None]
        level = float(self.rng.uniform(0.25, 0.7))
        for _ in range(int(self.rng.integers(1, 4))):
            frequency, shift = self.rng.uniform(2, 12), self.rng.uniform(0, 6)
            wave = 0.07 * np.sin(across * frequency + shift)
            inside = rows > (height * (level + wave))[None, :]
            hill = self._colour().astype(np.float32) * (1 + 0.25 * self._noise())
            pixels = np.where(inside[..., None], hill, pixels)
            level += float(self.rng.uniform(0.08, 0.2))
        return pixels

    def room(self) -> Pixels:
        """A wall with frames, windows or shelves, and a floor; or houses by a street."""
        height, width = self.size
        image = Image.fromarray(np.clip(self.plain(), 0, 255).astype(np.uint8))
        pen = ImageDraw.Draw(image)
        for _ in range(int(self.rng.integers(1, 7))):
            x, y = self.rng.uniform(-0.1, 0.9) * width, self.rng.uniform(-0.1, 0.5) * height
            wide, high = self.rng.uniform(0.08, 0.4, 2) * (width, height)
            edge = max(1.0, 0.06 * float(min(wide, high)))
            pen.rectangle((x, y, x + wide, y + high), fill=_ink(self._colour()))
            inner = (x + edge, y + edge, x + wide - edge, y + high - edge)
            pen.rectangle(inner, fill=_ink(self._colour()))
        floor = height * float(self.rng.uniform(0.62, 0.9))
        pen.rectangle((0, floor, width, height), fill=_ink(self._colour()))
        return np.asarray(image, dtype=np.float32) * (1 + 0.06 * self._noise())

    def _colour(self) -> Colour:
        return self.palette.colour(self.rng)

    def _ramp(self, first: Colour, last: Colour) -> Pixels:
        """From one colour to another, downwards."""
        way = np.linspace(0, 1, self.size[0], dtype=np.float32)[:, None, None]
        column = first.astype(np.float32) + way * (last - first).astype(np.float32)
        return np.broadcast_to(column, (*self.size, 3)).copy()

    def _noise(self) -> Pixels:
        """Noise of several octaves at a random zoom, (height, width, 1), about -1 to 1."""
        step = float(self.rng.uniform(0.15, 1.2)) * 320 / max(self.size)
        shift = self.rng.integers(0, TILE, 2)
        rows, columns = (
            ((np.arange(side) * step).astype(np.intp) + start) % TILE
            for side, start in zip(self.size, shift, strict=True)
        )
        return np.asarray(self.tile[rows][:, columns, None])


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where people and objects are added, from back to front."""

    canvas: Canvas
    palette: Palette
    rng: np.random.Generator

    def add_person(self, position: float, height: float) -> None:
        """One person, standing on the floor or filling the image from the head down."""
        canvas, rng = self.canvas, self.rng
        body = draw_body(rng)
        # 7.6 heads tall; a wide, low image is limited by its width instead.
        unit = height * min(canvas.height, 1.5 * canvas.width) / 7.6
        if height > 1.1:
            pelvis = canvas.height * float(rng.uniform(0.12, 0.42)) - unit * body.head[1]
        else:
            floor = 0.45 + 0.52 * min(1.0, height) * float(rng.uniform(0.85, 1.1))
            pelvis = canvas.height * floor - unit * body.lowest
            pelvis = max(pelvis, 0.04 * canvas.height + unit * (body.skull - body.head[1]))
        origin = point(position * canvas.width, pelvis)
        canvas.darken(ellipse(origin + point(0, unit * body.lowest), 1.5 * unit, 0.2 * unit), 0.7)
        outfit = Outfit.draw(rng, self.palette)
        Figure(canvas, body, outfit, origin, unit, float(rng.normal(0, 0.05))).draw()

    def add_object(self, height: float, *, near: bool = False) -> None:
        """One object on the floor, such as it hides people if it is added after them."""
        canvas, rng = self.canvas, self.rng
        floor = float(rng.uniform(0.85 if near else 0.5, 1.05))
        foot = point(float(rng.uniform(-0.05, 1.05)) * canvas.width, floor * canvas.height)
        tall = height * min(canvas.height, 1.5 * canvas.width)
        canvas.darken(ellipse(foot, 0.3 * tall, 0.04 * tall), 0.75)
        draw = (self._box, self._ball, self._tree, self._fence)
        draw[int(rng.integers(len(draw)))](foot, tall)

    def add_ledge(self) -> None:
        """A table, wall or counter that hides the bottom of the image."""
        level = self.canvas.height * float(self.rng.uniform(0.68, 0.92))
        left, right = sorted(self.rng.uniform(-0.4, 1.4, 2) * self.canvas.width)
        self._sheet(left, level, right, self.canvas.height + 5.0)

    def _box(self, foot: Points, height: float) -> None:
        """A crate, cupboard or suitcase."""
        half = height * float(self.rng.uniform(0.2, 0.6))
        self._sheet(foot[0] - half, foot[1] - height, foot[0] + half, foot[1])

    def _ball(self, foot: Points, height: float) -> None:
        """A ball or balloon, as large as a head, some on a pole."""
        radius = height * float(self.rng.uniform(0.12, 0.25))
        raised = self.rng.random() < 0.4
        centre = foot - point(0, height if raised else radius)
        if raised:
            self._bar(foot, centre, 0.03 * height)
        self._shape(ellipse(centre, radius, 1.1 * radius), radius)

    def _tree(self, foot: Points, height: float) -> None:
        """A trunk with limbs, with or without leaves."""
        fork = foot - point(0, 0.5 * height)
        self._bar(foot, fork, 0.05 * height)
        leafy = self.rng.random() < 0.6
        for _ in range(int(self.rng.integers(2, 6))):
            tip = fork + 0.4 * height * down(np.pi + float(self.rng.uniform(-1.1, 1.1)))
            self._bar(fork, tip, 0.03 * height)
            if leafy:
                size = height * float(self.rng.uniform(0.1, 0.2))
                self._shape(ellipse(tip, size, 0.85 * size), size)

    def _fence(self, foot: Points, height: float) -> None:
        """Pickets, or the legs and back of a chair, and rails."""
        tall = height * float(self.rng.uniform(0.25, 0.6))
        count, gap = int(self.rng.integers(2, 9)), tall * float(self.rng.uniform(0.25, 0.6))
        left = foot - point(gap * (count - 1) / 2, 0)
        for index in range(count):
            base = left + point(index * gap, 0)
            self._bar(base, base - point(0, tall), 0.1 * gap)
        for level in (0.35, 0.8):
            rail = left - point(0, level * tall)
            self._bar(rail, rail + point((count - 1) * gap, 0), 0.1 * gap)

    def _bar(self, start: Points, end: Points, radius: float) -> None:
        self._shape(capsule(start, end, radius, 0.8 * radius), 3 * radius)

    def _sheet(self, left: float, top: float, right: float, bottom: float) -> None:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        self._shape(corners, (right - left) / 2)

    def _shape(self, outline: Points, unit: float) -> None:
        paint = self.palette.anything(self.rng)
        self.canvas.fill(outline, paint, unit=max(unit, 4.0), person=False)


def _ink(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = np.clip(colour, 0, 255).astype(int)
    return int(red), int(green), int(blue)


def photograph(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a camera adds: blur, falling light, exposure, white balance, contrast and noise."""
    if rng.random() < 0.5:
        blurred = Image.fromarray(image).filter(
            ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.1)))
        )
        image = np.asarray(blurred)
    height, width = image.shape[:2]
    slopes = rng.uniform(-0.25, 0.25, 2)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(slopes[0])
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(slopes[1])
    levels = np.arange(256) / 255.0
    balance = rng.normal(1.0, 0.06, 3) * rng.uniform(0.75, 1.15)
    curve = 255.0 * np.clip(levels[:, None] ** rng.uniform(0.75, 1.35) * balance, 0, 1)
    graded = np.stack([curve[:, c].astype(np.float32)[image[..., c]] for c in range(3)], axis=-1)
    graded *= (1 + rows + columns)[..., None]
    if rng.random() < 0.04:
        graded = np.repeat(graded.mean(axis=-1, keepdims=True), 3, axis=-1)
    deviation = np.float32(rng.uniform(0.0, 7.0))
    graded += deviation * rng.standard_normal(graded.shape, dtype=np.float32)
    return np.clip(graded, 0, 255).astype(np.uint8)
