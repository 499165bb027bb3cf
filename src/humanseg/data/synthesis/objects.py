"""Things that are not people, in the colours, textures and shapes that people have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from humanseg.data.synthesis.painting import (
    Canvas,
    Frame,
    Material,
    Points,
    capsule,
    down,
    ellipse,
    point,
    smooth,
)
from humanseg.data.synthesis.palette import Palette


@dataclass(frozen=True, slots=True)
class Stage:
    """Where objects are painted, and in which colours."""

    canvas: Canvas
    palette: Palette
    rng: np.random.Generator

    def bar(
        self, start: Points, end: Points, radii: tuple[float, float], material: Material
    ) -> None:
        """Paint a tapered bar in canvas pixels."""
        step = end - start
        length = max(float(np.hypot(*step)), 1e-6)
        half = max(radii)
        frame = Frame(start, step / length, half, unit=max(4.0, 3.2 * half), roundness=0.42)
        self.canvas.fill(capsule(start, end, *radii), material, frame, person=False)

    def sheet(self, outline: Points, material: Material, *, roundness: float = 0.2) -> None:
        """Paint a surface in canvas pixels."""
        low, high = outline.min(axis=0), outline.max(axis=0)
        half = max(float(high[0] - low[0]) / 2, 1.0)
        frame = Frame((low + high) / 2, point(0, 1), half, max(4.0, half), roundness)
        self.canvas.fill(outline, material, frame, person=False)


Draw = Callable[[Stage, Points, float], None]
"""Paints an object on its foot point, as high as given, in canvas pixels."""


def pole(stage: Stage, foot: Points, height: float) -> None:
    """A pole, some with a ball on top: a lamp, or a body's worth of upright cloth."""
    rng = stage.rng
    thick = height * float(rng.uniform(0.02, 0.1))
    top = foot + point(float(rng.normal(0, 0.03)) * height, -height)
    stage.bar(foot, top, (thick, thick * float(rng.uniform(0.6, 1.0))), stage.palette.anything(rng))
    if rng.random() < 0.5:
        size = max(thick * float(rng.uniform(1.2, 2.2)), height * 0.05)
        stage.sheet(ellipse(top, size, size * 1.2), stage.palette.anything(rng), roundness=0.4)


def tree(stage: Stage, foot: Points, height: float) -> None:
    """A trunk with limbs, with or without leaves."""
    rng = stage.rng
    bark = stage.palette.anything(rng)
    thick = height * float(rng.uniform(0.03, 0.08))
    fork = foot + point(0, -height * float(rng.uniform(0.35, 0.6)))
    stage.bar(foot, fork, (thick, thick * 0.8), bark)
    leaves = stage.palette.anything(rng) if rng.random() < 0.6 else None
    for _ in range(int(rng.integers(2, 6))):
        angle = np.pi + float(rng.uniform(-1.1, 1.1))
        elbow = fork + height * float(rng.uniform(0.12, 0.28)) * down(angle)
        bend = angle + float(rng.uniform(-0.7, 0.7))
        tip = elbow + height * float(rng.uniform(0.1, 0.25)) * down(bend)
        stage.bar(fork, elbow, (thick * 0.7, thick * 0.5), bark)
        stage.bar(elbow, tip, (thick * 0.5, thick * 0.25), bark)
        if leaves is not None:
            size = height * float(rng.uniform(0.1, 0.2))
            stage.sheet(ellipse(tip, size, size * 0.85), leaves, roundness=0.4)


def box(stage: Stage, foot: Points, height: float) -> None:
    """A crate, cupboard or suitcase: a front and a lid."""
    rng = stage.rng
    half = height * float(rng.uniform(0.2, 0.7))
    slant, depth = float(rng.uniform(-0.4, 0.4)) * half, 0.25 * half
    cloth = stage.palette.anything(rng)
    low_left, low_right = foot + point(-half, 0), foot + point(half, 0)
    up = point(0, -height)
    stage.sheet(np.stack([low_left, low_right, low_right + up, low_left + up]), cloth)
    back = up + point(slant, -depth)
    lid = np.stack([low_left + up, low_right + up, low_right + back, low_left + back])
    stage.sheet(lid, stage.palette.anything(rng), roundness=0.0)


def ball(stage: Stage, foot: Points, height: float) -> None:
    """A ball or balloon, as large as a head."""
    radius = height * float(stage.rng.uniform(0.12, 0.25))
    centre = foot - point(0, radius if stage.rng.random() < 0.6 else height * 0.8)
    material = stage.palette.anything(stage.rng)
    stage.sheet(ellipse(centre, radius, radius * 1.1), material, roundness=0.5)


def chair(stage: Stage, foot: Points, height: float) -> None:
    """Four legs, a seat and a back."""
    rng = stage.rng
    wood, half = stage.palette.anything(rng), 0.28 * height
    thick = height * float(rng.uniform(0.02, 0.045))
    seat = foot + point(0, -0.45 * height)
    for x in (-half, half, -0.75 * half, 0.75 * half):
        stage.bar(seat + point(x, 0), foot + point(1.1 * x, 0), (thick, thick * 0.8), wood)
    side = -half if rng.random() < 0.5 else half
    stage.bar(seat + point(side, 0), foot + point(side, -height), (thick, thick), wood)
    stage.bar(seat + point(-half, 0), seat + point(half, 0), (2 * thick, 2 * thick), wood)
    if rng.random() < 0.6:
        top = foot + point(0, -height)
        corners = [top + point(-half, 0), top + point(half, 0)]
        corners += [seat + point(half, -0.1 * height), seat + point(-half, -0.1 * height)]
        stage.sheet(smooth(np.stack(corners), 1), stage.palette.anything(rng))


