"""Draw pictures of people with exact masks: a data set without anybody's photograph."""

from __future__ import annotations

from humanseg.data.synthesis.scene import draw_scene
from humanseg.data.synthesis.synthesize import synthesize

__all__ = ["draw_scene", "synthesize"]
