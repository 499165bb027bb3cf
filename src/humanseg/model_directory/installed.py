"""Models that other packages bring: entry points of the group `humanseg.models`.

The entry point's name is the model's; its value is a Python package with a model directory in its
folder `model`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from humanseg.system.errors import ModelError

GROUP = "humanseg.models"
FOLDER = "model"


def installed_models() -> tuple[str, ...]:
    """Names of the models that installed packages bring, in alphabetical order."""
    return tuple(sorted(entry_points(group=GROUP).names))


def installed_model(name: str) -> Path | None:
    """The model directory of that name; None where no installed package brings one.

    Raises:
        ModelError: the package cannot be imported.
    """
    for entry in entry_points(group=GROUP, name=name):
        try:
            return Path(str(files(entry.value))) / FOLDER
        except ImportError as error:
            raise ModelError(
                f"{name}: the package {entry.value} that brings it cannot be imported ({error}); "
                "install it again."
            ) from error
    return None
