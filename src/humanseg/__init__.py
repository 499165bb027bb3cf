"""Train, compare and use person-segmentation networks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from humanseg.inference.prediction import Prediction
    from humanseg.inference.segmenter import Segmenter

__version__ = "0.1.0"
__all__ = ["Prediction", "Segmenter", "__version__"]

_HOMES = {
    "Prediction": "humanseg.inference.prediction",
    "Segmenter": "humanseg.inference.segmenter",
}
"""Imported when first asked for, so that `import humanseg` and `humanseg --help` stay quick."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
