"""Skeletons: proportions, poses and the joints that follow from them.

Lengths are in heads (chin to crown of an adult of average size), angles in radians from hanging
straight down. Joints are (x, y), y down, the pelvis at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from humanseg.data.synthesis.painting import Points, down, point

View = Literal["front", "back", "side"]
Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Build:
    """Proportions of one body."""

    head: float
    torso: float
    shoulder: float
    """Half the distance between the shoulder joints, seen from the front."""
    hip: float
    waist: float
    arm: float
    """Upper arm; the forearm is 0.88 of it."""
    leg: float
    """Thigh; the shin is 0.96 of it."""
    girth: float
    """Thickness of limbs, 1 for average."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Build:
        """A random body; one in six is a child."""
        girth = float(np.clip(rng.normal(1.0, 0.16), 0.72, 1.5))
        child = float(rng.uniform(0.55, 0.85)) if rng.random() < 1 / 6 else 1.0
        limbs = child * float(rng.uniform(0.93, 1.08))
        return cls(
            head=float(rng.uniform(0.93, 1.07)) * (0.55 + 0.45 * child) / (0.5 + 0.5 * child),
            torso=2.5 * child * float(rng.uniform(0.93, 1.06)),
            shoulder=child * float(rng.uniform(0.74, 0.98)),
            hip=child * girth * float(rng.uniform(0.55, 0.72)),
            waist=child * girth * float(rng.uniform(0.5, 0.66)),
            arm=1.38 * limbs,
            leg=1.9 * limbs,
            girth=girth * (0.35 + 0.65 * child),
        )


@dataclass(frozen=True, slots=True)
class Pose:
    """Angles of one body."""

    view: View
    facing: float
    """1 towards the right, -1 towards the left; the side that a body seen from the side faces."""
    lean: float
    """Of the spine, towards `facing`."""
    nod: float
    """Tilt of the head."""
    arms: tuple[Pair, Pair]
    """(upper arm, forearm) of both: outwards from the front, forwards from the side."""
    legs: tuple[Pair, Pair]
    """(thigh, shin) of both, alike."""
    thigh_length: float = 1.0
    """Foreshortening of the thighs of a body that sits facing the viewer."""
    arms_behind: bool = False
    """Arms are hidden behind the torso."""


def draw_pose(rng: np.random.Generator) -> Pose:
    """A random pose: standing, walking, sitting, crouching, arms down, raised, bent or crossed."""
    facing = 1.0 if rng.random() < 0.5 else -1.0
    nod = float(rng.normal(0, 0.12))
    if rng.random() < 0.55:
        view: View = "back" if rng.random() < 0.2 else "front"
        legs, thigh = _legs_from_front(rng)
        return Pose(
            view=view,
            facing=facing,
            lean=float(rng.normal(0, 0.06)),
            nod=nod,
            arms=(_arm_from_front(rng), _arm_from_front(rng)),
            legs=legs,
            thigh_length=thigh,
            arms_behind=bool(rng.random() < 0.08),
        )
    lean, legs = _legs_from_side(rng)
    return Pose(
        view="side", facing=facing, lean=lean, nod=nod, arms=_arms_from_side(rng), legs=legs
    )


def _arm_from_front(rng: np.random.Generator) -> Pair:
    choice = rng.random()
    if choice < 0.45:  # hanging
        upper = float(rng.uniform(0.05, 0.35))
        return upper, upper + float(rng.uniform(-0.4, 0.1))
    if choice < 0.6:  # hand on the hip
        return float(rng.uniform(0.5, 0.9)), -float(rng.uniform(0.7, 1.1))
    if choice < 0.72:  # across the body
        return float(rng.uniform(0.1, 0.4)), -float(rng.uniform(1.5, 2.1))
    if choice < 0.88:  # raised
        upper = float(rng.uniform(1.6, 2.9))
        return upper, float(rng.uniform(2.2, 3.6))
    upper = float(rng.uniform(1.0, 1.6))  # stretched out
    return upper, upper + float(rng.uniform(-0.5, 0.9))


def _legs_from_front(rng: np.random.Generator) -> tuple[tuple[Pair, Pair], float]:
    if rng.random() < 0.18:  # sitting
        knees = float(rng.uniform(0.1, 0.7))
        shin = float(rng.uniform(-0.35, 0.15))
        return ((knees, shin), (knees, -shin if rng.random() < 0.3 else shin)), float(
            rng.uniform(0.25, 0.55)
        )
    legs = [float(rng.uniform(-0.03, 0.28)) for _ in range(2)]
    bends = [float(rng.uniform(-0.2, 0.06)) for _ in range(2)]
    return ((legs[0], legs[0] + bends[0]), (legs[1], legs[1] + bends[1])), 1.0


