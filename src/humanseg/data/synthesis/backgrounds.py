"""What lies behind everything: walls, rooms, streets, fields and leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from humanseg.data.synthesis.painting import TILE, Colour
from humanseg.data.synthesis.palette import Palette
from humanseg.images.resize import Size

Pixels = NDArray[np.float32]
"""(height, width, 3), RGB, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a background is made from."""

    rng: np.random.Generator
    size: Size
    palette: Palette
    tile: NDArray[np.float32]

    def colour(self) -> Colour:
        """A colour of the scene, or greyer than it."""
        colour = self.palette.colour(self.rng)
        return np.asarray(colour + float(self.rng.uniform(0, 0.8)) * (colour.mean() - colour))

    def ramp(self, first: Colour, last: Colour, *, upright: bool = True) -> Pixels:
        """From one colour to another, down or across."""
        height, width = self.size
        way = np.linspace(0, 1, height if upright else width, dtype=np.float32)
        way = way[:, None] if upright else way[None, :]
        span = (last - first).astype(np.float32)
        full = np.broadcast_to(way, self.size)[..., None]
        return np.asarray(first.astype(np.float32) + full * span)

    def noise(self) -> NDArray[np.float32]:
        """Noise of several octaves at a random zoom, (height, width), about -1 to 1."""
        height, width = self.size
        step = float(self.rng.uniform(0.15, 1.2)) * 320 / max(self.size)
        shift = self.rng.integers(0, TILE, 2)
        rows = (np.arange(height) * step).astype(np.intp) + shift[0]
        columns = (np.arange(width) * step).astype(np.intp) + shift[1]
        return np.asarray(self.tile[rows % TILE][:, columns % TILE])

    def drawing(self, pixels: Pixels) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        """A picture to draw on with Pillow."""
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        return image, ImageDraw.Draw(image)


def _ink(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = np.clip(colour, 0, 255).astype(int)
    return int(red), int(green), int(blue)


def studio(setting: Setting) -> Pixels:
    """A plain backdrop with falling light."""
    first = setting.colour()
    pixels = setting.ramp(first, first * float(setting.rng.uniform(0.6, 1.2)))
    return np.asarray(pixels + 6 * setting.noise()[..., None])


def clouded(setting: Setting) -> Pixels:
    """Two or three colours that run into one another."""
    mix = np.clip(setting.noise() * 0.7 + 0.5, 0, 1)[..., None]
    other = np.clip(setting.noise() * 0.7 + 0.2, 0, 1)[..., None]
    first, second, third = (setting.colour().astype(np.float32) for _ in range(3))
    return np.asarray(first + mix * (second - first) + other * (third - first) * 0.7)


def striped(setting: Setting) -> Pixels:
    """Wallpaper or planks: stripes at any angle."""
    rng, (height, width) = setting.rng, setting.size
    angle = float(rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    place = (x * np.cos(angle) + y * np.sin(angle)) / (max(setting.size) * rng.uniform(0.02, 0.12))
    colours = np.stack([setting.colour() for _ in range(3)]).astype(np.float32)
    pixels = colours[np.floor(place).astype(np.intp) % int(rng.integers(2, 4))]
    return np.asarray(pixels * (1 + 0.12 * setting.noise()[..., None]))


def bricks(setting: Setting) -> Pixels:
    """Courses of bricks or tiles, each a little different."""
    rng, (height, width) = setting.rng, setting.size
    course = max(3.0, max(setting.size) * float(rng.uniform(0.03, 0.1)))
    length = course * float(rng.uniform(1.0, 2.6))
    rows = np.arange(height) / course
    shift = 0.5 * (np.floor(rows).astype(int) % 2) * float(rng.random() < 0.8)
    columns = np.arange(width)[None, :] / length + shift[:, None]
    joint = (rows % 1 < 0.12)[:, None] | (columns % 1 < 0.12 * course / length)
    which = np.floor(rows).astype(int)[:, None] * 37 + np.floor(columns).astype(int) * 101
    shade = 1 + 0.3 * setting.tile.reshape(-1)[which % setting.tile.size] + 0.1 * setting.noise()
    wall = setting.colour().astype(np.float32) * shade[..., None]
    return np.where(joint[..., None], setting.colour().astype(np.float32), wall)


def foliage(setting: Setting) -> Pixels:
    """Leaves or pebbles, dark ones behind bright ones."""
    rng, (height, width) = setting.rng, setting.size
    first, second = setting.colour(), setting.colour()
    image, pen = setting.drawing(setting.ramp(first * 0.5, second * 0.5))
    count = 220
    radius = max(setting.size) * rng.uniform(0.01, 0.05, count) * float(rng.uniform(0.6, 1.6))
    x, y = rng.uniform(0, width, count), rng.uniform(0, height, count)
    flat = rng.uniform(0.5, 1.0, count)
    mix, bright = rng.random(count), np.linspace(0.5, 1.1, count)
    for index in range(count):
        colour = (first + mix[index] * (second - first)) * bright[index]
        wide, high = radius[index], radius[index] * flat[index]
        pen.ellipse(
            (x[index] - wide, y[index] - high, x[index] + wide, y[index] + high), fill=_ink(colour)
        )
    return np.asarray(image, dtype=np.float32)


def street(setting: Setting) -> Pixels:
    """Houses with windows under a sky, a road before them."""
    rng, (height, width) = setting.rng, setting.size
    sky = np.array([200.0, 215.0, 235.0]) * float(rng.uniform(0.5, 1.05))
    image, pen = setting.drawing(setting.ramp(sky, sky * 0.85))
    ground = height * float(rng.uniform(0.55, 0.85))
    left = float(rng.uniform(-0.2, 0)) * width
    while left < width:
        right = left + width * float(rng.uniform(0.18, 0.5))
        roof = height * float(rng.uniform(-0.1, 0.45))
        pen.rectangle((left, roof, right, ground), fill=_ink(setting.colour()))
        pane = _ink(setting.colour() * float(rng.uniform(0.3, 1.1)))
        step = max(4.0, width * float(rng.uniform(0.05, 0.1)))
        for row in np.arange(roof + step / 2, ground - step / 2, step * 1.3):
            for column in np.arange(left + step / 3, right - step / 2, step):
                pen.rectangle((column, row, column + step * 0.5, row + step * 0.75), fill=pane)
        left = right
    pen.rectangle((0, ground, width, height), fill=_ink(setting.colour() * 0.8))
    return np.asarray(image, dtype=np.float32) * (1 + 0.08 * setting.noise()[..., None])


def landscape(setting: Setting) -> Pixels:
    """A sky over hills or a beach."""
    rng, (height, width) = setting.rng, setting.size
    sky = np.array([150.0, 190.0, 230.0]) if rng.random() < 0.6 else setting.colour()
    pixels = setting.ramp(sky, np.minimum(sky * 1.2 + 20, 255))
    pixels += 14 * setting.noise()[..., None]
    across = np.linspace(0, 1, width)
    level = float(rng.uniform(0.25, 0.7))
    rows = np.arange(height)[:, None]
    for layer in range(int(rng.integers(1, 4))):
        wave = 0.07 * np.sin(across * float(rng.uniform(2, 12)) + float(rng.uniform(0, 6)))
        inside = rows > (height * (level + wave * (layer < 2)))[None, :]
        texture = 1 + 0.25 * setting.noise()
        hill = setting.colour().astype(np.float32) * texture[..., None]
        pixels = np.where(inside[..., None], hill, pixels)
        level += float(rng.uniform(0.08, 0.2))
    return pixels


def room(setting: Setting) -> Pixels:
    """A wall with pictures, shelves or a window, and a floor."""
    rng, (height, width) = setting.rng, setting.size
    wall = (studio, striped, clouded)[int(rng.choice(3, p=[0.6, 0.25, 0.15]))](setting)
    image, pen = setting.drawing(wall)
    floor = height * float(rng.uniform(0.62, 0.9))
    for _ in range(int(rng.integers(1, 6))):
        x, y = float(rng.uniform(-0.1, 0.9)) * width, float(rng.uniform(-0.1, 0.5)) * height
        wide, high = rng.uniform(0.08, 0.4, 2) * (width, height)
        pen.rectangle((x, y, x + wide, y + high), fill=_ink(setting.colour()))
        edge = max(1.0, 0.06 * float(min(wide, high)))
        inner = (x + edge, y + edge, x + wide - edge, y + high - edge)
        pen.rectangle(inner, fill=_ink(setting.colour()))
        for column in np.arange(inner[0], inner[2], max(3.0, wide / 7)) * (rng.random() < 0.4):
            pen.line((column, inner[1], column, inner[3]), fill=_ink(setting.colour()), width=2)
    pen.rectangle((0, floor, width, height), fill=_ink(setting.colour()))
    plank = max(3.0, 0.08 * height)
    for row in np.arange(floor, height, plank):
        pen.line((0, row, width, row), fill=_ink(setting.colour()), width=1)
    return np.asarray(image, dtype=np.float32) * (1 + 0.05 * setting.noise()[..., None])


BACKGROUNDS: tuple[Callable[[Setting], Pixels], ...] = (
    studio, clouded, striped, bricks, foliage, street, street, landscape, landscape, room, room,
)  # fmt: skip


def draw_background(setting: Setting, clutter: float = 1.0) -> NDArray[np.uint8]:
    """Paint a random background, uint8 (height, width, 3), RGB; a plain one without clutter."""
    paint = BACKGROUNDS[int(setting.rng.integers(len(BACKGROUNDS)))]
    if clutter < 1.0 and setting.rng.random() >= clutter:
        paint = studio
    pixels = paint(setting)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if setting.rng.random() < 0.35:
        radius = max(setting.size) * float(setting.rng.uniform(0.003, 0.015))
        image = image.filter(ImageFilter.BoxBlur(radius))
    return np.asarray(image)
