"""Put people, objects and a background together and take the photograph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from humanseg.data.synthesis.painting import (
    TILE,
    Canvas,
    Colour,
    Paint,
    Palette,
    Points,
    capsule,
    down,
    ellipse,
    noise_tile,
    point,
    turn,
)
from humanseg.data.synthesis.people import Person
from humanseg.images.resize import Size

Pixels = NDArray[np.float32]
"""(height, width, 3), RGB, 0 to 255."""

_PEOPLE = np.array([[0.08, 0.58, 0.2, 0.09, 0.05], [0.0, 1.0, 0.0, 0.0, 0.0]])
"""Chance of 0, 1, 2, 3 and 4 people in a cluttered and in a plain scene."""
_HEIGHTS = np.array([[0.06, 0.24, 0.36, 0.34], [0.0, 0.0, 0.5, 0.5]])
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
    palette, tile = Palette(rng), noise_tile(rng)
    stage = _Stage(Canvas(_Background(palette, tile, size).draw(clutter), tile), palette)
    weights = np.array([clutter, 1.0 - clutter])
    count = int(rng.choice(5, p=weights @ _PEOPLE))
    ranges = _HEIGHT_RANGES[rng.choice(4, size=count, p=weights @ _HEIGHTS)]
    heights = np.sort(rng.uniform(ranges[:, 0], ranges[:, 1]))
    slots = (rng.permutation(count) + 0.5) / max(count, 1)
    positions = np.clip(slots + rng.normal(0, 0.12, count), 0.02, 0.98)
    for _ in range(round(clutter * int(rng.integers(1, 7)))):
        stage.add_object(rng.uniform(0.2, 0.9))
    for position, height in zip(positions.tolist(), heights.tolist(), strict=True):
        stage.add_person(position, height)
    if rng.random() < 0.4 * clutter:
        for _ in range(rng.integers(1, 4)):
            stage.add_object(rng.uniform(0.3, 0.8), near=True)
    if rng.random() < 0.12 * clutter:
        stage.add_ledge()
    image, mask = stage.canvas.finish()
    return photograph(rng, image), mask


class _Background:
    """What lies behind everything, in the colours of the scene."""

    def __init__(self, palette: Palette, tile: NDArray[np.float32], size: Size) -> None:
        self._palette, self._rng, self._tile, self._size = palette, palette.rng, tile, size

    def draw(self, clutter: float) -> NDArray[np.uint8]:
        """A random background, uint8 (height, width, 3); a plain one without clutter."""
        paint = (self.plain, self.bricks, self.hills, self.room)[self._rng.integers(4)]
        pixels = paint() if self._rng.random() < clutter else self.plain()
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        if self._rng.random() < 0.35:
            radius = max(self._size) * self._rng.uniform(0.003, 0.015)
            image = image.filter(ImageFilter.BoxBlur(radius))
        return np.asarray(image)

    def plain(self) -> Pixels:
        """A backdrop with falling light."""
        first = self._palette.colour()
        return self._ramp(first, first * self._rng.uniform(0.6, 1.2)) + 6 * self._noise()

    def bricks(self) -> Pixels:
        """Courses of bricks, tiles or planks, each a little different."""
        height, width = self._size
        course = max(3.0, max(self._size) * self._rng.uniform(0.03, 0.1))
        length = course * self._rng.choice([1.0, 2.2, 40.0])
        rows = np.arange(height) / course
        columns = np.arange(width)[None, :] / length + 0.5 * (np.floor(rows) % 2)[:, None]
        joint = (rows % 1 < 0.12)[:, None] | (columns % 1 < 0.12 * course / length)
        which = np.floor(rows).astype(int)[:, None] * 37 + np.floor(columns).astype(int) * 101
        shade = 1 + 0.3 * self._tile.reshape(-1)[which % self._tile.size][..., None]
        wall = self._palette.colour().astype(np.float32) * (shade + 0.1 * self._noise())
        return np.where(joint[..., None], self._palette.colour().astype(np.float32), wall)

    def hills(self) -> Pixels:
        """A sky over hills or a beach."""
        height, width = self._size
        blue = self._rng.random() < 0.6
        sky = np.array([150.0, 190.0, 230.0]) if blue else self._palette.colour()
        pixels = self._ramp(sky, np.minimum(sky * 1.2 + 20, 255)) + 14 * self._noise()
        across, rows = np.linspace(0, 1, width), np.arange(height)[:, None]
        level = self._rng.uniform(0.25, 0.7)
        for _ in range(self._rng.integers(1, 4)):
            frequency, shift = self._rng.uniform(2, 12), self._rng.uniform(0, 6)
            inside = rows > height * (level + 0.07 * np.sin(across * frequency + shift))
            hill = self._palette.colour().astype(np.float32) * (1 + 0.25 * self._noise())
            pixels = np.where(inside[..., None], hill, pixels)
            level += self._rng.uniform(0.08, 0.2)
        return pixels

    def room(self) -> Pixels:
        """A wall with frames, windows or shelves, and a floor; or houses by a street."""
        height, width = self._size
        image = Image.fromarray(np.clip(self.plain(), 0, 255).astype(np.uint8))
        pen = ImageDraw.Draw(image)

        def sheet(*corners: float) -> None:
            red, green, blue = np.clip(self._palette.colour(), 0, 255).astype(int).tolist()
            pen.rectangle(corners, fill=(red, green, blue))

        for _ in range(self._rng.integers(1, 7)):
            x, y = self._rng.uniform(-0.1, 0.9) * width, self._rng.uniform(-0.1, 0.5) * height
            wide, high = self._rng.uniform(0.08, 0.4, 2) * (width, height)
            edge = max(1.0, 0.06 * min(wide, high))
            sheet(x, y, x + wide, y + high)
            sheet(x + edge, y + edge, x + wide - edge, y + high - edge)
        sheet(0, height * self._rng.uniform(0.62, 0.9), width, height)
        return np.asarray(image, dtype=np.float32) * (1 + 0.06 * self._noise())

    def _ramp(self, first: Colour, last: Colour) -> Pixels:
        """From one colour to another, downwards."""
        way = np.linspace(0, 1, self._size[0], dtype=np.float32)[:, None, None]
        column = first.astype(np.float32) + way * (last - first).astype(np.float32)
        return np.broadcast_to(column, (*self._size, 3)).copy()

    def _noise(self) -> Pixels:
        """Noise of several octaves at a random zoom, (height, width, 1), about -1 to 1."""
        step = self._rng.uniform(0.15, 1.2) * 320 / max(self._size)
        rows, columns = (
            ((np.arange(side) * step).astype(np.intp) + start) % TILE
            for side, start in zip(self._size, self._rng.integers(0, TILE, 2), strict=True)
        )
        return np.asarray(self._tile[rows][:, columns, None])


class _Stage:
    """Where people and objects are added, from back to front."""

    def __init__(self, canvas: Canvas, palette: Palette) -> None:
        self.canvas, self._palette, self._rng = canvas, palette, palette.rng
        # A wide, low image is limited by its width instead.
        self._tall = min(canvas.height, 1.5 * canvas.width)

    def add_person(self, position: float, height: float) -> None:
        """One person, standing on the floor or filling the image from the head down."""
        canvas, rng = self.canvas, self._rng
        person = Person(self._palette)
        unit = height * self._tall / 7.6  # heads
        if height > 1.1:
            pelvis = canvas.height * rng.uniform(0.12, 0.42) - unit * person.head[1]
        else:
            floor = 0.45 + 0.52 * min(1.0, height) * rng.uniform(0.85, 1.1)
            pelvis = canvas.height * floor - unit * person.lowest
            pelvis = max(pelvis, 0.04 * canvas.height + unit * (person.skull - person.head[1]))
        origin = point(position * canvas.width, pelvis)
        canvas.darken(ellipse(origin + point(0, unit * person.lowest), 1.5 * unit, 0.2 * unit), 0.7)
        person.dress()
        roll = rng.normal(0, 0.05)

        def fill(outline: Points, paint: Paint) -> None:
            canvas.fill(origin + unit * turn(outline, roll), paint, unit=unit, person=True)

        person.draw(fill)

    def add_object(self, height: float, *, near: bool = False) -> None:
        """One object on the floor, such as it hides people if it is added after them."""
        canvas, rng = self.canvas, self._rng
        floor = rng.uniform(0.85 if near else 0.5, 1.05)
        foot = point(rng.uniform(-0.05, 1.05) * canvas.width, floor * canvas.height)
        tall = height * self._tall
        canvas.darken(ellipse(foot, 0.3 * tall, 0.04 * tall), 0.75)
        draw = (self._box, self._ball, self._tree, self._fence)
        draw[rng.integers(len(draw))](foot, tall)

    def add_ledge(self) -> None:
        """A table, wall or counter that hides the bottom of the image."""
        level = self.canvas.height * self._rng.uniform(0.68, 0.92)
        left, right = sorted((self._rng.uniform(-0.4, 1.4, 2) * self.canvas.width).tolist())
        self._sheet(left, level, right, self.canvas.height + 5.0)

    def _box(self, foot: Points, height: float) -> None:
        """A crate, cupboard or suitcase."""
        half = height * self._rng.uniform(0.2, 0.6)
        self._sheet(foot[0] - half, foot[1] - height, foot[0] + half, foot[1])

    def _ball(self, foot: Points, height: float) -> None:
        """A ball or balloon, as large as a head, some on a pole."""
        radius = height * self._rng.uniform(0.12, 0.25)
        raised = self._rng.random() < 0.4
        centre = foot - point(0, height if raised else radius)
        if raised:
            self._bar(foot, centre, 0.03 * height)
        self._shape(ellipse(centre, radius, 1.1 * radius), radius)

    def _tree(self, foot: Points, height: float) -> None:
        """A trunk with limbs, with or without leaves."""
        fork = foot - point(0, 0.5 * height)
        self._bar(foot, fork, 0.05 * height)
        leafy = self._rng.random() < 0.6
        for _ in range(self._rng.integers(2, 6)):
            tip = fork + 0.4 * height * down(np.pi + self._rng.uniform(-1.1, 1.1))
            self._bar(fork, tip, 0.03 * height)
            if leafy:
                size = height * self._rng.uniform(0.1, 0.2)
                self._shape(ellipse(tip, size, 0.85 * size), size)

    def _fence(self, foot: Points, height: float) -> None:
        """Pickets, or the legs and back of a chair, and rails."""
        tall = height * self._rng.uniform(0.25, 0.6)
        count, gap = int(self._rng.integers(2, 9)), tall * self._rng.uniform(0.25, 0.6)
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
        paint = self._palette.anything()
        self.canvas.fill(outline, paint, unit=max(unit, 4.0), person=False)


def photograph(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a camera adds: blur, falling light, exposure, white balance, contrast and noise."""
    if rng.random() < 0.5:
        blur = ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1))
        image = np.asarray(Image.fromarray(image).filter(blur))
    height, width = image.shape[:2]
    slopes = rng.uniform(-0.25, 0.25, 2).astype(np.float32)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * slopes[0]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * slopes[1]
    levels = np.arange(256) / 255.0
    balance = rng.normal(1.0, 0.06, 3) * rng.uniform(0.75, 1.15)
    curve = 255.0 * np.clip(levels[:, None] ** rng.uniform(0.75, 1.35) * balance, 0, 1)
    graded = curve.astype(np.float32)[image, np.arange(3)]
    graded *= (1 + rows + columns)[..., None]
    if rng.random() < 0.04:
        graded = np.repeat(graded.mean(axis=-1, keepdims=True), 3, axis=-1)
    deviation = np.float32(rng.uniform(0.0, 7.0))
    graded += deviation * rng.standard_normal(graded.shape, dtype=np.float32)
    return np.clip(graded, 0, 255).astype(np.uint8)
