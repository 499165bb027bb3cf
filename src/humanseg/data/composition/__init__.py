"""Compose training scenes from photographs: people cut out along their masks, laid elsewhere."""

from __future__ import annotations

from humanseg.data.composition.compose import (
    RECORD_FILE,
    CompositionRecord,
    SourceRecord,
    compose,
)
from humanseg.data.composition.composed_scene import KINDS, compose_scene
from humanseg.data.composition.material import Material

__all__ = [
    "KINDS",
    "RECORD_FILE",
    "CompositionRecord",
    "Material",
    "SourceRecord",
    "compose",
    "compose_scene",
]
