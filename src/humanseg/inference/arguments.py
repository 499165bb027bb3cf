"""What callers of a segmenter give, checked."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from humanseg.config.sentences import is_number, shown
from humanseg.system.errors import UsageError


def checked_share(name: str, value: float) -> float:
    """A threshold or share, from 0 to 1, as a float."""
    if not (is_number(value) and 0 <= value <= 1):
        raise UsageError(f"{name}: got {shown(value)}; give a number from 0 to 1.")
    return float(value)


def checked_count(name: str, count: int, *, otherwise: str = "") -> int:
    """A number of things, from 1, as an int; `otherwise` is told where it is none."""
    whole = isinstance(count, numbers.Integral) and not isinstance(count, bool)
    if not whole or count < 1:
        raise UsageError(f"{name}: got {count!r}; give at least 1, a whole number{otherwise}.")
    return int(count)


def checked_rate(name: str, value: float) -> float:
    """A number of things per second, above 0, as a float."""
    if not (is_number(value) and 0 < value < math.inf):
        raise UsageError(f"{name}: got {shown(value)}; give a number above 0, such as 25.")
    return float(value)


def refuse_single(sources: object) -> None:
    """Refuse one picture where many are wanted: its letters, lines or rows are no pictures."""
    single = isinstance(sources, (str, bytes, Path)) or hasattr(sources, "read")
    rows = isinstance(sources, np.ndarray) and sources.ndim != 4
    if single or rows or not isinstance(sources, Iterable):
        raise UsageError(
            "images: got a single one or no list of them; give several, such as a list of paths, "
            "or use predict."
        )
