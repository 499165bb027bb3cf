"""int8: what is drawn to calibrate with, what becomes whole numbers, and what is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.builders.onnx_metadata import metadata

from humanseg.evaluation.evaluate_model import evaluate
from humanseg.exporting import Int8Options, calibration_images, export, run_export
from humanseg.exporting.int8 import quantise
from humanseg.images.resize import Size
from humanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine, open_onnxruntime
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import read_model_record
from humanseg.models.onnx_file import open_exported
from humanseg.system.cpu import Processor
from humanseg.system.errors import DataError, ExportError, ImageError, ModelError, UsageError

if TYPE_CHECKING:
    from onnx import ModelProto

pytestmark = pytest.mark.contract


class TestCalibrationPictures:
    def test_same_seed_same_pictures(self, drawn: Path) -> None:
        first = calibration_images(Int8Options(drawn, 10, 1), (32, 64))
        assert first.shape == (10, 32, 64, 3)
        assert first.dtype == np.uint8
        assert np.array_equal(first, calibration_images(Int8Options(drawn, 10, 1), (32, 64)))
        assert not np.array_equal(first, calibration_images(Int8Options(drawn, 10, 2), (32, 64)))

    def test_masks_of_a_data_set_are_left_alone(self, drawn: Path) -> None:
        drawn_pictures = calibration_images(Int8Options(drawn, 100), (32, 64))
        assert len(drawn_pictures) == 20
        assert all(len(np.unique(picture)) > 2 for picture in drawn_pictures)

    def test_plain_folder_with_folders_in_it(self, drawn: Path, tmp_path: Path) -> None:
        shutil.copytree(drawn / "images", tmp_path / "photos" / "of" / "mine")
        (tmp_path / "photos" / "notes.txt").write_text("not a picture")
        found = calibration_images(Int8Options(tmp_path / "photos", 100), (32, 64))
        assert len(found) == 20

    def test_files(self, drawn: Path) -> None:
        files = sorted((drawn / "images").iterdir())[:9]
        assert len(calibration_images(Int8Options(files), (32, 64))) == 9

    def test_too_few(self, drawn: Path) -> None:
        files = sorted((drawn / "images").iterdir())[:7]
        with pytest.raises(UsageError, match="7 pictures; int8 needs 8 at least"):
            calibration_images(Int8Options(files), (32, 64))

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="does not exist"):
            calibration_images(Int8Options(tmp_path / "none"), (32, 64))
        with pytest.raises(UsageError, match="0 pictures"):
            calibration_images(Int8Options(tmp_path), (32, 64))

    def test_unreadable_picture(self, tmp_path: Path) -> None:
        for number in range(8):
            (tmp_path / f"{number}.jpg").write_bytes(b"no picture")
        with pytest.raises(ImageError):
            calibration_images(Int8Options(tmp_path), (32, 64))


@pytest.fixture(scope="module")
def made(proto: ModelProto, drawn: Path) -> ModelProto:
    return quantise(proto, calibration_images(Int8Options(drawn), (32, 64)))


class TestQuantise:
    def test_weights_are_int8_per_channel(self, made: ModelProto) -> None:
        stored = {entry.name: entry for entry in made.graph.initializer}
        weights = [entry for entry in stored.values() if entry.data_type == onnx.TensorProto.INT8]
        convolutions = [node for node in made.graph.node if node.op_type == "Conv"]
        kernels = [entry for entry in weights if len(entry.dims) == 4]
        assert len(kernels) == len(convolutions) - 1
        dequantised = {node.input[0]: node for node in made.graph.node}
        for kernel in kernels:
            scale = stored[dequantised[kernel.name].input[1]]
            assert list(scale.dims) == [kernel.dims[0]]

    def test_logits_and_sigmoid_stay_in_float(self, made: ModelProto) -> None:
        makers = {name: node for node in made.graph.node for name in node.output}
        last = [node for node in made.graph.node if node.op_type == "Conv"][-1]
        assert last.input[1] not in makers  # float weights, not those of a DequantizeLinear
        (sigmoid,) = [user for user in made.graph.node if last.output[0] in user.input]
        assert sigmoid.op_type == "Sigmoid"
        (user,) = [user for user in made.graph.node if sigmoid.output[0] in user.input]
        assert user.op_type == "Gather"
        assert user.output[0] == made.graph.output[0].name

    def test_keeps_soft_edges(self, made: ModelProto, pictures: NDArray[np.uint8]) -> None:
        found = open_onnxruntime(made.SerializeToString())(pictures)
        assert len(np.unique(found)) > 1000

    def test_leaves_nothing_and_says_nothing(
        self,
        proto: ModelProto,
        drawn: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        for part in ("work", "temporary"):
            (tmp_path / part).mkdir()
        monkeypatch.chdir(tmp_path / "work")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        quantise(proto, calibration_images(Int8Options(drawn, 8), (32, 64)))
        assert list((tmp_path / "work").iterdir()) == []
        assert list((tmp_path / "temporary").iterdir()) == []
        assert capfd.readouterr() == ("", "")


class TestExport:
    def test_cost_is_that_of_evaluation(
        self, model: Path, drawn: Path, tmp_path: Path, quick: None
    ) -> None:
        record = export(model, tmp_path / "x.onnx", int8=Int8Options(drawn, data=drawn))
        assert record.quantisation is not None
        cost = record.quantisation.cost
        assert cost is not None
        scored = evaluate(Segmenter(model, backend="torch"), data=drawn).summary
        assert scored.iou_mean is not None
        assert scored.boundary_iou_mean is not None
        assert cost.pictures == 20
        assert cost.iou_fp32 == pytest.approx(scored.iou_mean, abs=1e-4)
        assert cost.boundary_iou_fp32 == pytest.approx(scored.boundary_iou_mean, abs=1e-3)
        assert 0 < abs(cost.iou_int8 - cost.iou_fp32) < 0.05
        said = json.loads(metadata(tmp_path / "x.onnx")["humanseg.quantisation"])
        assert said["cost"]["iou_int8"] == cost.iou_int8
        assert said["calibration_pictures"] == 20
        assert json.loads((tmp_path / "x.onnx.json").read_text())["quantisation"] == said

    def test_openvino(self, model: Path, drawn: Path, tmp_path: Path, quick: None) -> None:
        pytest.importorskip("openvino")
        record = export(model, tmp_path / "x.xml", int8=Int8Options(drawn))
        assert record.precision == "int8"
        assert record.quantisation is not None
        assert record.quantisation.cost is None
        assert record.parity.mask_agreement > 0.98

    @pytest.mark.parametrize("exact", [True, False])
    def test_file_is_right_where_this_processor_overflows(
        self,
        exact: bool,
        model: Path,
        drawn: Path,
        tmp_path: Path,
        quick: None,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Without VNNI pairs of int8 products overflow; the file is held to what it says."""
        opened: list[bool] = []

        def opening(content: bytes, size: Size, *, as_written: bool = False) -> OnnxRuntimeEngine:
            opened.append(as_written)
            return open_exported(content, size, as_written=True)

        features = frozenset({"avx2", "avx512_vnni"} if exact else {"avx2"})
        monkeypatch.setattr(run_export, "processor", lambda: Processor("p", "x86_64", features))
        monkeypatch.setattr(run_export, "open_exported", opening)
        record = export(model, tmp_path / "x.onnx", int8=Int8Options(drawn))
        assert record.parity.mask_agreement > 0.98
        assert opened == [not exact, False], "int8, then what it was made of"
        assert ("overflows on this processor" in caplog.text) is not exact

    def test_other_masks_are_refused(
        self, model: Path, drawn: Path, tmp_path: Path, quick: None
    ) -> None:
        with pytest.raises(ExportError, match=r"int8 changes .* of the masks' pixels"):
            export(model, tmp_path / "x.onnx", int8=Int8Options(drawn), tolerance=1e-6)
        assert [path.name for path in tmp_path.iterdir()] == ["model"]

    def test_nobody_in_the_data(
        self, model: Path, drawn: Path, tmp_path: Path, quick: None
    ) -> None:
        for part, mode in (("images", "RGB"), ("masks", "L")):
            (tmp_path / "empty" / part).mkdir(parents=True)
            Image.new(mode, (64, 32)).save(tmp_path / "empty" / part / "a.png")
        int8 = Int8Options(drawn, data=tmp_path / "empty")
        with pytest.raises(DataError, match="no picture has a person in its mask"):
            export(model, tmp_path / "x.onnx", int8=int8)
        assert not (tmp_path / "x.onnx").exists()


