"""Dress a skeleton and paint it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from humanseg.data.synthesis import heads
from humanseg.data.synthesis.bodies import Limb, Skeleton
from humanseg.data.synthesis.painting import (
    Canvas,
    Frame,
    Material,
    Points,
    capsule,
    ellipse,
    smooth,
    turn,
)
from humanseg.data.synthesis.palette import Palette

Lower = Literal["trousers", "shorts", "skirt", "dress"]


@dataclass(frozen=True, slots=True)
class Outfit:
    """What one person wears and looks like."""

    skin: Material
    top: Material
    bottom: Material
    shoes: Material
    jacket: Material | None
    jacket_length: float
    """Below the pelvis, in heads."""
    sleeves: float
    """Covered part of the arm, 0 bare to 2 to the wrist."""
    lower: Lower
    lower_length: float
    """Covered part of the leg, 0 to 2; of a skirt in heads."""
    looseness: float
    """Width of cloth over the limb, 1 tight."""
    neckline: float
    look: heads.Look

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> Outfit:
        """Random clothes and looks in the colours of a scene."""
        choice = rng.random()
        lower: Lower = "trousers"
        length = 1.9
        if choice > 0.6:
            lower = "shorts" if choice < 0.75 else "skirt" if choice < 0.88 else "dress"
            length = float(rng.uniform(0.5, 1.0) if lower == "shorts" else rng.uniform(0.9, 3.0))
        jacket = palette.cloth(rng) if rng.random() < 0.35 else None
        sleeves = float(rng.choice([0.0, 0.55, 1.2, 1.95], p=[0.12, 0.35, 0.08, 0.45]))
        skin = palette.skin(rng)
        return cls(
            skin=skin,
            top=palette.cloth(rng),
            bottom=palette.cloth(rng, plain=0.65),
            shoes=palette.cloth(rng, plain=0.9) if rng.random() < 0.93 else skin,
            jacket=jacket,
            jacket_length=float(rng.choice([rng.uniform(-0.1, 0.4), rng.uniform(0.8, 2.0)])),
            sleeves=1.95 if jacket else sleeves,
            lower=lower,
            lower_length=length,
            looseness=float(rng.uniform(1.08, 1.5)),
            neckline=float(rng.uniform(0.0, 0.5)),
            look=heads.Look.draw(rng, palette, skin),
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A skeleton on the canvas: where it stands, how large, and how it is turned."""

    canvas: Canvas
    body: Skeleton
    outfit: Outfit
    origin: Points
    """The pelvis in canvas pixels."""
    unit: float
    """Canvas pixels per head."""
    roll: float
    """Turn of the whole body in radians."""

    def place(self, points: Points) -> Points:
        """From heads to canvas pixels."""
        return self.origin + self.unit * turn(points, self.roll)

    def part(
        self, start: Points, end: Points, radii: tuple[float, float], material: Material
    ) -> None:
        """Paint a tapered limb between two places in heads."""
        first, last = self.place(start), self.place(end)
        step = last - first
        length = float(np.hypot(*step))
        axis = step / length if length > 1e-6 else np.array([0.0, 1.0])
        outline = capsule(first, last, radii[0] * self.unit, radii[1] * self.unit)
        half_width = max(radii) * self.unit
        frame = Frame(first, axis, half_width, self.unit, roundness=0.42)
        self.canvas.fill(outline, material, frame, person=True)

    def panel(self, outline: Points, material: Material, *, roundness: float = 0.35) -> None:
        """Paint a piece of torso, head or cloth whose outline is given in heads."""
        placed = self.place(outline)
        centre = placed.mean(axis=0)
        axis = turn(self.body.up[None], self.roll)[0]
        half_width = float(np.abs((placed - centre) @ np.array([-axis[1], axis[0]])).max())
        frame = Frame(centre, axis, half_width, self.unit, roundness)
        self.canvas.fill(outline=placed, material=material, frame=frame, person=True)


