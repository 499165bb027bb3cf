"""Backends: what is chosen, what is refused, and that all compute the same."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from humanseg.inference.engines import (
    engine,
    onnxruntime_engine,
    openvino_engine,
    runtimes,
    select,
)
from humanseg.inference.engines.onnx_check import read_onnx
from humanseg.inference.engines.select import BackendName, open_engine
from humanseg.system.cpu import Processor
from humanseg.system.errors import ModelError, UsageError

Formula = Callable[..., NDArray[np.float32]]
OnnxFile = Callable[..., bytes]
MakeModel = Callable[..., Path]

VERSION_1 = Path(__file__).parent.parent / "fixtures" / "model-v1"


def noise(count: int, size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)


_COLD = """
import sys, threading
from pathlib import Path
import numpy as np
from humanseg.inference.engines.select import open_engine

opened = open_engine(Path(sys.argv[1]), backend="openvino", threads=int(sys.argv[2]))
picture = np.zeros((1, *opened.image_size, 3), np.uint8)
together, done = threading.Barrier(4), []

def call():
    together.wait()
    done.append(opened(picture))

threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(done), "of 4")
"""


class _Watched:
    """In place of a network in OpenVINO: notices first calls that overlap."""

    def __init__(self, grid: tuple[int, int]) -> None:
        self.grid = grid
        self.made = 0
        self.first = True
        self.overlapped = False
        self._inside = threading.Semaphore(1)
        self._together = threading.Barrier(4)

    def create_infer_request(self) -> _Watched:
        self.made += 1
        return self

    def infer(self, inputs: object, **settings: bool) -> list[NDArray[np.float32]]:
        if not self.first:
            self._together.wait(timeout=60)  # all four are inside at once, or this raises
        elif self._inside.acquire(blocking=False):
            time.sleep(0.02)
            self._inside.release()
        else:
            self.overlapped = True
        return [np.full((1, *self.grid), 0.5, dtype=np.float32)]


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without OpenVINO."""
    monkeypatch.setattr(select, "_installed", lambda package: package != "openvino")


class _Broken:
    """In place of the package openvino: one of its calls fails, as with a broken CPU plugin."""

    def __init__(self, failing: str) -> None:
        self._failing = failing

    def _call(self, name: str) -> None:
        if name == self._failing:
            raise RuntimeError("\n  the CPU plugin is gone\nat plugin.cpp:42")

    def Core(self) -> _Broken:
        self._call("Core")
        return self

    def get_property(self, device: str, name: str) -> list[str]:
        self._call("get_property")
        return ["FP32", "BF16"]

    def read_model(self, content: bytes) -> SimpleNamespace:
        return SimpleNamespace(reshape=lambda shape: None)

    def compile_model(self, model: object, device: str, settings: object) -> None:
        self._call("compile_model")