class TestOwnFiles:
    def test_both_files_are_noted_in_the_directory(
        self, model: Path, drawn: Path, quick: None
    ) -> None:
        assert read_model_record(model).onnx is None
        export(model, model / "model.onnx")
        onnx_record = read_model_record(model).onnx
        assert onnx_record is not None
        assert onnx_record.int8 is None
        assert onnx_record.parity.largest_difference < 1e-4
        export(model, model / "model.int8.onnx", int8=Int8Options(drawn, data=drawn))
        record = read_model_record(model)
        assert record.onnx is not None
        assert record.onnx.int8 is not None
        assert record.onnx.int8.cost is not None
        assert sorted(path.name for path in model.iterdir()) == [
            "README.md",
            "config.json",
            "humanseg.json",
            "model.int8.onnx",
            "model.onnx",
            "model.safetensors",
        ]
        card = (model / "README.md").read_text()
        assert f"{record.onnx.int8.cost.iou_int8:.4f}" in card
        assert "calibrated with 20 pictures" in card

    def test_int8_needs_the_other_first(self, model: Path, drawn: Path) -> None:
        with pytest.raises(ModelError, match=r"has no model.onnx yet; first run `humanseg export"):
            export(model, model / "model.int8.onnx", int8=Int8Options(drawn))

    def test_names_are_kept_for_what_they_say(self, model: Path, drawn: Path) -> None:
        with pytest.raises(UsageError, match=r"int8 goes to model.int8.onnx"):
            export(model, model / "model.onnx", int8=Int8Options(drawn))
        with pytest.raises(UsageError, match="add --quantize int8"):
            export(model, model / "model.int8.onnx")