def draw_person(figure: Figure) -> None:
    """Paint a body from back to front."""
    body = figure.body
    far, near = 0, 1
    side = body.pose.view == "side"
    hidden = body.pose.arms_behind or body.pose.view == "back"
    heads.draw_back_hair(figure.part, figure.panel, body, figure.outfit.look)
    if side or hidden:
        _draw_arm(figure, body.arms[far])
        if not side:
            _draw_arm(figure, body.arms[near])
    _draw_leg(figure, body.legs[far])
    _draw_leg(figure, body.legs[near])
    _draw_torso(figure)
    heads.draw_head(figure.part, figure.panel, body, figure.outfit.look)
    if side:
        _draw_arm(figure, body.arms[near])
    elif not hidden:
        _draw_arm(figure, body.arms[far])
        _draw_arm(figure, body.arms[near])


def _draw_leg(figure: Figure, leg: Limb) -> None:
    outfit, girth = figure.outfit, figure.body.build.girth
    thigh, shin = (0.36 * girth, 0.24 * girth), (0.24 * girth, 0.13 * girth)
    figure.part(leg.root, leg.middle, thigh, outfit.skin)
    figure.part(leg.middle, leg.end, shin, outfit.skin)
    figure.part(leg.end, leg.tip, (0.17 * girth, 0.13 * girth), outfit.shoes)
    if outfit.lower in ("trousers", "shorts"):
        _cover(figure, leg, (thigh, shin), outfit.lower_length, outfit.bottom)


def _draw_arm(figure: Figure, arm: Limb) -> None:
    outfit, girth = figure.outfit, figure.body.build.girth
    upper, fore = (0.23 * girth, 0.17 * girth), (0.17 * girth, 0.1 * girth)
    figure.part(arm.root, arm.middle, upper, outfit.skin)
    figure.part(arm.middle, arm.end, fore, outfit.skin)
    palm = arm.end + 0.6 * (arm.tip - arm.end)
    along = arm.tip - arm.end
    aside = np.array([-along[1], along[0]])
    figure.part(arm.end, palm, (0.11 * girth, 0.15 * girth), outfit.skin)
    figure.part(palm, arm.tip, (0.13 * girth, 0.08 * girth), outfit.skin)
    thumb = arm.end + 0.65 * along + 0.42 * aside
    figure.part(arm.end + 0.2 * along, thumb, (0.06, 0.045), outfit.skin)
    _cover(figure, arm, (upper, fore), outfit.sleeves, outfit.jacket or outfit.top)


def _cover(
    figure: Figure,
    limb: Limb,
    radii: tuple[tuple[float, float], tuple[float, float]],
    length: float,
    cloth: Material,
) -> None:
    """Put cloth over the first `length` of a limb: up to 1 its first half, up to 2 all of it."""
    loose = figure.outfit.looseness
    for index, (start, end) in enumerate(((limb.root, limb.middle), (limb.middle, limb.end))):
        covered = float(np.clip(length - index, 0.0, 1.0))
        if covered > 0.02:
            first, last = radii[index]
            hem = first + covered * (last - first)
            wide = (first * (1 + 0.4 * (loose - 1)), hem * loose + 0.01)
            figure.part(start, start + covered * (end - start), wide, cloth)


def _draw_torso(figure: Figure) -> None:
    body, outfit = figure.body, figure.outfit
    trousers = outfit.bottom if outfit.lower in ("trousers", "shorts") else outfit.top
    figure.panel(_trunk(body, ((-0.14, 0.55), (-0.06, 0.98), (0.1, 0.95), (0.22, 0.9))), trousers)
    if outfit.lower in ("skirt", "dress"):
        cloth = outfit.bottom if outfit.lower == "skirt" else outfit.top
        figure.panel(_skirt(body, outfit), cloth)
    low = 0.14 if outfit.lower == "skirt" else -0.04
    levels = ((low, 1.0), (0.32, 1.0), (0.7, 1.0), (0.86, 1.0), (0.95, 0.85), (1.0, 0.4))
    figure.part(0.94 * body.neck, body.head, (0.2, 0.17), outfit.skin)
    figure.panel(_trunk(body, levels), outfit.top)
    if outfit.neckline > 0.1 and body.pose.view == "front":
        throat = body.neck * (1 - 0.2 * outfit.neckline)
        figure.panel(
            ellipse(throat + 0.05 * body.up, 0.24, 0.1 + 0.35 * outfit.neckline),
            outfit.skin,
            roundness=0.1,
        )
        figure.part(0.97 * body.neck, body.head, (0.19, 0.17), outfit.skin)
    if outfit.jacket is not None:
        _draw_jacket(figure, outfit.jacket)


