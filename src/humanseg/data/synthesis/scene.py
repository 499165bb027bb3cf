"""Put people, objects and a background together and take the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from humanseg.data.synthesis.backgrounds import Setting, draw_background
from humanseg.data.synthesis.bodies import Build, draw_pose, skeleton
from humanseg.data.synthesis.objects import Stage, chair, draw_ledge, draw_object
from humanseg.data.synthesis.painting import Canvas, ellipse, noise_tile, point
from humanseg.data.synthesis.palette import Palette
from humanseg.data.synthesis.people import Figure, Outfit, draw_person
from humanseg.images.resize import Size

_PEOPLE = np.array([0.08, 0.58, 0.2, 0.09, 0.05]), np.array([0.0, 1.0, 0.0, 0.0, 0.0])
"""Chance of 0, 1, 2, 3 and 4 people in a cluttered and in a plain scene."""
_HEIGHTS = np.array([0.06, 0.24, 0.36, 0.34]), np.array([0.0, 0.0, 0.5, 0.5])
"""Chance of small, whole, cropped and close people in a cluttered and in a plain scene."""


def draw_scene(
    rng: np.random.Generator, size: Size, *, clutter: float = 1.0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw people among things of their own colours.

    Args:
        rng: the only source of chance.
        size: (height, width) in pixels.
        clutter: 0 to 1; from one large person before a plain backdrop to crowds, tiny and hidden
            people and things on all sides.

    Returns:
        The picture, uint8 (height, width, 3), RGB, and the mask, bool (height, width), True where a
        person is the foremost thing in at least half of the pixel.
    """
    palette, tile = Palette.draw(rng), noise_tile(rng)
    background = draw_background(Setting(rng, size, palette, tile), clutter)
    angle = float(rng.uniform(0, 2 * np.pi))
    strength = float(rng.uniform(0.2, 1.0))
    canvas = Canvas(background, tile, strength * point(np.cos(angle), np.sin(angle)))
    stage = Stage(canvas, palette, rng)
    count = int(rng.choice(5, p=_between(*_PEOPLE, clutter)))
    heights = np.sort(_standing_heights(rng, count, _between(*_HEIGHTS, clutter)))
    horizon = float(rng.uniform(0.35, 0.6))
    for _ in range(round(clutter * int(rng.integers(1, 7)))):
        _place_object(stage, horizon, float(rng.uniform(0.2, 0.9)))
    if rng.random() < 0.3:
        blurred = Image.fromarray(canvas.pixels).filter(
            ImageFilter.BoxBlur(max(canvas.pixels.shape) * float(rng.uniform(0.003, 0.012)))
        )
        canvas.pixels = np.array(blurred)
    for place, height in zip(_places(rng, count), heights, strict=True):
        if rng.random() < 0.25 * clutter:
            _place_object(stage, horizon, float(height) * 0.7)
        _place_person(stage, horizon, place, float(height))
    if rng.random() < 0.35 * clutter:
        for _ in range(int(rng.integers(1, 4))):
            _place_object(stage, 0.8, float(rng.uniform(0.3, 0.8)))
    if rng.random() < 0.12 * clutter:
        draw_ledge(stage)
    image, mask = canvas.finish()
    return photograph(rng, image), mask


def _between(
    cluttered: NDArray[np.float64], plain: NDArray[np.float64], clutter: float
) -> NDArray[np.float64]:
    return np.asarray(clutter * cluttered + (1.0 - clutter) * plain)


def _standing_heights(
    rng: np.random.Generator, count: int, chances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Heights of people if they stood, as shares of the picture's: small, whole, cropped, close."""
    kinds = rng.choice(4, size=count, p=chances)
    low, high = np.array([0.3, 0.65, 1.1, 2.0]), np.array([0.65, 1.1, 2.0, 4.0])
    return np.asarray(low[kinds] + rng.random(count) * (high - low)[kinds])


def _places(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Where people stand, as shares of the width, spread out but not neatly."""
    slots = (rng.permutation(count) + 0.5) / max(count, 1)
    spread = 0.11 if count <= 1 else 0.12
    return np.asarray(np.clip(slots + rng.normal(0, spread, count), 0.02, 0.98))


def _place_person(stage: Stage, horizon: float, place: float, height: float) -> None:
    """Paint one person standing on the ground, or filling the picture from the head down."""
    canvas, rng = stage.canvas, stage.rng
    body = skeleton(Build.draw(rng), draw_pose(rng))
    # 7.6 heads tall; a wide, low picture is limited by its width instead.
    unit = height * min(canvas.height, 1.5 * canvas.width) / 7.6
    roll = float(rng.normal(0, 0.04))
    if rng.random() < 0.03:
        roll += np.pi / 2 * (1 if rng.random() < 0.5 else -1)
    if height > 1.1:
        head = canvas.height * float(rng.uniform(0.12, 0.42))
        pelvis = head - unit * body.head[1]
    else:
        depth = horizon + (0.97 - horizon) * min(1.0, height) * float(rng.uniform(0.85, 1.1))
        pelvis = canvas.height * depth - unit * body.lowest
        pelvis = max(pelvis, 0.04 * canvas.height + unit * (body.build.head - body.head[1]))
    origin = point(place * canvas.width, pelvis)
    foot = origin + point(0, unit * body.lowest)
    sits = max(abs(leg[0]) for leg in body.pose.legs) > 1.1 or body.pose.thigh_length < 1
    canvas.darken(ellipse(foot, 1.5 * unit, 0.2 * unit), 0.7)
    if sits and rng.random() < 0.75:
        chair(stage, foot, 2.0 * (foot[1] - pelvis) + 0.5 * unit)
    outfit = Outfit.draw(rng, stage.palette)
    draw_person(Figure(canvas, body, outfit, origin, unit, roll))


def _place_object(stage: Stage, horizon: float, height: float) -> None:
    """Paint one object on the ground; the larger it is, the nearer and lower it stands."""
    rng, canvas = stage.rng, stage.canvas
    depth = horizon + (1.05 - horizon) * float(rng.uniform(0.2, 1.0))
    foot = point(float(rng.uniform(-0.05, 1.05)) * canvas.width, depth * canvas.height)
    draw_object(stage, foot, height * min(canvas.height, 1.5 * canvas.width))


def photograph(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a camera adds: blur, falling light, exposure, white balance, contrast and noise.

    Args:
        rng: the only source of chance.
        image: uint8 (height, width, 3), RGB.
    """
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
