"""Systems without a network: ours behind a stand-in, others behind adapters written here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.system.errors import UsageError


class BrightSegmenter:
    """Marks what is brighter than its threshold; knows no other backend than ONNX Runtime."""

    image_size = (8, 8)
    threshold = 0.5
    flip_averaging = False
    model = None
    record = SimpleNamespace(data_fingerprint="0" * 64, extra_fingerprints=())

    def __init__(
        self, model: Path, *, backend: str, precision: str, device: str, threads: int | None
    ) -> None:
        if backend not in ("auto", "onnxruntime"):
            raise UsageError(f"backend {backend}: is not installed.")
        self.engine = SimpleNamespace(
            name="onnxruntime", precision="fp32", device=device, threads=threads or 2
        )

    def mask(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return np.asarray(image.mean(axis=2) >= 128)


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> type[BrightSegmenter]:
    monkeypatch.setitem(
        sys.modules, "humanseg.inference.segmenter", SimpleNamespace(Segmenter=BrightSegmenter)
    )
    return BrightSegmenter


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "humanseg.json").write_text("{}")
    (folder / "model.onnx").write_bytes(b"weights")
    (folder / "README.md").write_text("no weights")
    return folder


@pytest.fixture
def adapter(tmp_path: Path) -> Callable[..., Path]:
    """Write an adapter whose network is the given expression of `image`."""

    def write(find: str, *, name: str = "fake", load: str = "") -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(
            "import sys\n"
            "PACKAGES = ('numpy', 'no-such-distribution')\n"
            "print('libraries chatter on stdout')\n"
            "def load(argument):\n"
            f"    {load or 'pass'}\n"
            f"    return lambda image: {find}\n"
        )
        return path

    return write