def _draw_jacket(figure: Figure, cloth: Material) -> None:
    """Both halves from the front with a gap between them, one piece otherwise."""
    body, outfit = figure.body, figure.outfit
    hem = -outfit.jacket_length / body.build.torso
    widths = ((hem, 1.2), (0.0, 1.12), (0.32, 1.12), (0.7, 1.06), (0.88, 1.04), (0.98, 0.6))
    if body.pose.view != "front":
        figure.panel(_trunk(body, widths), cloth)
        return
    right = np.array([-body.up[1], body.up[0]])
    for sign in (-1.0, 1.0):
        edge = _edge(body, widths, sign)
        gap = np.array([level for level, _ in widths])[::-1, None] * body.neck
        inner = gap + sign * np.linspace(0.14, 0.22, len(widths))[:, None] * right
        figure.panel(smooth(np.concatenate([edge, inner])), cloth)


def _edge(body: Skeleton, levels: tuple[tuple[float, float], ...], sign: float) -> Points:
    """One side of the trunk, at heights along the spine, 0 pelvis to 1 neck."""
    build = body.build
    heights = np.array([-0.2, 0.0, 0.12, 0.36, 0.7, 0.88, 0.96, 1.02])
    shoulder = build.shoulder + 0.16 * build.girth
    if body.pose.view == "side":
        depth = 0.4 * build.waist + 0.24
        front = 1.0 + 0.15 * (sign * body.pose.facing > 0)
        widths = depth * front * np.array([1.0, 1.15, 1.1, 1.0, 1.12, 0.85, 0.6, 0.4])
    else:
        hip, waist = build.hip, build.waist
        widths = np.array(
            [hip, hip, 0.97 * hip, waist, 0.86 * shoulder, shoulder, 0.75 * shoulder, 0.25]
        )
    right = np.array([-body.up[1], body.up[0]])
    places = np.array([level for level, _ in levels])
    factors = np.array([factor for _, factor in levels])
    across = sign * np.interp(places, heights, widths) * factors
    return np.asarray(places[:, None] * body.neck + across[:, None] * right)


def _trunk(body: Skeleton, levels: tuple[tuple[float, float], ...]) -> Points:
    """Outline of the trunk between heights along the spine, with a width factor at each."""
    left, right = _edge(body, levels, -1.0), _edge(body, levels, 1.0)
    return smooth(np.concatenate([left, right[::-1]]))


def _skirt(body: Skeleton, outfit: Outfit) -> Points:
    """From the waist to a hem around the legs."""
    knees = [leg.middle for leg in body.legs]
    towards = np.mean(knees, axis=0)
    towards = towards / max(float(np.hypot(*towards)), 1e-6)
    aside = np.array([towards[1], -towards[0]])
    hem = min(outfit.lower_length, 1.8 * body.build.leg) * towards
    spread = 0.5 * float(np.hypot(*(knees[1] - knees[0])))
    wide = max(1.1 * body.build.hip, 0.3 + spread * outfit.lower_length / body.build.leg)
    waist = (
        _edge(body, ((0.2, 1.02), (0.0, 1.05)), -1.0),
        _edge(body, ((0.0, 1.05), (0.2, 1.02)), 1.0),
    )
    sign = 1.0 if aside[0] > 0 else -1.0
    corners = np.stack([hem - sign * wide * aside, hem + sign * wide * aside])
    return smooth(np.concatenate([waist[0], corners, waist[1]]))
