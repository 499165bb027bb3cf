"""People: a skeleton in a pose, and flat shapes of skin, cloth and hair over it.

Lengths are in heads (chin to crown of an adult of average size), angles in radians from hanging
straight down, outwards. Joints are (x, y), y down, the pelvis at the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from humanseg.data.synthesis.painting import (
    Paint,
    Palette,
    Points,
    capsule,
    down,
    ellipse,
    point,
    smooth,
)

Range = tuple[float, float]
Fill = Callable[[Points, Paint], None]
"""Paints an outline in heads."""

_ARMS: tuple[tuple[float, tuple[Range, Range]], ...] = (
    # chance, upper arm, and the forearm's bend against it
    (0.50, ((0.05, 0.35), (-0.4, 0.1))),  # hanging
    (0.12, ((0.5, 0.9), (-1.9, -1.4))),  # hand on the hip
    (0.08, ((0.1, 0.4), (-2.2, -1.7))),  # across the body
    (0.18, ((1.6, 2.9), (-0.2, 0.9))),  # raised
    (0.12, ((1.0, 1.6), (-0.5, 0.9))),  # stretched out
)
_LEGS = (  # chance; of each leg: the thigh, and the shin's bend against it
    (0.60, (((-0.03, 0.25), (-0.2, 0.06)), ((-0.03, 0.25), (-0.2, 0.06)))),  # standing
    (0.28, (((0.15, 0.7), (-0.4, 0.0)), ((0.1, 0.5), (-0.1, 0.6)))),  # walking to running
    (0.12, (((1.0, 1.5), (-1.7, -1.1)), ((-0.05, 0.3), (-0.1, 0.5)))),  # one knee up
)
_HAIR = ("bald", "short", "long", "curly", "bun")


class Person:
    """A body in a pose, one in six a child's; dressed at random when it is drawn."""

    def __init__(self, palette: Palette) -> None:
        """Choose the body; `palette` is that of its scene, and the source of chance."""
        self._palette, rng = palette, palette.rng
        self._side = rng.random() < 0.35
        self._back = not self._side and rng.random() < 0.2
        girth = float(np.clip(rng.normal(1.0, 0.16), 0.72, 1.5))
        child = rng.uniform(0.55, 0.85) if rng.random() < 1 / 6 else 1.0
        self._shoulder = child * rng.uniform(0.74, 0.98) * (0.45 if self._side else 1.0)
        self._hip = child * girth * rng.uniform(0.55, 0.72) * (0.75 if self._side else 1.0)
        self._girth = girth * (0.35 + 0.65 * child)
        lean = rng.normal(0, 0.07)
        self._neck = 2.5 * child * rng.uniform(0.93, 1.06) * point(np.sin(lean), -np.cos(lean))
        self.skull = rng.uniform(0.93, 1.07) * (0.55 + 0.45 * child) / (0.5 + 0.5 * child)
        nod = lean + rng.normal(0, 0.12)
        self.head = self._neck + (0.22 + 0.5 * self.skull) * point(np.sin(nod), -np.cos(nod))
        self._arms = []
        for sign in (-1.0, 1.0):
            _, pose = _ARMS[rng.choice(len(_ARMS), p=[row[0] for row in _ARMS])]
            root = 0.9 * self._neck + point(sign * 0.9 * self._shoulder, 0)
            self._arms.append(self._limb(root, sign, pose, 1.38 * child, leg=False))
        _, poses = _LEGS[rng.choice(len(_LEGS), p=[row[0] for row in _LEGS])]
        self._legs = []
        for sign, pose in zip((-1.0, 1.0), poses, strict=True):
            root = point(sign * 0.55 * self._hip, 0)
            self._legs.append(self._limb(root, sign, pose, 1.9 * child, leg=True))

    def _limb(
        self, root: Points, sign: float, pose: tuple[Range, Range], length: float, *, leg: bool
    ) -> Points:
        """Joints (4, 2): shoulder, elbow, wrist and finger tip; or hip, knee, ankle and toe."""
        first = self._palette.rng.uniform(*pose[0])
        second = sign * (first + self._palette.rng.uniform(*pose[1]))
        middle = root + length * down(sign * first)
        end = middle + (0.96 if leg else 0.88) * length * down(second)
        tip = 0.22 * length * down(second + sign) if leg else 0.3 * length * down(second)
        return np.array([root, middle, end, end + tip])

    @property
    def lowest(self) -> float:
        """Largest y of all joints: where the body stands."""
        return float(np.max([leg[:3, 1] for leg in self._legs])) + 0.2 * self._girth

    def dress(self) -> None:
        """Choose clothes and looks in the colours of the scene."""
        palette, rng = self._palette, self._palette.rng
        self._skirt = rng.uniform(0.9, 3.0) if rng.random() < 0.25 else 0.0
        self._top = palette.cloth()
        self._skin, self._hair = palette.skin(), palette.hair()
        self._bottom = self._top if rng.random() < 0.1 else palette.cloth(plain=0.65)
        self._shoes = palette.cloth(plain=0.9)
        self._hat = palette.cloth() if rng.random() < 0.2 else None
        # How far a limb is covered: up to 1 its first half, up to 2 all.
        self._sleeves = rng.choice([0.0, 0.55, 1.2, 1.95], p=[0.12, 0.33, 0.1, 0.45])
        covered = 0.0 if self._skirt else rng.choice([rng.uniform(0.5, 1.0), 1.9], p=[0.2, 0.8])
        self._trousers = covered
        self._loose = rng.uniform(1.08, 1.5)
        self._hair_kind = _HAIR[rng.choice(5, p=[0.08, 0.36, 0.3, 0.14, 0.12])]

    def draw(self, fill: Fill) -> None:
        """Paint the body, once it is dressed, from back to front."""
        self._fill = fill
        near = self._arms[1:] if self._side else self._arms
        far = self._arms[: 2 - len(near)]
        if self._hair_kind == "long":
            self._long_hair()
        for arm in (*far, *(near if self._back else ())):
            self._arm(arm)
        for leg in self._legs:
            self._clothed(leg, (0.36, 0.24, 0.13), self._trousers, self._bottom)
            shoe = capsule(leg[2], leg[3], 0.17 * self._girth, 0.13 * self._girth)
            self._fill(shoe, self._shoes)
        self._torso()
        self._draw_head()
        for arm in () if self._back else near:
            self._arm(arm)

    def _arm(self, arm: Points) -> None:
        self._fill(capsule(arm[2], arm[3], 0.13 * self._girth, 0.1 * self._girth), self._skin)
        self._clothed(arm, (0.23, 0.17, 0.1), self._sleeves, self._top)

    def _clothed(
        self, joints: Points, radii: tuple[float, float, float], covered: float, cloth: Paint
    ) -> None:
        """Skin, then cloth over the first part of a limb."""
        wide = [radius * self._girth for radius in radii]
        halves = list(zip(pairwise(joints[:3]), pairwise(wide), strict=True))
        for (start, end), ends in halves:
            self._fill(capsule(start, end, *ends), self._skin)
        for index, ((start, end), (first, last)) in enumerate(halves):
            part = float(np.clip(covered - index, 0.0, 1.0))
            if part > 0.02:
                hem = self._loose * (first + part * (last - first)) + 0.01
                self._fill(capsule(start, start + part * (end - start), 1.1 * first, hem), cloth)

    def _torso(self) -> None:
        if self._skirt:
            self._fill(self._skirt_outline(), self._bottom)
        else:
            self._fill(self._trunk((-0.16, -0.05, 0.2), (0.55, 1.0, 0.9)), self._bottom)
        self._fill(capsule(0.94 * self._neck, self.head, 0.2, 0.17), self._skin)
        heights = (-0.02, 0.12, 0.36, 0.7, 0.88, 0.97, 1.0)
        self._fill(self._trunk(heights, (1.0, 1.0, 0.95, 1.0, 1.0, 0.75, 0.3)), self._top)
        if not self._side and not self._back:
            self._fill(ellipse(0.98 * self._neck, 0.22, 0.16), self._skin)

    def _trunk(self, heights: tuple[float, ...], factors: tuple[float, ...]) -> Points:
        """Outline between heights along the spine, 0 pelvis to 1 neck, with factors of width."""
        shoulder = self._shoulder + 0.16 * self._girth
        widths = np.interp(heights, (0.12, 0.36, 0.88), (self._hip, 0.9 * self._hip, shoulder))
        spine = np.array(heights)[:, None] * self._neck
        aside = (widths * factors)[:, None] * point(1.0, 0.0)
        return smooth(np.concatenate([spine - aside, (spine + aside)[::-1]]))

    def _skirt_outline(self) -> Points:
        """From the waist to a hem around the legs."""
        knees = [leg[1] for leg in self._legs]
        length = min(self._skirt, 0.9 * self.lowest)
        wide = max(1.15 * self._hip, 0.3 + 0.5 * abs(knees[1][0] - knees[0][0]) * length / 1.9)
        top, middle = 0.2 * self._neck, float(np.mean(knees, axis=0)[0]) * length / 1.9
        corners = [[top[0] - self._hip, top[1]], [top[0] + self._hip, top[1]],
                   [middle + wide, length], [middle - wide, length]]  # fmt: skip
        return smooth(np.array(corners), 1)

    def _on_head(self, outline: Points | list[list[float]], paint: Paint) -> None:
        """Paint in head units about the head's centre, x to the right or forwards.

        Lists of corners are rounded.
        """
        points = self.head + self.skull * np.asarray(outline)
        self._fill(smooth(points) if isinstance(outline, list) else points, paint)

    def _long_hair(self) -> None:
        drop = [[-0.5, -0.1], [-0.36, -0.5], [0.36, -0.5], [0.5, -0.1], [0.55, 1.0], [-0.55, 1.0]]
        self._on_head(drop, self._hair)

    def _draw_head(self) -> None:
        self._on_head(ellipse(point(0, 0), 0.41, 0.52), self._skin)
        if self._side:
            self._on_head(ellipse(point(0.4, 0.06), 0.1, 0.09), self._skin)
        if not self._back:
            forwards = 0.2 if self._side else 0.0
            dark = Paint([np.array([35.0, 25.0, 22.0])], grain=0.0)
            lips = Paint([self._skin.colours[0] * [0.85, 0.6, 0.6]], grain=0.0)
            for x in (-0.16, 0.16):
                self._on_head(ellipse(point(forwards + x, -0.04), 0.06, 0.05), dark)
            self._on_head(ellipse(point(forwards, 0.27), 0.12, 0.035), lips)
        if self._hair_kind != "bald":
            self._draw_hair()
        if self._hat is not None:
            crown = [[-0.47, -0.2], [-0.45, -0.75], [0.45, -0.75], [0.47, -0.2]]
            self._on_head(crown, self._hat)
            self._on_head(ellipse(point(0.1, -0.24), 0.65, 0.09), self._hat)

    def _draw_hair(self) -> None:
        if self._hair_kind == "curly":
            for x, y in ((-0.42, -0.05), (-0.3, -0.4), (0.0, -0.5), (0.3, -0.4), (0.42, -0.05)):
                self._on_head(ellipse(point(x, y), 0.2, 0.2), self._hair)
        if self._hair_kind == "bun":
            bun = point(-0.45 if self._side else 0.0, -0.55)
            self._on_head(ellipse(bun, 0.2, 0.2), self._hair)
        if self._back:
            self._on_head(ellipse(point(0, -0.06), 0.44, 0.5), self._hair)
            if self._hair_kind == "long":
                self._long_hair()
            return
        back, low = (-0.52, 0.3) if self._side else (-0.44, 0.0)
        cap = [[back, low], [back, -0.4], [-0.2, -0.64], [0.2, -0.64], [0.46, -0.35], [0.42, -0.1],
               [0.3, -0.28], [-0.1, -0.26], [back + 0.12, low - 0.1]]  # fmt: skip
        self._on_head(cap, self._hair)
