"""Model directories that were tampered with; the happy path is in models/test_contract.py."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from humanseg.config.schema import TrainConfig
from humanseg.inference.engines.select import BackendName
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import bundled, read_model_record
from humanseg.models import load_network
from humanseg.system.errors import ModelError
from humanseg.training import train

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Path:
    values = {
        "data": {"root": drawn},
        "model": {
            "encoder_name": "tu-test_efficientnet",
            "encoder_weights": "none",
            "image_size": (32, 32),
        },
        "training": {"epochs": 2, "precision": "fp32", "memory_format": "contiguous"},
    }
    root = tmp_path_factory.mktemp("saved")
    train(TrainConfig.model_validate(values), output=root / "run")
    return root / "run" / "model"


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "model")


def test_directory__holds_what_the_design_names(model: Path) -> None:
    names = {path.name for path in model.iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "humanseg.json",
        "model.onnx",
        "model.safetensors",
        "training-images.npz",
    }
    assert json.loads((model / "config.json").read_text())["encoder_weights"] is None
    card = (model / "README.md").read_text()
    assert "held-out pictures" in card
    assert "does not know the terms" in card


def test_load__no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model directory"):
        load_network(tmp_path / "none")


@pytest.mark.parametrize("name", ["config.json", "humanseg.json", "model.safetensors"])
def test_load__missing_file(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(ModelError, match=name):
        load_network(model)


def test_load__weights_cut_short(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"model\.safetensors: is damaged, or not the file"):
        load_network(model)


@pytest.mark.parametrize(
    ("name", "backend"), [("model.safetensors", "torch"), ("model.onnx", "onnxruntime")]
)
def test_segmenter__one_wrong_bit_of_the_weights_is_seen(
    model: Path, name: str, backend: BackendName
) -> None:
    Segmenter(model, backend=backend)
    content = bytearray((model / name).read_bytes())
    content[-200] ^= 1
    (model / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}: is damaged, or not the file"):
        Segmenter(model, backend=backend)


def test_bundled__has_the_files_that_its_card_and_its_record_name() -> None:
    """As `sha256sum` prints them."""
    directory = bundled()
    rows = re.findall(r"\| `([\w.-]+)` \| ([\d,]+) \| `([0-9a-f]{64})` \|",
                      (directory / "README.md").read_text())  # fmt: skip
    assert {name for name, *_ in rows} == {path.name for path in directory.iterdir()} - {
        "README.md"
    }
    for name, size, digest in rows:
        content = (directory / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            int(size.replace(",", "")),
            digest,
        )
    by_name = {name: digest for name, _, digest in rows}
    files = read_model_record(directory).files
    assert set(files) == {"model.safetensors", "model.onnx", "model.int8.onnx"}
    assert files.items() <= by_name.items()


def test_bundled__tells_its_own_data_from_further_data() -> None:
    """Else training could not start from it with the split that it was trained with."""
    record = read_model_record(bundled())
    assert record.data_fingerprint not in record.extra_fingerprints


def test_load__weights_of_another_network(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"_model_class": "FPN"}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_network(model)


def test_load__foreign_class_is_not_called(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"_model_class": "os.system"}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_network(model)


def test_load__newer_schema(model: Path) -> None:
    record = json.loads((model / "humanseg.json").read_text())
    (model / "humanseg.json").write_text(json.dumps(record | {"schema_version": 2}))
    with pytest.raises(ModelError, match="schema version 2"):
        load_network(model)
