from __future__ import annotations

from tests.builders.witness import witness_asked_once

__all__ = ["witness_asked_once"]
