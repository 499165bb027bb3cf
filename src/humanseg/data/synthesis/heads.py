"""Heads: faces, hair and hats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from humanseg.data.synthesis.bodies import Skeleton
from humanseg.data.synthesis.painting import Material, Points, ellipse, smooth, turn
from humanseg.data.synthesis.palette import Palette

Hair = Literal["bald", "short", "bob", "long", "curly", "bun"]
Hat = Literal["none", "cap", "beanie", "brim"]
_HAIR: tuple[Hair, ...] = ("bald", "short", "bob", "long", "curly", "bun")
_HATS: tuple[Hat, ...] = ("none", "cap", "beanie", "brim")


class Part(Protocol):
    """Paints a tapered limb."""

    def __call__(  # noqa: D102
        self, start: Points, end: Points, radii: tuple[float, float], material: Material
    ) -> None: ...


class Panel(Protocol):
    """Paints an outline."""

    def __call__(self, outline: Points, material: Material, *, roundness: float = 0.35) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Look:
    """A head's features."""

    skin: Material
    shade: Material
    """Skin in shadow: nose and ears."""
    lips: Material
    dark: Material
    """Eyes, and the rims of glasses."""
    white: Material
    hair: Material
    hair_kind: Hair
    hat_kind: Hat
    hat: Material
    beard: bool
    glasses: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette, skin: Material) -> Look:
        """Random features for a skin."""
        tone = skin.table[45].astype(np.float64)
        return cls(
            skin=skin,
            shade=Material([tone * 0.85], roughness=0.02),
            lips=Material([tone * [0.85, 0.6, 0.6]], roughness=0.0),
            dark=Material([np.array([35.0, 25.0, 22.0])], roughness=0.0),
            white=Material([np.array([235.0, 232.0, 228.0])], roughness=0.0),
            hair=palette.hair(rng),
            hair_kind=_HAIR[rng.choice(6, p=[0.08, 0.34, 0.16, 0.22, 0.1, 0.1])],
            hat_kind=_HATS[rng.choice(4, p=[0.78, 0.08, 0.08, 0.06])],
            hat=palette.cloth(rng),
            beard=bool(rng.random() < 0.15),
            glasses=bool(rng.random() < 0.12),
        )


@dataclass(frozen=True, slots=True)
class _Skull:
    """Local coordinates of a head: x towards the face's right or front, y down, in head units."""

    centre: Points
    size: float
    tilt: float
    flip: float

    def __call__(self, points: Points) -> Points:
        flat = np.atleast_2d(points) * (self.size * self.flip, self.size)
        return np.asarray(self.centre + turn(flat, self.tilt))

    def spot(self, x: float, y: float) -> Points:
        return np.asarray(self(np.array([[x, y]]))[0])

    def oval(self, x: float, y: float, rx: float, ry: float) -> Points:
        return self(ellipse(np.array([x, y]), rx, ry))


def _skull(body: Skeleton) -> _Skull:
    axis = body.head - body.neck
    tilt = float(np.arctan2(axis[0], -axis[1]))
    flip = body.pose.facing if body.pose.view == "side" else 1.0
    return _Skull(body.head, body.build.head, tilt, flip)


def draw_back_hair(part: Part, panel: Panel, body: Skeleton, look: Look) -> None:
    """Hair that hangs behind the body; seen from behind it is painted with the head."""
    if body.pose.view != "back":
        _draw_long_hair(panel, body, look)


def _draw_long_hair(panel: Panel, body: Skeleton, look: Look) -> None:
    drop = {"long": 0.95, "bob": 0.45}.get(look.hair_kind)
    if drop is None:
        return
    wide = (0.46, -0.46) if body.pose.view != "side" else (0.02, -0.5)
    right, left = wide
    outline = np.array(
        [[left, -0.1], [left * 0.7, -0.5], [right * 0.7, -0.5], [right, -0.1],
         [right * 1.05, drop], [left * 1.05, drop]]
    )  # fmt: skip
    panel(smooth(_skull(body)(outline)), look.hair)


def draw_head(part: Part, panel: Panel, body: Skeleton, look: Look) -> None:
    """Paint the skull, face, hair and hat."""
    skull = _skull(body)
    view = body.pose.view
    if view == "back":
        panel(skull.oval(0, 0, 0.39, 0.5), look.skin)
        if look.hair_kind != "bald":
            panel(skull.oval(0, -0.04, 0.43, 0.5), look.hair)
        _draw_long_hair(panel, body, look)
    elif view == "front":
        for sign in (-1.0, 1.0):
            panel(skull.oval(sign * 0.38, 0.04, 0.06, 0.11), look.shade)
        jaw = np.array(
            [[-0.4, -0.3], [-0.2, -0.56], [0.2, -0.56], [0.4, -0.3], [0.39, 0.15], [0.22, 0.5],
             [-0.22, 0.5], [-0.39, 0.15]]
        )  # fmt: skip
        panel(smooth(skull(jaw), 3), look.skin)
        _draw_face(part, panel, skull, look)
        _draw_front_hair(panel, skull, look)
    else:
        profile = np.array(
            [[0.42, -0.3], [0.25, -0.56], [-0.25, -0.56], [-0.48, -0.25], [-0.42, 0.2],
             [-0.1, 0.3], [0.1, 0.5], [0.4, 0.5], [0.42, 0.2]]
        )  # fmt: skip
        panel(smooth(skull(profile)), look.skin)
        _draw_profile(part, panel, skull, look)
    if look.hair_kind == "bun" and view != "front":
        x = -0.5 if view == "side" else 0.0
        panel(skull.oval(x, -0.35, 0.2, 0.2), look.hair)
    _draw_hat(panel, skull, look, side=view == "side")


