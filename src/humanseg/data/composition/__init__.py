"""Compose training scenes from photographs: people cut out along their masks, laid elsewhere."""

from __future__ import annotations

from humanseg.data.composition.record import RECORD_FILE, CompositionRecord, SourceRecord
from humanseg.data.composition.scene import KINDS, Kind, Material, compose_scene
from humanseg.data.composition.writing import compose

__all__ = [
    "KINDS",
    "RECORD_FILE",
    "CompositionRecord",
    "Kind",
    "Material",
    "SourceRecord",
    "compose",
    "compose_scene",
]
