"""Model directories: what is written, what stays readable, and what is refused."""

from __future__ import annotations

import json
import shutil
import stat
import warnings
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from pytest_socket import SocketBlockedError
from safetensors.torch import load_file
from tests.builders.onnx_metadata import metadata

from humanseg.inference.engines.onnxruntime_engine import open_onnxruntime
from humanseg.model_directory import bundled, find_model, read_model_record
from humanseg.models import (
    SegmentationNetwork,
    TorchEngine,
    halved,
    load_network,
    save_network,
)
from humanseg.system.errors import ExportError, ModelError, UsageError

FIXTURES = Path(__file__).parents[1] / "fixtures"
VERSION_1 = FIXTURES / "model-v1"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return shutil.copytree(VERSION_1, tmp_path / "model")


def plain_smp(directory: Path) -> torch.nn.Module:
    """What somebody without humanseg gets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network: torch.nn.Module = smp.from_pretrained(str(directory))
    return network.eval()


def logits_of_plain(directory: Path, images: torch.Tensor) -> torch.Tensor:
    """As the model card tells how to: scale, less the mean, divided by the deviation."""
    record = read_model_record(directory)
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in (record.preprocessing.mean, record.preprocessing.std)
    )
    batch = (images.float() / 255.0 - mean) / std
    with torch.inference_mode():
        found: torch.Tensor = plain_smp(directory)(
            batch.contiguous(memory_format=torch.channels_last)
        )
    return found


def logits(network: SegmentationNetwork, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = network(images)
    return found


def some_images() -> torch.Tensor:
    stored = np.load(FIXTURES / "model-v1-expected.npz")["images"]
    return torch.from_numpy(stored).permute(0, 3, 1, 2)


class TestVersion1:
    def test_gives_what_it_gave_when_it_was_made(self) -> None:
        expected = np.load(FIXTURES / "model-v1-expected.npz")
        network, record = load_network(VERSION_1)
        assert record.schema_version == 1
        assert record.onnx is None
        assert record.provenance == ()
        found = TorchEngine.of_network(network, record.preprocessing.image_size)(expected["images"])
        np.testing.assert_allclose(found, expected["probabilities"], atol=1e-5, rtol=0)
        assert found.max() - found.min() > 0.2  # no flat answer that any network would give

    def test_plain_smp_gives_the_same(self) -> None:
        images = some_images()
        assert torch.equal(
            logits_of_plain(VERSION_1, images), logits(load_network(VERSION_1)[0], images)
        )

    def test_loads_without_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def blocked(*_: object, **__: object) -> None:
            raise SocketBlockedError

        monkeypatch.setattr("socket.socket", blocked)
        monkeypatch.setattr("socket.getaddrinfo", blocked)
        network, _ = load_network(VERSION_1)
        assert logits(network, some_images()).isfinite().all()
        assert plain_smp(VERSION_1) is not None

    def test_names_no_hub_weights(self) -> None:
        assert json.loads((VERSION_1 / "config.json").read_text())["encoder_weights"] is None


@pytest.mark.contract
class TestSave:
    @pytest.fixture(scope="class")
    @classmethod
    def saved(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """With ONNX, in half the size."""
        network, record = load_network(VERSION_1)
        directory = tmp_path_factory.mktemp("saved") / "model"
        record = record.model_copy(update={"provenance": ("photos of mine (CC0)",)})
        written = save_network(network.train(), record, directory, onnx=True, half=True)
        assert network.training
        assert written == read_model_record(directory)
        return directory

    def test_every_reader_has_the_same_network(self, saved: Path) -> None:
        images = some_images()
        rounded = logits(halved(load_network(VERSION_1)[0]), images)
        assert torch.equal(logits(load_network(saved)[0], images), rounded)
        assert torch.equal(logits_of_plain(saved, images), rounded)
        found = open_onnxruntime(saved / "model.onnx")(images.permute(0, 2, 3, 1).numpy())
        np.testing.assert_allclose(found, torch.sigmoid(rounded)[:, 0], atol=1e-5, rtol=0)

    def test_half_the_size(self, saved: Path) -> None:
        def size(directory: Path) -> int:
            return (directory / "model.safetensors").stat().st_size

        assert size(saved) < 0.6 * size(VERSION_1)
        kinds = {tensor.dtype for tensor in load_file(saved / "model.safetensors").values()}
        assert kinds == {torch.float16, torch.float32, torch.int64}

    def test_files_are_for_all_to_read(self, saved: Path) -> None:
        assert sorted(path.name for path in saved.iterdir()) == [
            "README.md",
            "config.json",
            "humanseg.json",
            "model.onnx",
            "model.safetensors",
        ]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o644 for path in saved.iterdir())

    def test_says_what_is_known(self, saved: Path) -> None:
        record = read_model_record(saved)
        assert record.onnx is not None
        assert record.onnx.precision == "fp16"
        assert record.onnx.parity.largest_difference < 1e-4
        assert metadata(saved / "model.onnx")["humanseg.provenance"] == ("photos of mine (CC0)")
        card = (saved / "README.md").read_text()
        assert "* photos of mine (CC0)\n" in card
        assert "Where a source states no licence, nobody has granted one." in card
        assert "`model.onnx` takes bytes, uint8 (N, 32, 64, 3) RGB" in card
        assert json.loads((saved / "config.json").read_text())["encoder_weights"] is None

    def test_a_refused_onnx_file_leaves_the_old_directory(
        self, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise ExportError("differs")

        monkeypatch.setattr("humanseg.models.saved.write_onnx", refuse)
        network, record = load_network(model)
        before = {path.name: path.read_bytes() for path in model.iterdir()}
        with pytest.raises(ExportError):
            save_network(network, record, model, onnx=True)
        assert {path.name: path.read_bytes() for path in model.iterdir()} == before
        assert [path.name for path in model.parent.iterdir()] == ["model"]

    def test_weights_beyond_float16(self, model: Path) -> None:
        network, record = load_network(model)
        with torch.no_grad():
            next(p for p in network.parameters() if p.ndim == 4).view(-1)[0] = 1e6
        with pytest.raises(ModelError, match="float16 cannot hold"):
            save_network(network, record, model, half=True)


class TestRefused:
    @pytest.mark.parametrize("name", ["hf-hub:somebody/encoder", "tu-local-dir:/etc"])
    def test_encoder_that_names_a_place(self, model: Path, name: str) -> None:
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps(config | {"encoder_name": name}))
        with pytest.raises(ModelError, match="must name no place"):
            load_network(model)

    def test_hub_weights_in_the_config_are_not_fetched(self, model: Path) -> None:
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps(config | {"encoder_weights": "imagenet"}))
        images = some_images()
        wanted = logits(load_network(VERSION_1)[0], images)
        assert torch.equal(logits(load_network(model)[0], images), wanted)

    @pytest.mark.parametrize("content", ["", "[]", "{", "null", '"text"', "{}", "\x00\xff"])
    @pytest.mark.parametrize("name", ["config.json", "humanseg.json"])
    def test_json_of_another_kind(self, model: Path, name: str, content: str) -> None:
        (model / name).write_text(content)
        with pytest.raises(ModelError, match=name) as caught:
            load_network(model)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize("keep", [0, 7, 8, 100, 5000, -1])
    def test_weights_cut_short(self, model: Path, keep: int) -> None:
        weights = model / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:keep])
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_network(model)

    def test_a_pickle_instead_of_weights_is_not_run(self, model: Path, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

        torch.save(Trap(), model / "model.safetensors")
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_network(model)
        assert not (tmp_path / "sprung").exists()


class TestFind:
    def test_path_and_text(self) -> None:
        assert find_model(VERSION_1) == VERSION_1
        assert find_model(str(VERSION_1)) == VERSION_1

    def test_bundled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("humanseg.model_directory.directory.files", lambda _: tmp_path)
        monkeypatch.setattr("humanseg.model_directory.directory.installed_models", tuple)
        with pytest.raises(ModelError, match="missing from this installation"):
            bundled()
        shutil.copytree(VERSION_1, tmp_path / "bundled")
        assert find_model() == find_model("bundled") == bundled() == tmp_path / "bundled"

    def test_nothing_file_and_other_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for name, sentence in [
            ("none", "does not exist; give the folder `model`"),
            ("file", "is a file, not a model directory"),
            ("", r"is not a model directory \(humanseg.json is missing\)"),
        ]:
            with pytest.raises(ModelError if name == "" else UsageError, match=sentence):
                find_model(tmp_path / name)
