"""Every format, loaded by its own runtime as somebody without humanseg would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from tests.builders.onnx_metadata import metadata

from humanseg.exporting import ExportRecord, export
from humanseg.inference.engines.onnxruntime_engine import open_onnxruntime
from humanseg.models import (
    FromBytes,
    TorchEngine,
    halved,
    load_network,
    write_onnx,
)
from humanseg.models.onnx_file import onnx_model, store_half
from humanseg.results import read_record
from humanseg.system.errors import ExportError

if TYPE_CHECKING:
    from onnx import ModelProto

pytestmark = pytest.mark.contract

Pictures = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


def assert_same(found: object, wanted: Probabilities) -> None:
    values = np.asarray(found)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, wanted, atol=1e-5, rtol=0)


@pytest.fixture
def exported(model: Path, tmp_path: Path, quick: None) -> Path:
    export(model, tmp_path / "x.onnx")
    return tmp_path / "x.onnx"


class TestOnnx:
    def test_gives_what_torch_gave_when_the_model_was_made(
        self, exported: Path, pictures: Pictures, probabilities: Probabilities
    ) -> None:
        import onnxruntime

        session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
        assert_same(session.run(["probability"], {"image": pictures})[0], probabilities)

    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_takes_any_number_of_pictures(self, exported: Path, count: int) -> None:
        images = np.full((count, 32, 64, 3), 200, np.uint8)
        found = open_onnxruntime(exported, whole_batches=True)(images)
        assert found.shape == (count, 32, 64)
        np.testing.assert_allclose(found, np.broadcast_to(found[:1], found.shape), atol=1e-6)

    def test_signature_and_validity(self, exported: Path) -> None:
        made = onnx.load(exported)
        onnx.checker.check_model(made, full_check=True)
        (taken,), (given,) = made.graph.input, made.graph.output
        assert (taken.name, given.name) == ("image", "probability")
        assert taken.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        assert given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        sizes = [dim.dim_value for dim in taken.type.tensor_type.shape.dim]
        assert sizes == [0, 32, 64, 3]
        assert [dim.dim_value for dim in given.type.tensor_type.shape.dim] == [0, 32, 64]

    def test_describes_itself(self, exported: Path) -> None:
        said = metadata(exported)
        assert said["humanseg.schema_version"] == "1"
        assert said["humanseg.arch"] == "unet"
        assert said["humanseg.encoder_name"] == "tu-test_efficientnet"
        assert said["humanseg.image_size"] == "32x64"
        assert said["humanseg.threshold"] == "0.5"
        assert said["humanseg.precision"] == "fp32"
        assert json.loads(said["humanseg.parity"])["largest_difference"] < 1e-4

    def test_says_nothing_of_the_machine(self, exported: Path) -> None:
        content = exported.read_bytes()
        for part in (b"stack_trace", b"site-packages", str(Path(__file__).parents[2]).encode()):
            assert part not in content

    def test_record_beside_it(self, exported: Path, model: Path) -> None:
        record = read_record(exported.with_name("x.onnx.json"), ExportRecord)
        assert (record.format, record.precision) == ("onnx", "fp32")
        assert record.image_size == (32, 64)
        assert list(record.files) == ["x.onnx"]
        assert record.size_bytes == exported.stat().st_size
        assert {"humanseg", "torch", "onnxruntime"} <= set(record.versions)
        assert record.parity.largest_difference < 1e-4


def test_write_onnx__leaves_the_network_as_it_was(model: Path, tmp_path: Path) -> None:
    network, record = load_network(model)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    written = write_onnx(network, record, tmp_path / "new" / "x.onnx")
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert next(network.parameters()).requires_grad
    assert written.precision == "fp32"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["x.onnx"]


class TestHalf:
    def test_store_half__is_the_rounded_network_exactly(
        self, model: Path, pictures: Pictures
    ) -> None:
        network, record = load_network(model)
        rounded = halved(network)
        wrapped = FromBytes(rounded)
        made = onnx_model(wrapped, record.preprocessing.image_size)
        full = made.ByteSize()
        store_half(made.graph, dict(wrapped.named_parameters()))
        onnx.checker.check_model(made, full_check=True)
        assert made.ByteSize() < 0.62 * full
        engine = TorchEngine.of_network(rounded, record.preprocessing.image_size)
        assert_same(open_onnxruntime(made.SerializeToString())(pictures), engine(pictures))

    def test_store_half__leaves_weights_that_float16_cannot_hold(
        self, model: Path, proto: ModelProto
    ) -> None:
        network, _ = load_network(model)
        made = onnx.ModelProto()
        made.CopyFrom(proto)
        store_half(made.graph, dict(FromBytes(network).named_parameters()))
        assert {stored.data_type for stored in made.graph.initializer} == {
            stored.data_type for stored in proto.graph.initializer
        }

    def test_halved__keeps_normalisation_and_the_original(self, model: Path) -> None:
        network, _ = load_network(model)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        rounded = halved(network).state_dict()
        assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())
        for name, value in rounded.items():
            if value.ndim == 4:
                assert torch.equal(value, value.half().float())
                assert not torch.equal(value, before[name])
            else:
                assert torch.equal(value, before[name])


class TestOpenVino:
    def test_gives_what_torch_gave(
        self,
        model: Path,
        tmp_path: Path,
        quick: None,
        pictures: Pictures,
        probabilities: Probabilities,
    ) -> None:
        openvino = pytest.importorskip("openvino")
        record = export(model, tmp_path / "x.xml")
        assert sorted(record.files) == ["x.bin", "x.xml"]
        core = openvino.Core()
        loaded = core.read_model(tmp_path / "x.xml")
        assert loaded.get_rt_info(["humanseg", "threshold"]).astype(str) == "0.5"
        compiled = core.compile_model(loaded, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        assert_same(next(iter(compiled({"image": pictures}).values())), probabilities)

    def test_half__is_smaller_and_near(self, model: Path, tmp_path: Path, quick: None) -> None:
        pytest.importorskip("openvino")
        export(model, tmp_path / "x.xml")
        record = export(model, tmp_path / "half.xml", half=True)
        assert record.precision == "fp16"
        assert record.tolerance == 0.02
        sizes = [(tmp_path / name).stat().st_size for name in ("x.bin", "half.bin")]
        assert sizes[1] < 0.55 * sizes[0]
        assert 1e-6 < record.parity.largest_difference < 0.02


class TestParity:
    @pytest.mark.parametrize("suffix", [".onnx", ".xml"])
    def test_forgotten_normalisation_is_refused(
        self,
        model: Path,
        tmp_path: Path,
        proto: ModelProto,
        instead: Callable[[ModelProto], None],
        suffix: str,
    ) -> None:
        if suffix == ".xml":
            pytest.importorskip("openvino")
        wrong = onnx.ModelProto()
        wrong.CopyFrom(proto)
        (subtraction,) = [node for node in wrong.graph.node if node.op_type == "Sub"]
        mean = next(x for x in wrong.graph.initializer if x.name == subtraction.input[1])
        mean.CopyFrom(onnx.numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), mean.name))
        instead(wrong)
        with pytest.raises(ExportError, match=r"differs from torch by up to .* Nothing was kept"):
            export(model, tmp_path / "out" / f"x{suffix}")
        assert list((tmp_path / "out").iterdir()) == []

    def test_no_probabilities_are_refused(
        self, model: Path, tmp_path: Path, proto: ModelProto, instead: Callable[[ModelProto], None]
    ) -> None:
        wrong = onnx.ModelProto()
        wrong.CopyFrom(proto)
        for stored in wrong.graph.initializer:
            if stored.name.endswith("segmentation_head.0.bias"):
                stored.CopyFrom(
                    onnx.numpy_helper.from_array(np.full(1, np.nan, np.float32), stored.name)
                )
        instead(wrong)
        with pytest.raises(ExportError, match="no probabilities"):
            export(model, tmp_path / "x.onnx")

    def test_tolerance_is_obeyed(self, model: Path, tmp_path: Path, quick: None) -> None:
        with pytest.raises(ExportError, match="allowed are 1e-09"):
            export(model, tmp_path / "x.onnx", tolerance=1e-9)
