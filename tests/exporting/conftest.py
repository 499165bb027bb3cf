from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.models import FromBytes, load_network
from humanseg.models.onnx_file import onnx_model

if TYPE_CHECKING:
    from onnx import ModelProto

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="session")
def pictures() -> NDArray[np.uint8]:
    """uint8 (3, 32, 64, 3) on the grid of the stored model."""
    return np.asarray(np.load(FIXTURES / "model-v1-expected.npz")["images"])


@pytest.fixture(scope="session")
def probabilities() -> NDArray[np.float32]:
    """What the stored model gave for `pictures` when it was made."""
    return np.asarray(np.load(FIXTURES / "model-v1-expected.npz")["probabilities"])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model directory of version 1, without ONNX files."""
    return shutil.copytree(FIXTURES / "model-v1", tmp_path / "model")


@pytest.fixture(scope="session")
def proto() -> ModelProto:
    """The stored model as ONNX: torch's exporter takes seconds."""
    network, record = load_network(FIXTURES / "model-v1")
    return onnx_model(FromBytes(network), record.preprocessing.image_size)


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelProto], None]:
    """Have the export use a given ONNX model in place of torch's exporter."""

    def call(made: ModelProto) -> None:
        monkeypatch.setattr("humanseg.exporting.run_export.onnx_model", lambda *_, **__: made)

    return call


@pytest.fixture
def quick(instead: Callable[[ModelProto], None], proto: ModelProto) -> None:
    """Have the export use the ONNX model that was made once."""
    copied = type(proto)()
    copied.CopyFrom(proto)
    instead(copied)