def _arms_from_side(rng: np.random.Generator) -> tuple[Pair, Pair]:
    choice = rng.random()
    if choice < 0.6:  # swinging
        swing, bend = float(rng.uniform(0.1, 0.8)), float(rng.uniform(0.1, 1.2))
        return (swing, swing + bend), (-swing, -swing + bend)
    pairs = []
    for _ in range(2):
        upper = float(rng.uniform(-0.3, 2.9) if choice < 0.85 else rng.uniform(0.3, 0.9))
        pairs.append((upper, upper + float(rng.uniform(0.1, 1.3))))
    return pairs[0], pairs[1]


def _legs_from_side(rng: np.random.Generator) -> tuple[float, tuple[Pair, Pair]]:
    choice = rng.random()
    if choice < 0.5:  # walking to running
        stride = float(rng.uniform(0.12, 0.85))
        back = -stride * float(rng.uniform(0.4, 0.9))
        lift = float(rng.uniform(0.1, 0.4 + stride))
        legs = (stride, stride - float(rng.uniform(0.0, 0.5))), (back, back - lift)
        return float(rng.uniform(-0.05, 0.1 + 0.2 * stride)), legs
    if choice < 0.75:  # sitting
        thigh = float(rng.uniform(1.25, 1.7))
        shin = float(rng.uniform(-0.3, 0.4))
        other = thigh + float(rng.normal(0, 0.12)), shin + float(rng.normal(0, 0.25))
        return float(rng.uniform(-0.25, 0.3)), ((thigh, shin), other)
    if choice < 0.88:  # crouching
        thigh = float(rng.uniform(1.5, 2.1))
        shin = -float(rng.uniform(0.4, 0.9))
        other = thigh - float(rng.uniform(0.0, 0.7)), shin - float(rng.uniform(-0.2, 0.5))
        return float(rng.uniform(0.2, 0.7)), ((thigh, shin), other)
    stance = float(rng.uniform(0.0, 0.12))  # standing
    return float(rng.normal(0, 0.05)), ((stance, stance - 0.05), (-stance, -stance - 0.05))


@dataclass(frozen=True, slots=True)
class Limb:
    """Three joints and an end point: shoulder, elbow, wrist, finger tip; or hip to toe."""

    root: Points
    middle: Points
    end: Points
    tip: Points


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints of a posed body, in heads."""

    build: Build
    pose: Pose
    neck: Points
    up: Points
    """Unit vector along the spine, from pelvis to neck."""
    head: Points
    arms: tuple[Limb, Limb]
    """From the side the first is the far one."""
    legs: tuple[Limb, Limb]

    @property
    def lowest(self) -> float:
        """Largest y of all joints: where the ground is."""
        joints = [joint for leg in self.legs for joint in (leg.root, leg.middle, leg.end)]
        return float(max(joint[1] for joint in joints)) + 0.2 * self.build.girth


def skeleton(build: Build, pose: Pose) -> Skeleton:
    """Place the joints of a body in a pose."""
    side = pose.view == "side"
    up = point(pose.facing * np.sin(pose.lean), -np.cos(pose.lean))
    right = point(-up[1], up[0])
    neck = build.torso * up
    half_shoulder = build.shoulder * (0.12 if side else 1.0)
    half_hip = 0.62 * build.hip * (0.15 if side else 1.0)
    arms, legs = [], []
    for index, sign in enumerate((-1.0, 1.0)):
        swing = pose.facing if side else sign
        upper, fore = pose.arms[index]
        shoulder = 0.9 * neck + sign * half_shoulder * right
        elbow = shoulder + build.arm * down(upper, swing)
        wrist = elbow + 0.88 * build.arm * down(fore, swing)
        arms.append(Limb(shoulder, elbow, wrist, wrist + 0.3 * build.arm * down(fore, swing)))
        thigh, shin = pose.legs[index]
        hip = sign * half_hip * right
        knee = hip + build.leg * pose.thigh_length * down(thigh, swing)
        ankle = knee + 0.96 * build.leg * down(shin, swing)
        toe_angle = shin + (1.45 if side else 0.35)
        toe = ankle + (0.4 if side else 0.22) * build.leg * down(toe_angle, swing)
        legs.append(Limb(hip, knee, ankle, toe))
    tilt = pose.nod * (pose.facing if side else 1.0)
    towards = up + point(np.sin(tilt), 0.0)
    head = neck + (0.22 + 0.5 * build.head) * towards / np.hypot(*towards)
    return Skeleton(build, pose, neck, up, head, (arms[0], arms[1]), (legs[0], legs[1]))
