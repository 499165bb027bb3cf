"""A model directory that only has to exist, and a clock that does as it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "humanseg.json").write_text("{}")
    (folder / "model.onnx").write_bytes(b"weights")
    (folder / "README.md").write_text("no weights")
    return folder


class FakeClock:
    """Advances by the given steps, one per reading."""

    def __init__(self, *steps: float) -> None:
        self._times = [0.0, *np.cumsum(steps)]
        self._next = 0

    def __call__(self) -> float:
        self._next += 1
        return float(self._times[self._next - 1])


@pytest.fixture
def fake_clock() -> Callable[..., Any]:
    return FakeClock
