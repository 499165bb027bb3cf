"""People: a skeleton in a pose, and flat shapes of skin, cloth and hair over it.

Lengths are in heads (chin to crown of an adult of average size), angles in radians from hanging
straight down, outwards. Joints are (x, y), y down, the pelvis at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from humanseg.data.synthesis.painting import (
    Canvas,
    Paint,
    Palette,
    Points,
    capsule,
    down,
    ellipse,
    point,
    smooth,
    turn,
)

View = Literal["front", "back", "side"]
Hair = Literal["bald", "short", "long", "curly", "bun"]
_HAIR: tuple[Hair, ...] = ("bald", "short", "long", "curly", "bun")

_ARMS = (  # chance, upper arm, and the forearm's bend against it
    (0.50, (0.05, 0.35), (-0.4, 0.1)),  # hanging
    (0.12, (0.5, 0.9), (-1.9, -1.4)),  # hand on the hip
    (0.08, (0.1, 0.4), (-2.2, -1.7)),  # across the body
    (0.18, (1.6, 2.9), (-0.2, 0.9)),  # raised
    (0.12, (1.0, 1.6), (-0.5, 0.9)),  # stretched out
)
_LEGS = (  # chance; of each leg: the thigh, and the shin's bend against it
    (0.60, (((-0.03, 0.25), (-0.2, 0.06)), ((-0.03, 0.25), (-0.2, 0.06)))),  # standing
    (0.28, (((0.15, 0.7), (-0.4, 0.0)), ((0.1, 0.5), (-0.1, 0.6)))),  # walking to running
    (0.12, (((1.0, 1.5), (-1.7, -1.1)), ((-0.05, 0.3), (-0.1, 0.5)))),  # one knee up
)


@dataclass(frozen=True, slots=True)
class Limb:
    """Shoulder, elbow, wrist and finger tip; or hip, knee, ankle and toe."""

    root: Points
    middle: Points
    end: Points
    tip: Points


@dataclass(frozen=True, slots=True)
class Body:
    """The joints and proportions of a posed body."""

    view: View
    girth: float
    """Thickness of limbs, 1 for average."""
    shoulder: float
    """Half the width of the shoulders as they are seen."""
    hip: float
    neck: Points
    head: Points
    skull: float
    """Height of the head."""
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]

    @property
    def lowest(self) -> float:
        """Largest y of all joints: where the body stands."""
        joints = [joint for leg in self.legs for joint in (leg.root, leg.middle, leg.end)]
        return float(max(joint[1] for joint in joints)) + 0.2 * self.girth


def draw_body(rng: np.random.Generator) -> Body:
    """A random body in a random pose; one in six is a child."""
    view: View = "side" if rng.random() < 0.35 else "back" if rng.random() < 0.2 else "front"
    depth = 0.45 if view == "side" else 1.0
    girth = float(np.clip(rng.normal(1.0, 0.16), 0.72, 1.5))
    child = float(rng.uniform(0.55, 0.85)) if rng.random() < 1 / 6 else 1.0
    shoulder = child * float(rng.uniform(0.74, 0.98)) * depth
    hip = child * girth * float(rng.uniform(0.55, 0.72)) * (0.75 if view == "side" else 1.0)
    girth *= 0.35 + 0.65 * child
    lean = float(rng.normal(0, 0.07))
    neck = 2.5 * child * float(rng.uniform(0.93, 1.06)) * point(np.sin(lean), -np.cos(lean))
    skull = float(rng.uniform(0.93, 1.07)) * (0.55 + 0.45 * child) / (0.5 + 0.5 * child)
    nod = lean + float(rng.normal(0, 0.12))
    arms = []
    for sign in (-1.0, 1.0):
        _, upper, bend = _ARMS[rng.choice(len(_ARMS), p=[row[0] for row in _ARMS])]
        first = float(rng.uniform(*upper))
        angles = first, first + float(rng.uniform(*bend))
        root = 0.9 * neck + point(sign * 0.9 * shoulder, 0)
        arms.append(_limb(root, angles, sign, 1.38 * child, 0.88))
    _, ranges = _LEGS[rng.choice(len(_LEGS), p=[row[0] for row in _LEGS])]
    legs = []
    for sign, (thigh, bend) in zip((-1.0, 1.0), ranges, strict=True):
        first = float(rng.uniform(*thigh))
        angles = first, first + float(rng.uniform(*bend))
        legs.append(_limb(point(sign * 0.55 * hip, 0), angles, sign, 1.9 * child, 0.96, foot=True))
    return Body(
        view=view,
        girth=girth,
        shoulder=shoulder,
        hip=hip,
        neck=neck,
        head=neck + (0.22 + 0.5 * skull) * point(np.sin(nod), -np.cos(nod)),
        skull=skull,
        arms=(arms[0], arms[1]),
        legs=(legs[0], legs[1]),
    )


def _limb(
    root: Points,
    angles: tuple[float, float],
    sign: float,
    length: float,
    ratio: float,
    *,
    foot: bool = False,
) -> Limb:
    """A limb whose second half is `ratio` of the first one's length, with a hand or foot."""
    first, second = sign * angles[0], sign * angles[1]
    middle = root + length * down(first)
    end = middle + ratio * length * down(second)
    tip = end + (0.22 * length * down(second + sign * 1.0) if foot else 0.3 * length * down(second))
    return Limb(root, middle, end, tip)


