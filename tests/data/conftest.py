from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an array as a picture below `tmp_path`; noise of the given seed if there is none."""

    def make(name: str, values: NDArray[np.generic] | None = None, *, seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if values is None:
            values = np.random.default_rng(seed).integers(0, 256, (12, 16, 3)).astype(np.uint8)
        if values.dtype == np.bool_:
            values = values.astype(np.uint8) * 255
        Image.fromarray(values).save(path)
        return path

    return make


@pytest.fixture
def half() -> NDArray[np.bool_]:
    """A mask of 12 x 16 pixels whose left half is a person."""
    mask = np.zeros((12, 16), dtype=np.bool_)
    mask[:, :8] = True
    return mask