def animal(stage: Stage, foot: Points, height: float) -> None:
    """A four-legged animal: limbs, trunk and head that are nobody's."""
    rng = stage.rng
    coat, size = stage.palette.anything(rng), 0.55 * height
    facing = 1.0 if rng.random() < 0.5 else -1.0
    chest = foot + point(facing * 0.45 * size, -0.62 * size)
    rump = foot + point(-facing * 0.45 * size, -0.6 * size)
    for hip in (chest, rump):
        for _ in range(2):
            swing = float(rng.normal(0, 0.2))
            knee = hip + 0.32 * size * down(swing)
            stage.bar(hip, knee, (0.1 * size, 0.07 * size), coat)
            stage.bar(knee, knee + 0.3 * size * down(swing * 0.3), (0.06 * size, 0.05 * size), coat)
    stage.bar(rump, chest, (0.2 * size, 0.23 * size), coat)
    head = chest + point(facing * 0.3 * size, -0.38 * size)
    stage.bar(chest, head, (0.15 * size, 0.11 * size), coat)
    stage.bar(
        head, head + point(facing * 0.2 * size, 0.06 * size), (0.14 * size, 0.07 * size), coat
    )
    tail = rump + point(-facing * 0.25 * size, -0.25 * size)
    stage.bar(rump, tail, (0.05 * size, 0.03 * size), coat)


def sign(stage: Stage, foot: Points, height: float) -> None:
    """A board on a post."""
    rng = stage.rng
    half = height * float(rng.uniform(0.12, 0.3))
    top = foot + point(0, -height)
    stage.bar(foot, top, (0.02 * height, 0.02 * height), stage.palette.anything(rng))
    low = top + point(0, 1.4 * half)
    corners = [top + point(-half, 0), top + point(half, 0), low + point(half, 0)]
    board = np.stack([*corners, low + point(-half, 0)])
    stage.sheet(board, stage.palette.cloth(rng, plain=0.2), roundness=0.0)


def plant(stage: Stage, foot: Points, height: float) -> None:
    """A pot with long leaves."""
    rng = stage.rng
    rim = foot + point(0, -0.3 * height)
    leaf = stage.palette.anything(rng)
    for _ in range(int(rng.integers(4, 9))):
        length = height * float(rng.uniform(0.35, 0.7))
        tip = rim + length * down(np.pi + float(rng.uniform(-0.9, 0.9)))
        stage.bar(rim, tip, (0.05 * height, 0.015 * height), leaf)
    stage.bar(rim, foot, (0.16 * height, 0.12 * height), stage.palette.anything(rng))


def hanging_cloth(stage: Stage, foot: Points, height: float) -> None:
    """A curtain, towel or flag: clothes' textures without a body."""
    rng = stage.rng
    half = height * float(rng.uniform(0.12, 0.35))
    top = foot + point(0, -height)
    steps = np.linspace(0, 1, 6)
    wave = 0.12 * half * np.sin(steps * float(rng.uniform(3, 9)) + float(rng.uniform(0, 6)))
    drop = steps * height * float(rng.uniform(0.5, 0.95))
    left = np.column_stack([top[0] - half + wave, top[1] + drop])
    right = np.column_stack([top[0] + half + wave, top[1] + drop])
    stage.sheet(np.concatenate([left, right[::-1]]), stage.palette.cloth(rng, plain=0.3))


def fence(stage: Stage, foot: Points, height: float) -> None:
    """Pickets and rails across a good part of the picture."""
    rng = stage.rng
    tall = height * float(rng.uniform(0.25, 0.5))
    count, gap = int(rng.integers(4, 11)), tall * float(rng.uniform(0.25, 0.6))
    thick = gap * float(rng.uniform(0.12, 0.3))
    wood = stage.palette.anything(rng)
    left = foot[0] - gap * (count - 1) / 2
    for index in range(count):
        base = point(left + index * gap, foot[1])
        stage.bar(base, base + point(0, -tall), (thick, thick), wood)
    for level in (0.35, 0.8):
        start = point(left - gap / 2, foot[1] - level * tall)
        stage.bar(start, start + point(count * gap, 0), (0.8 * thick, 0.8 * thick), wood)


STANDING: tuple[Draw, ...] = (
    pole, pole, tree, tree, box, ball, chair, animal, sign, plant, hanging_cloth, fence,
)  # fmt: skip


def draw_object(stage: Stage, foot: Points, height: float) -> None:
    """Paint a random object and its shadow."""
    width = 0.3 * height
    stage.canvas.darken(ellipse(foot, width, 0.12 * width), 0.75)
    STANDING[int(stage.rng.integers(len(STANDING)))](stage, foot, height)


def draw_ledge(stage: Stage) -> None:
    """A table, wall or counter that hides the bottom of the picture."""
    canvas, rng = stage.canvas, stage.rng
    level = canvas.height * float(rng.uniform(0.68, 0.92))
    tilt = canvas.height * float(rng.normal(0, 0.02))
    left, right = (-5.0, canvas.width + 5.0)
    if rng.random() < 0.5:
        left, right = sorted(rng.uniform(-0.3, 1.3, 2) * canvas.width)
    bottom = canvas.height + 5.0
    outline = np.array(
        [[left, level], [right, level + tilt], [right, bottom], [left, bottom]], dtype=np.float64
    )
    stage.sheet(outline, stage.palette.anything(rng), roundness=0.1)