class TestComputing:
    @pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
    def test_engine__computes_the_formula(
        self, name: BackendName, brightness_model: Path, brightness: Formula, grid: tuple[int, int]
    ) -> None:
        opened = open_engine(brightness_model, backend=name, precision="fp32", threads=1)
        images = noise(5, grid)
        found = opened(images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, brightness(images), atol=1e-6)
        assert (opened.name, opened.precision, opened.device) == (name, "fp32", "cpu")
        assert (opened.threads, opened.image_size, opened.reason) == (1, grid, "asked for")

    @pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
    def test_engine__result_does_not_depend_on_the_batch(
        self, name: BackendName, brightness_model: Path, grid: tuple[int, int]
    ) -> None:
        opened = open_engine(brightness_model, backend=name)
        images = noise(7, grid)
        one_by_one = np.concatenate([opened(images[number : number + 1]) for number in range(7)])
        np.testing.assert_array_equal(opened(images), one_by_one)
        assert opened(images[:0]).shape == (0, *grid)

    @pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
    def test_engine__takes_views_and_read_only_arrays(
        self, name: BackendName, brightness_model: Path, brightness: Formula, grid: tuple[int, int]
    ) -> None:
        opened = open_engine(brightness_model, backend=name, precision="fp32")
        images = noise(2, grid)
        images.flags.writeable = False
        mirrored = images[:, :, ::-1]
        np.testing.assert_allclose(opened(mirrored), brightness(mirrored), atol=1e-6)
        np.testing.assert_allclose(opened(images), brightness(images), atol=1e-6)

    @pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
    def test_engine__results_are_the_callers_own(
        self, name: BackendName, brightness_model: Path, grid: tuple[int, int]
    ) -> None:
        opened = open_engine(brightness_model, backend=name)
        first = opened(noise(1, grid, seed=1))
        kept = first.copy()
        opened(noise(1, grid, seed=2))
        np.testing.assert_array_equal(first, kept)

    @pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
    @pytest.mark.parametrize("threads", [1, None])
    def test_engine__eight_threads_at_once_get_the_same_results(
        self, name: BackendName, threads: int | None, brightness_model: Path, grid: tuple[int, int]
    ) -> None:
        opened = open_engine(brightness_model, backend=name, threads=threads)
        pictures = [noise(1, grid, seed=seed) for seed in range(8)]
        expected = [opened(one) for one in pictures]
        together = threading.Barrier(8)

        def hammer(number: int) -> bool:
            together.wait()
            return all(
                np.array_equal(opened(pictures[number]), expected[number]) for _ in range(40)
            )

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(hammer, range(8)))

    @pytest.mark.parametrize("threads", [1, 2])
    def test_openvino__cold_threads_may_make_their_first_call_together(
        self, threads: int, brightness_model: Path
    ) -> None:
        """In a process of its own: OpenVINO is cold there, and a hang of it can be ended."""
        command = [sys.executable, "-c", _COLD, str(brightness_model), str(threads)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout) == (0, "4 of 4\n"), done.stderr

    def test_openvino__first_calls_never_overlap_and_later_ones_may(
        self, brightness_model: Path, grid: tuple[int, int]
    ) -> None:
        opened = open_engine(brightness_model, backend="openvino", threads=1)
        compiled = _Watched(grid)
        watched = replace(opened, compiled=compiled)  # type: ignore[call-arg]
        together = threading.Barrier(4)

        def call(number: int) -> float:
            together.wait()
            watched(noise(1, grid))
            together.wait()
            compiled.first = False
            return float(watched(noise(1, grid)).max())

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(call, range(4))) == [0.5] * 4
        assert compiled.made == 4
        assert not compiled.overlapped

    def test_openvino__a_first_call_that_fails_is_made_anew(
        self, brightness_model: Path, grid: tuple[int, int], brightness: Formula
    ) -> None:
        opened = open_engine(brightness_model, backend="openvino", precision="fp32")
        with pytest.raises(RuntimeError):
            opened(noise(1, (3, 3)))
        images = noise(1, grid)
        np.testing.assert_allclose(opened(images), brightness(images), atol=1e-6)

    def test_openvino__one_thread_a_picture_leaves_room_for_others(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(openvino_engine, "usable_cores", lambda: 2)
        opened: Any = open_engine(brightness_model, backend="openvino", threads=1)
        assert opened.compiled.get_property("NUM_STREAMS") == 2
        assert opened.threads == 1
        assert opened.compiled.get_property("ENABLE_CPU_PINNING") is False

    @pytest.mark.filterwarnings("ignore")  # of torch and segmentation-models-pytorch
    def test_torch__computes_a_directory_without_onnx(self) -> None:
        opened = open_engine(VERSION_1)
        assert (opened.name, opened.precision) == ("torch", "fp32")
        assert "no model.onnx" in opened.reason
        images = noise(2, opened.image_size)
        found = opened(images)
        assert found.shape == images.shape[:3]
        assert 0 <= found.min() < found.max() <= 1
        low = open_engine(VERSION_1, precision="bf16")
        assert low.precision == "bf16"
        assert 0 < np.abs(low(images) - found).max() < 0.1


class TestChoice:
    def test_auto__takes_openvino_where_it_is_installed(self, brightness_model: Path) -> None:
        opened = open_engine(brightness_model)
        assert (opened.name, opened.device) == ("openvino", "cpu")
        able: Any = runtimes.import_openvino().Core()
        assert opened.precision == ("bf16" if openvino_engine.openvino_bf16(able) else "fp32")

    @pytest.mark.usefixtures("without_openvino")
    def test_auto__without_openvino_takes_onnxruntime(self, brightness_model: Path) -> None:
        opened = open_engine(brightness_model)
        assert (opened.name, opened.precision) == ("onnxruntime", "fp32")
        assert "OpenVINO" in opened.reason

    def test_auto__with_a_broken_openvino_takes_onnxruntime_and_says_why(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> None:
            raise UsageError("openvino cannot be loaded (libtbb is gone)")

        monkeypatch.setattr(openvino_engine, "import_openvino", broken)
        opened = open_engine(brightness_model)
        assert opened.name == "onnxruntime"
        assert "libtbb is gone" in opened.reason

    @pytest.mark.parametrize("failing", ["Core", "get_property", "compile_model"])
    def test_auto__falls_back_where_openvino_cannot_run_the_model_and_says_why(
        self,
        failing: str,
        brightness_model: Path,
        brightness: Formula,
        grid: tuple[int, int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(openvino_engine, "import_openvino", lambda: _Broken(failing))
        opened = open_engine(brightness_model)
        assert (opened.name, opened.precision) == ("onnxruntime", "fp32")
        assert opened.reason == "OpenVINO, which is faster, fails here (the CPU plugin is gone)"
        images = noise(1, grid)
        np.testing.assert_allclose(opened(images), brightness(images), atol=1e-6)
        for asked in ({"backend": "openvino"}, {"precision": "bf16"}):
            with pytest.raises((ModelError, UsageError), match="the CPU plugin is gone") as caught:
                open_engine(brightness_model, **asked)  # type: ignore[arg-type]
            assert len(str(caught.value).splitlines()) == 1

    def test_auto__a_damaged_file_is_refused_as_such(
        self, make_model: MakeModel, brightness_onnx: OnnxFile
    ) -> None:
        with pytest.raises(ModelError, match=r"model\.onnx"):
            open_engine(make_model(onnx=brightness_onnx()[:37]))

    @pytest.mark.parametrize("exact", [True, False])
    def test_auto__takes_int8_where_the_processor_does_it_well(
        self,
        exact: bool,
        make_model: MakeModel,
        brightness_onnx: OnnxFile,
        brightness: Formula,
        grid: tuple[int, int],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        features = frozenset({"avx2", "avx512_vnni"}) if exact else frozenset({"avx2"})
        machine = Processor(name="p", machine="x86_64", features=features)
        monkeypatch.setattr(select, "processor", lambda: machine)
        model = make_model(onnx=brightness_onnx(), int8=brightness_onnx(0.02))
        opened = open_engine(model, backend="onnxruntime")
        assert opened.precision == ("int8" if exact else "fp32")
        images = noise(1, grid)
        np.testing.assert_allclose(
            opened(images), brightness(images, 0.02 if exact else 0.1), atol=1e-6
        )
        caplog.clear()
        asked = open_engine(model, backend="openvino", precision="int8")
        assert asked.precision == "int8"
        assert ("int8 overflows on this processor" in caplog.text) is not exact
        np.testing.assert_allclose(asked(images), brightness(images, 0.02), atol=1e-6)

    @pytest.mark.parametrize(
        ("backend", "precisions"), [("onnxruntime", {"int8"}), ("openvino", {"bf16", "fp32"})]
    )
    def test_auto__leaves_int8_to_onnxruntime_where_bf16_comes_in_tiles(
        self,
        backend: BackendName,
        precisions: set[str],
        make_model: MakeModel,
        brightness_onnx: OnnxFile,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        features = frozenset({"avx512_vnni", "amx_int8", "amx_bf16"})
        machine = Processor(name="p", machine="x86_64", features=features)
        monkeypatch.setattr(select, "processor", lambda: machine)
        model = make_model(onnx=brightness_onnx(), int8=brightness_onnx(0.02))
        # OpenVINO itself sees the real processor, which may have no bf16 at all.
        assert open_engine(model, backend=backend).precision in precisions

    @pytest.mark.parametrize(
        ("asked", "sentence"),
        [
            ({"backend": "tensorrt"}, r"backend: got 'tensorrt'; allowed: auto, onnxruntime"),
            ({"precision": "fp16"}, r"precision: got 'fp16'; allowed: auto, fp32, bf16, int8"),
            ({"device": "tpu"}, r"device: got 'tpu'; allowed: auto, cpu, cuda"),
            ({"threads": 0}, r"threads: got 0; give at least 1"),
            ({"threads": "2"}, r"threads: got '2'; give at least 1, a whole number"),
            ({"threads": 1.5}, r"threads: got 1\.5; give at least 1"),
            ({"threads": True}, r"threads: got True; give at least 1"),
            ({"backend": ["torch"]}, r"backend: got \['torch'\]; allowed: auto"),
            ({"backend": "onnxruntime", "precision": "bf16"}, r"does not compute in it"),
            ({"backend": "torch", "precision": "int8"}, r"torch does not run int8"),
            ({"backend": "openvino", "device": "cuda"}, r"OpenVINO does not run on it"),
        ],
    )
    def test_open__impossible_wishes_are_refused(
        self, asked: dict[str, Any], sentence: str, brightness_model: Path
    ) -> None:
        with pytest.raises(UsageError, match=sentence):
            open_engine(brightness_model, **asked)

    @pytest.mark.usefixtures("without_openvino")
    def test_bf16__without_openvino_names_the_extra(self, brightness_model: Path) -> None:
        with pytest.raises(UsageError, match=r'pip install "humanseg\[openvino\]"'):
            open_engine(brightness_model, precision="bf16")

    def test_bf16__on_a_processor_without_it_is_refused(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(openvino_engine, "openvino_bf16", lambda _: False)
        with pytest.raises(UsageError, match="no instructions for it"):
            open_engine(brightness_model, backend="openvino", precision="bf16")
        assert open_engine(brightness_model, backend="openvino").precision == "fp32"

    def test_openvino__asked_for_and_not_installed_names_the_extra(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "openvino", None)
        with pytest.raises(UsageError, match=r'pip install "humanseg\[openvino\]"'):
            open_engine(brightness_model, backend="openvino")

    def test_torch__not_installed_names_the_extra(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "humanseg.models.torch_engine", raising=False)
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(UsageError, match=r'pip install "humanseg\[train\]"'):
            open_engine(brightness_model, backend="torch")

    def test_torch__not_registered_says_to_install(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "entry_points", lambda **_: ())
        with pytest.raises(UsageError, match=r"does not register it.*pip install -e"):
            open_engine(brightness_model, backend="torch")


class TestCuda:
    """There is no CUDA device where the tests run."""

    @pytest.fixture(autouse=True)
    def _no_device(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    @pytest.mark.parametrize(
        ("backend", "sentence"),
        [
            ("auto", "neither ONNX Runtime nor torch can use a CUDA device here"),
            ("onnxruntime", "has no CUDAExecutionProvider"),
            ("torch", "torch finds no CUDA device"),
        ],
    )
    def test_cuda__is_refused_where_there_is_none(
        self, backend: BackendName, sentence: str, brightness_model: Path
    ) -> None:
        with pytest.raises(UsageError, match=sentence):
            open_engine(brightness_model, backend=backend, device="cuda")

    def test_cuda__that_silently_falls_back_to_the_cpu_is_refused(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = runtimes.import_onnxruntime()
        pretending = SimpleNamespace(
            SessionOptions=runtime.SessionOptions,
            get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
            InferenceSession=lambda content, options, providers: runtime.InferenceSession(
                content, options, providers=providers[1:]
            ),
        )
        monkeypatch.setattr(onnxruntime_engine, "import_onnxruntime", lambda: pretending)
        with pytest.raises(UsageError, match="fell back to the CPU"):
            open_engine(brightness_model, backend="onnxruntime", device="cuda")


class TestFiles:
    @pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
    @pytest.mark.parametrize("keep", [0, 1, 37, -20])
    def test_model__cut_short_is_refused(
        self, name: BackendName, keep: int, make_model: MakeModel, brightness_onnx: OnnxFile
    ) -> None:
        model = make_model(onnx=brightness_onnx()[:keep])
        with pytest.raises(ModelError, match=r"model\.onnx: .* `humanseg export`\."):
            open_engine(model, backend=name)

    @pytest.mark.parametrize(
        "content", [b"not a model", b"PK\x03\x04" + bytes(50), b"\x80\x04\x95pickle", b"ORTM" * 9]
    )
    def test_model__of_another_kind_is_refused(self, content: bytes, make_model: MakeModel) -> None:
        with pytest.raises(ModelError, match="is not a network that humanseg can run"):
            open_engine(make_model(onnx=content))

    @pytest.mark.parametrize(
        ("settings", "sentence"),
        [
            ({"names": ("input", "probability")}, "its input must be 'image'"),
            ({"names": ("image", "logits")}, "its output must be 'probability'"),
            ({"kind": TensorProto.FLOAT}, "its input must be 'image', uint8"),
            ({"size": (32, 32)}, r"is for images of \(32, 32\) alone, not \(48, 64\)"),
        ],
    )
    def test_model__with_another_signature_is_refused(
        self,
        settings: dict[str, Any],
        sentence: str,
        make_model: MakeModel,
        brightness_onnx: OnnxFile,
    ) -> None:
        with pytest.raises(ModelError, match=sentence):
            open_engine(make_model(onnx=brightness_onnx(**settings)))

    @pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
    def test_model__with_weights_in_other_files_is_refused(
        self,
        name: BackendName,
        make_model: MakeModel,
        brightness_onnx: OnnxFile,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("secret.bin").write_bytes(np.float32(7).tobytes())
        model = make_model(onnx=brightness_onnx(external="secret.bin"))
        with pytest.raises(ModelError, match="keeps weights in other files"):
            open_engine(model, backend=name)

    @pytest.mark.parametrize("place", ["attribute", "subgraph", "function", "sparse"])
    def test_reader__finds_references_wherever_they_are(
        self, place: str, brightness_onnx: OnnxFile, tmp_path: Path
    ) -> None:
        model = ModelProto.FromString(brightness_onnx())
        outside = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
        outside.data_location = TensorProto.EXTERNAL
        outside.external_data.add(key="location", value="secret.bin")
        node = helper.make_node("Constant", [], ["w"])
        node.attribute.add(name="value", type=2).t.CopyFrom(outside)
        if place == "attribute":
            model.graph.node.append(node)
        elif place == "subgraph":
            inner = helper.make_graph([node], "inner", [], [])
            branch = helper.make_node("If", ["c"], ["y"])
            branch.attribute.add(name="then_branch", type=5).g.CopyFrom(inner)
            model.graph.node.append(branch)
        elif place == "function":
            model.functions.add(name="f").node.append(node)
        else:
            model.graph.sparse_initializer.add().values.CopyFrom(outside)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="keeps weights in other files"):
            read_onnx(path)

    def test_reader__any_damage_is_a_sentence(
        self, brightness_onnx: OnnxFile, tmp_path: Path
    ) -> None:
        rng = np.random.default_rng(5)
        content, path = brightness_onnx(), tmp_path / "model.onnx"
        refused = 0
        for _ in range(400):
            damaged = bytearray(content)
            for place in rng.integers(0, len(content), 3):
                damaged[place] = int(rng.integers(0, 256))
            path.write_bytes(damaged)
            try:
                read_onnx(path)
            except ModelError:
                refused += 1
        assert refused > 40

    def test_model__without_onnx_names_the_export(
        self, make_model: MakeModel, brightness_onnx: OnnxFile
    ) -> None:
        with pytest.raises(ModelError, match=r"has no model\.onnx.*`humanseg export`"):
            open_engine(make_model(), backend="onnxruntime")
        with pytest.raises(ModelError, match=r"`humanseg export --quantize int8`"):
            open_engine(make_model(onnx=brightness_onnx()), precision="int8")

    def test_model__without_onnx_and_torch_names_the_export(
        self, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(select, "_installed", lambda _: False)
        with pytest.raises(ModelError, match=r"the base installation needs.*`humanseg export`"):
            open_engine(make_model())