@dataclass(frozen=True, slots=True)
class Outfit:
    """What one person wears and looks like."""

    skin: Paint
    hair: Paint
    top: Paint
    bottom: Paint
    shoes: Paint
    hat: Paint | None
    sleeves: float
    """Covered part of the arm, 0 bare to 2 to the wrist."""
    legs: float
    """Covered part of the leg, 0 to 2."""
    skirt: float
    """Length of a skirt or dress in heads; 0 for none."""
    loose: float
    """Width of cloth over the limb, 1 tight."""
    hair_kind: Hair

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> Outfit:
        """Random clothes and looks in the colours of a scene."""
        skirt = float(rng.uniform(0.9, 3.0)) if rng.random() < 0.25 else 0.0
        top = palette.cloth(rng)
        return cls(
            skin=palette.skin(rng),
            hair=palette.hair(rng),
            top=top,
            bottom=top if rng.random() < 0.1 else palette.cloth(rng, plain=0.65),
            shoes=palette.cloth(rng, plain=0.9),
            hat=palette.cloth(rng) if rng.random() < 0.2 else None,
            sleeves=float(rng.choice([0.0, 0.55, 1.2, 1.95], p=[0.12, 0.33, 0.1, 0.45])),
            legs=0.0 if skirt else float(rng.choice([rng.uniform(0.5, 1.0), 1.9], p=[0.2, 0.8])),
            skirt=skirt,
            loose=float(rng.uniform(1.08, 1.5)),
            hair_kind=_HAIR[rng.choice(5, p=[0.08, 0.36, 0.3, 0.14, 0.12])],
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A body on the canvas: where it stands, how large, and how it is turned."""

    canvas: Canvas
    body: Body
    outfit: Outfit
    origin: Points
    """The pelvis in canvas pixels."""
    unit: float
    """Canvas pixels per head."""
    roll: float
    """Turn of the whole body in radians."""

    def shape(self, outline: Points, paint: Paint) -> None:
        """Paint an outline given in heads."""
        points = self.origin + self.unit * turn(outline, self.roll)
        self.canvas.fill(points, paint, unit=self.unit, person=True)

    def bar(self, start: Points, end: Points, radii: tuple[float, float], paint: Paint) -> None:
        """Paint a tapered limb between two joints."""
        self.shape(capsule(start, end, *radii), paint)

    def draw(self) -> None:
        """Paint the body from back to front."""
        behind = self.body.view == "back"
        near = self.body.arms[1:] if self.body.view == "side" else self.body.arms
        far = self.body.arms[: 2 - len(near)]
        self._long_hair()
        for arm in (*far, *(near if behind else ())):
            self._arm(arm)
        for leg in self.body.legs:
            self._leg(leg)
        self._torso()
        self._head()
        for arm in () if behind else near:
            self._arm(arm)

    def _leg(self, leg: Limb) -> None:
        girth, outfit = self.body.girth, self.outfit
        self._limb(leg, (0.36, 0.24, 0.13), outfit.legs, outfit.bottom)
        self.bar(leg.end, leg.tip, (0.17 * girth, 0.13 * girth), outfit.shoes)

    def _arm(self, arm: Limb) -> None:
        girth, outfit = self.body.girth, self.outfit
        self.bar(arm.end, arm.tip, (0.13 * girth, 0.1 * girth), outfit.skin)
        self._limb(arm, (0.23, 0.17, 0.1), outfit.sleeves, outfit.top)

    def _limb(
        self, limb: Limb, radii: tuple[float, float, float], covered: float, cloth: Paint
    ) -> None:
        """Skin, then cloth over the first part of a limb: up to 1 its first half, up to 2 all."""
        halves = ((limb.root, limb.middle), (limb.middle, limb.end))
        wide = [radius * self.body.girth for radius in radii]
        for index, (start, end) in enumerate(halves):
            self.bar(start, end, (wide[index], wide[index + 1]), self.outfit.skin)
        for index, (start, end) in enumerate(halves):
            part = float(np.clip(covered - index, 0.0, 1.0))
            if part > 0.02:
                hem = wide[index] + part * (wide[index + 1] - wide[index])
                loose = (1.1 * wide[index], self.outfit.loose * hem + 0.01)
                self.bar(start, start + part * (end - start), loose, cloth)

    def _torso(self) -> None:
        body, outfit = self.body, self.outfit
        if outfit.skirt:
            self.shape(self._skirt(), outfit.bottom)
        else:
            self.shape(self._trunk((-0.16, -0.05, 0.2), (0.55, 1.0, 0.9)), outfit.bottom)
        self.bar(0.94 * body.neck, body.head, (0.2, 0.17), outfit.skin)
        heights = (-0.02, 0.12, 0.36, 0.7, 0.88, 0.97, 1.0)
        self.shape(self._trunk(heights, (1.0, 1.0, 0.95, 1.0, 1.0, 0.75, 0.3)), outfit.top)
        if body.view == "front":
            self.shape(ellipse(0.98 * body.neck, 0.22, 0.16), outfit.skin)

    def _trunk(self, heights: tuple[float, ...], factors: tuple[float, ...]) -> Points:
        """Outline between heights along the spine, 0 pelvis to 1 neck, with factors of width."""
        body = self.body
        shoulder = body.shoulder + 0.16 * body.girth
        widths = np.interp(heights, (0.12, 0.36, 0.88), (body.hip, 0.9 * body.hip, shoulder))
        spine = np.array(heights)[:, None] * body.neck
        aside = (widths * factors)[:, None] * point(1.0, 0.0)
        return smooth(np.concatenate([spine - aside, (spine + aside)[::-1]]))

    def _skirt(self) -> Points:
        """From the waist to a hem around the legs."""
        body, knees = self.body, [leg.middle for leg in self.body.legs]
        length = min(self.outfit.skirt, 0.9 * body.lowest)
        wide = max(1.15 * body.hip, 0.3 + 0.5 * abs(knees[1][0] - knees[0][0]) * length / 1.9)
        top, middle = 0.2 * body.neck, float(np.mean(knees, axis=0)[0]) * length / 1.9
        corners = [[top[0] - body.hip, top[1]], [top[0] + body.hip, top[1]],
                   [middle + wide, length], [middle - wide, length]]  # fmt: skip
        return smooth(np.array(corners), 1)

    def _on_head(self, outline: Points) -> Points:
        """From head units about the head's centre, x to the right or forwards."""
        return np.asarray(self.body.head + self.body.skull * outline)

    def _long_hair(self) -> None:
        if self.outfit.hair_kind == "long":
            drop = np.array(
                [[-0.5, -0.1], [-0.36, -0.5], [0.36, -0.5], [0.5, -0.1], [0.55, 1.0], [-0.55, 1.0]]
            )
            self.shape(smooth(self._on_head(drop)), self.outfit.hair)

    def _head(self) -> None:
        view, outfit = self.body.view, self.outfit
        centre = point(0, 0)
        self.shape(self._on_head(ellipse(centre, 0.41, 0.52)), outfit.skin)
        if view == "side":
            self.shape(self._on_head(ellipse(point(0.4, 0.06), 0.1, 0.09)), outfit.skin)
        if view != "back":
            self._face(point(0.2, 0) if view == "side" else centre)
        self._hair()
        if outfit.hat is not None:
            crown = np.array([[-0.47, -0.2], [-0.45, -0.75], [0.45, -0.75], [0.47, -0.2]])
            self.shape(smooth(self._on_head(crown)), outfit.hat)
            self.shape(self._on_head(ellipse(point(0.1, -0.24), 0.65, 0.09)), outfit.hat)

    def _face(self, middle: Points) -> None:
        dark = Paint([np.array([35.0, 25.0, 22.0])], grain=0.0)
        lips = Paint([self.outfit.skin.colours[0] * [0.85, 0.6, 0.6]], grain=0.0)
        for x in (-0.16, 0.16):
            self.shape(self._on_head(ellipse(middle + point(x, -0.04), 0.06, 0.05)), dark)
        self.shape(self._on_head(ellipse(middle + point(0, 0.27), 0.12, 0.035)), lips)

    def _hair(self) -> None:
        view, outfit = self.body.view, self.outfit
        if outfit.hair_kind == "bald":
            return
        if outfit.hair_kind == "curly":
            for x, y in ((-0.42, -0.05), (-0.3, -0.4), (0.0, -0.5), (0.3, -0.4), (0.42, -0.05)):
                self.shape(self._on_head(ellipse(point(x, y), 0.2, 0.2)), outfit.hair)
        if outfit.hair_kind == "bun":
            bun = point(-0.45 if view == "side" else 0.0, -0.55)
            self.shape(self._on_head(ellipse(bun, 0.2, 0.2)), outfit.hair)
        if view == "back":
            self.shape(self._on_head(ellipse(point(0, -0.06), 0.44, 0.5)), outfit.hair)
            self._long_hair()
            return
        back = -0.52 if view == "side" else -0.44
        low = 0.3 if view == "side" else 0.0
        cap = np.array(
            [[back, low], [back, -0.4], [-0.2, -0.64], [0.2, -0.64], [0.46, -0.35], [0.42, -0.1],
             [0.3, -0.28], [-0.1, -0.26], [back + 0.12, low - 0.1]]
        )  # fmt: skip
        self.shape(smooth(self._on_head(cap)), outfit.hair)