def _draw_face(part: Part, panel: Panel, skull: _Skull, look: Look) -> None:
    if look.beard:
        beard = np.array(
            [[-0.4, 0.05], [-0.3, 0.2], [0.3, 0.2], [0.4, 0.05], [0.3, 0.52], [-0.3, 0.52]]
        )
        panel(smooth(skull(beard)), look.hair)
    for sign in (-1.0, 1.0):
        panel(skull.oval(sign * 0.17, -0.02, 0.075, 0.042), look.white, roundness=0.1)
        panel(skull.oval(sign * 0.17, -0.02, 0.036, 0.038), look.dark, roundness=0.0)
        part(skull.spot(sign * 0.08, -0.12), skull.spot(sign * 0.25, -0.13), (0.02, 0.015),
             look.hair)  # fmt: skip
        if look.glasses:
            panel(skull.oval(sign * 0.17, -0.01, 0.12, 0.09), look.dark, roundness=0.0)
    part(skull.spot(0, 0.0), skull.spot(0, 0.15), (0.03, 0.055), look.shade)
    part(skull.spot(-0.1, 0.28), skull.spot(0.1, 0.28), (0.026, 0.026), look.lips)


def _draw_front_hair(panel: Panel, skull: _Skull, look: Look) -> None:
    if look.hair_kind == "bald":
        return
    if look.hair_kind == "curly":
        crown = [(-0.42, -0.05), (-0.3, -0.4), (0.0, -0.5), (0.3, -0.4), (0.42, -0.05)]
        for x, y in crown:
            panel(skull.oval(x, y, 0.2, 0.2), look.hair)
        return
    if look.hair_kind == "bun":
        panel(skull.oval(0, -0.6, 0.18, 0.18), look.hair)
    cap = np.array(
        [[-0.43, 0.0], [-0.46, -0.4], [-0.2, -0.63], [0.2, -0.63], [0.46, -0.4], [0.43, 0.0],
         [0.36, -0.1], [0.28, -0.3], [-0.1, -0.24], [-0.36, -0.1]]
    )  # fmt: skip
    panel(smooth(skull(cap)), look.hair)


def _draw_profile(part: Part, panel: Panel, skull: _Skull, look: Look) -> None:
    part(skull.spot(0.37, -0.06), skull.spot(0.46, 0.1), (0.03, 0.055), look.skin)
    if look.beard:
        beard = np.array([[-0.02, 0.1], [0.4, 0.22], [0.42, 0.54], [0.1, 0.54]])
        panel(smooth(skull(beard)), look.hair)
    panel(skull.oval(0.29, -0.03, 0.04, 0.04), look.dark, roundness=0.0)
    part(skull.spot(0.22, -0.13), skull.spot(0.36, -0.13), (0.02, 0.015), look.hair)
    part(skull.spot(0.3, 0.28), skull.spot(0.4, 0.27), (0.024, 0.02), look.lips)
    if look.glasses:
        part(skull.spot(-0.05, -0.05), skull.spot(0.3, -0.04), (0.02, 0.02), look.dark)
    if look.hair_kind == "curly":
        for x, y in ((-0.45, 0.1), (-0.45, -0.2), (-0.3, -0.42), (0.0, -0.5), (0.25, -0.42)):
            panel(skull.oval(x, y, 0.2, 0.2), look.hair)
    elif look.hair_kind != "bald":
        hair = np.array(
            [[0.42, -0.32], [0.28, -0.63], [-0.3, -0.63], [-0.56, -0.25], [-0.48, 0.25],
             [-0.25, 0.3], [-0.06, 0.05], [0.08, -0.2], [0.3, -0.28]]
        )  # fmt: skip
        panel(smooth(skull(hair)), look.hair)
    panel(skull.oval(-0.06, 0.04, 0.07, 0.11), look.shade)


def _draw_hat(panel: Panel, skull: _Skull, look: Look, *, side: bool) -> None:
    if look.hat_kind == "none":
        return
    crown = np.array([[-0.47, -0.2], [-0.45, -0.7], [0.45, -0.7], [0.47, -0.2]])
    panel(smooth(skull(crown)), look.hat)
    if look.hat_kind == "brim":
        panel(skull.oval(0, -0.24, 0.85, 0.11), look.hat, roundness=0.2)
    elif look.hat_kind == "cap":
        panel(skull.oval(0.45 if side else 0.0, -0.23, 0.38, 0.07), look.hat, roundness=0.2)
    else:
        panel(skull.oval(0, -0.25, 0.48, 0.08), look.hat, roundness=0.2)
