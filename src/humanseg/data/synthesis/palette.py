"""The colours and cloths of one scene, shared by people and everything else in it.

Objects and backgrounds draw from the same palette as people: colour and texture alone do not tell
what is a person.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from humanseg.data.synthesis.painting import PATTERNS, Colour, Material

_SKIN = np.array(
    [
        [247, 216, 196],
        [236, 188, 158],
        [214, 158, 120],
        [176, 118, 80],
        [128, 82, 54],
        [74, 48, 36],
    ],
    dtype=np.float64,
)
"""Tones from light to dark; others are mixed between neighbours."""
_HAIR = np.array(
    [[24, 20, 20], [58, 40, 30], [98, 66, 40], [160, 116, 62], [214, 178, 120], [150, 70, 36],
     [176, 172, 170]],
    dtype=np.float64,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of a scene."""

    cloths: tuple[Colour, ...]
    skins: tuple[Colour, ...]
    hairs: tuple[Colour, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Palette:
        """Pick the colours of a scene."""
        return cls(
            cloths=tuple(_cloth_colour(rng) for _ in range(6)),
            skins=tuple(_between(rng, _SKIN) for _ in range(3)),
            hairs=tuple(_HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.8, 1.1) for _ in range(2)),
        )

    def cloth(self, rng: np.random.Generator, *, plain: float = 0.45) -> Material:
        """A cloth: plain with the given chance, otherwise of any pattern."""
        pattern = "plain" if rng.random() < plain else PATTERNS[rng.integers(len(PATTERNS))]
        order = rng.permutation(len(self.cloths))
        return Material(
            [self.cloths[index] for index in order[:3]],
            pattern,
            period=float(rng.uniform(0.08, 0.4)),
            phase=float(rng.random()),
            roughness=float(rng.uniform(0.02, 0.14)),
        )

    def skin(self, rng: np.random.Generator) -> Material:
        """A skin tone of the scene."""
        colour = self.skins[rng.integers(len(self.skins))]
        return Material([colour], roughness=float(rng.uniform(0.01, 0.05)))

    def hair(self, rng: np.random.Generator) -> Material:
        """A hair colour of the scene, in strands."""
        colour = self.hairs[rng.integers(len(self.hairs))]
        return Material(
            [colour, colour * 0.88], "stripes", period=0.04, roughness=float(rng.uniform(0.1, 0.2))
        )

    def anything(self, rng: np.random.Generator) -> Material:
        """What an object is made of: cloth, skin or hair colours."""
        choice = rng.random()
        if choice < 0.35:
            return self.skin(rng)
        return self.hair(rng) if choice < 0.45 else self.cloth(rng)

    def colour(self, rng: np.random.Generator) -> Colour:
        """Any colour of the scene, as surfaces in the background have it."""
        pool = (*self.cloths, *self.skins, *self.hairs)
        return np.clip(pool[rng.integers(len(pool))] * rng.uniform(0.75, 1.15), 0, 255)


def _between(rng: np.random.Generator, tones: Colour) -> Colour:
    place = rng.uniform(0, len(tones) - 1)
    first = int(place)
    mixed = tones[first] + (place - first) * (tones[min(first + 1, len(tones) - 1)] - tones[first])
    return np.asarray(np.clip(mixed + rng.normal(0, 5, 3), 0, 255))


def _cloth_colour(rng: np.random.Generator) -> Colour:
    """Muted, vivid, near black, near white, or like skin."""
    choice = rng.random()
    if choice < 0.15:
        return _between(rng, _SKIN)
    if choice < 0.45:
        return np.full(3, rng.choice([rng.uniform(15, 70), rng.uniform(200, 250)])) + rng.normal(
            0, 5, 3
        )
    saturation = rng.uniform(0.15, 0.5) if choice < 0.75 else rng.uniform(0.5, 0.95)
    rgb = colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.25, 0.95))
    return np.array(rgb) * 255.0
