"""The engines that run a network: ONNX Runtime, OpenVINO and torch, each behind one call.

All take uint8 (N, H, W, 3) RGB on the network's grid and give float32 (N, H, W), 0 to 1, and may
be called from several threads at once, the first time too. On the CPU, ONNX Runtime and OpenVINO
take pictures one by one: batches were no faster, and so no result depends on its batch.
"""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.errors import ModelError, UsageError
from humanseg.images.resize import Size
from humanseg.inference.engines.onnx_check import INPUT, OUTPUT, OnnxFile, read_onnx
from humanseg.inference.engines.runtimes import import_onnxruntime, import_openvino
from humanseg.system.cpu import usable_cores

EngineName = Literal["onnxruntime", "openvino", "torch"]
Precision = Literal["fp32", "bf16", "int8"]
Device = Literal["cpu", "cuda"]

CUDA_PROVIDER = "CUDAExecutionProvider"
_CPU_PROVIDER = "CPUExecutionProvider"
_ERRORS_ONLY = 3  # ONNX Runtime's severity levels: 2 warnings, 3 errors, 4 fatal
_MOST_STREAMS = 16  # each holds activations of its own
_first_call = threading.Lock()
"""Held while a request of OpenVINO is made and infers for the first time, which sets up things of
OpenVINO's own: first calls of two threads at once may wait for each other for good (2026.4)."""


@dataclass(frozen=True)
class Engine:
    """What runs the network, as it really is, not as it was asked for."""

    name: EngineName
    precision: Precision
    device: Device
    threads: int
    """Processor threads for one picture."""
    image_size: Size
    """(height, width) of the network's grid."""
    reason: str
    """Why this backend, in words."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch.

        Args:
            images: uint8 (N, H, W, 3) RGB on the network's grid.

        Returns:
            float32 (N, H, W), 0 to 1; an array of the caller's own.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class OnnxRuntimeEngine(Engine):
    """A network in ONNX Runtime."""

    session: Any = field(repr=False)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch; see `Engine`."""
        images = np.ascontiguousarray(images)
        if self.device == "cuda":
            return np.asarray(self.session.run([OUTPUT], {INPUT: images})[0])
        results = np.empty(images.shape[:3], dtype=np.float32)
        for number in range(len(images)):
            one = images[number : number + 1]
            results[number] = self.session.run([OUTPUT], {INPUT: one})[0][0]
        return results


@dataclass(frozen=True)
class OpenVinoEngine(Engine):
    """A network in OpenVINO, compiled for one picture at a time."""

    compiled: Any = field(repr=False)
    requests: threading.local = field(repr=False, default_factory=threading.local)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch; see `Engine`."""
        images = np.ascontiguousarray(images)
        results = np.empty(images.shape[:3], dtype=np.float32)
        for number in range(len(images)):
            results[number] = self._infer(images[number : number + 1])[0]
        return results

    def _infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of one picture, in memory that the next call of this thread overwrites."""
        request = getattr(self.requests, "request", None)
        if request is not None:
            return _inferred(request, image)
        with _first_call:
            request = self.compiled.create_infer_request()  # one serves one thread at a time
            probability = _inferred(request, image)
        self.requests.request = request
        return probability


def _inferred(request: Any, image: NDArray[np.uint8]) -> NDArray[np.float32]:  # noqa: ANN401
    """Without copies in or out."""
    return np.asarray(request.infer({0: image}, share_inputs=True, share_outputs=True)[0])


@dataclass(frozen=True)
class TorchEngine(Engine):
    """A network in torch, from the weights of the model directory."""

    network: Any = field(repr=False)
    torch: Any = field(repr=False)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch; see `Engine`."""
        if self.precision == "fp32":
            return np.asarray(self.network(images))
        with self.torch.autocast(self.device, dtype=self.torch.bfloat16):
            return np.asarray(self.network(images))


def open_onnxruntime(
    path: Path, *, precision: Precision, device: Device, threads: int | None, reason: str
) -> OnnxRuntimeEngine:
    """Load an ONNX file into ONNX Runtime.

    Raises:
        ModelError: the file cannot be run.
        UsageError: the device is not there.
    """
    file = read_onnx(path)
    runtime = import_onnxruntime()
    threads = threads or usable_cores()
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    # Threads that spin between pictures take the cores from whatever decodes the next one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    providers = [CUDA_PROVIDER, _CPU_PROVIDER] if device == "cuda" else [_CPU_PROVIDER]
    if device == "cuda":
        _refuse_missing_cuda(runtime.get_available_providers())
    try:
        session = runtime.InferenceSession(file.content, options, providers=providers)
    except Exception as error:  # foreign graphs make ONNX Runtime raise many kinds
        raise _cannot_run(path, "ONNX Runtime", error) from error
    if session.get_providers()[0] != providers[0]:
        raise UsageError(
            "device cuda: ONNX Runtime could not start it and fell back to the CPU; check the "
            "driver, CUDA and cuDNN, or give device cpu."
        )
    return OnnxRuntimeEngine(
        name="onnxruntime",
        precision=precision,
        device=device,
        threads=threads,
        image_size=file.image_size,
        reason=reason,
        session=session,
    )


def _refuse_missing_cuda(available: list[str]) -> None:
    if CUDA_PROVIDER not in available:
        raise UsageError(
            f"device cuda: the installed ONNX Runtime has no {CUDA_PROVIDER} (it has "
            f"{', '.join(available)}); replace it by onnxruntime-gpu, or give device cpu."
        )


def openvino_bf16(core: Any) -> bool:  # noqa: ANN401  openvino ships no types
    """Whether OpenVINO computes in bf16 natively on this processor."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def open_openvino(
    path: Path, *, precision: Precision | None, threads: int | None, reason: str
) -> OpenVinoEngine:
    """Load an ONNX file into OpenVINO on the CPU.

    Args:
        path: the ONNX file.
        precision: how to compute; None is bf16 where the processor has it, else fp32.
        threads: processor threads for one picture; all usable cores if None. Where there are more
            cores, pictures from several threads are computed side by side.
        reason: why OpenVINO.

    Raises:
        ModelError: the file cannot be run.
        UsageError: OpenVINO is not installed or does not start, or the processor has no bf16.
    """
    file = read_onnx(path)
    core, bf16 = _start_openvino()
    if precision is None:
        precision = "bf16" if bf16 else "fp32"
    elif precision == "bf16" and not bf16:
        raise UsageError(
            "precision bf16: this processor has no instructions for it; give precision fp32."
        )
    cores = usable_cores()
    threads = threads or cores
    streams = min(max(1, cores // threads), _MOST_STREAMS)
    settings = {
        # An int8 file names the precision of each layer itself; what it leaves stays exact.
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams * threads,
        # Pinned, two processes with a thread each would share the first core.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        compiled = _compile(core, file, settings)
        taken = compiled.get_property("INFERENCE_NUM_THREADS")
    except Exception as error:  # foreign graphs make OpenVINO raise many kinds
        raise _cannot_run(path, "OpenVINO", error) from error
    return OpenVinoEngine(
        name="openvino",
        precision=precision,
        device="cpu",
        threads=max(1, taken // streams),
        image_size=file.image_size,
        reason=reason,
        compiled=compiled,
    )


def _start_openvino() -> tuple[Any, bool]:
    """OpenVINO's core, and whether it computes in bf16 natively.

    Raises:
        UsageError: OpenVINO is not installed, or its plugin for the CPU does not work.
    """
    openvino = import_openvino()
    try:
        core = openvino.Core()
        return core, openvino_bf16(core)
    except Exception as error:  # a broken plugin raises many kinds
        raise UsageError(
            f"backend openvino: it does not start here ({first_line(error)}); install it again: "
            "pip install --force-reinstall openvino, or give backend onnxruntime."
        ) from error


def _compile(core: Any, file: OnnxFile, settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """A fixed batch of one: faster than a free one."""
    model = core.read_model(file.content)
    model.reshape([1, *file.image_size, 3])
    return core.compile_model(model, "CPU", settings)


def open_torch(
    directory: Path,
    *,
    precision: Precision,
    device: Device | None,
    threads: int | None,
    reason: str,
) -> TorchEngine:
    """Load a model directory's weights into torch.

    Args:
        directory: the model directory.
        precision: fp32, or bf16 by autocast.
        device: None is cuda where there is one, else cpu.
        threads: processor threads, for the whole process, as torch knows no other; left as they
            are if None.
        reason: why torch.

    Raises:
        ModelError: the directory cannot be loaded.
        UsageError: torch is not installed, or has no CUDA device.
    """
    torch, models = _torch_parts()
    there = bool(torch.cuda.is_available())
    if device == "cuda" and not there:
        raise UsageError(
            "device cuda: torch finds no CUDA device; check the driver and that torch was built "
            "with CUDA (`humanseg doctor` says), or give device cpu."
        )
    device = device or ("cuda" if there else "cpu")
    network, record = models.load_network(directory)
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchEngine(
        name="torch",
        precision=precision,
        device=device,
        threads=int(torch.get_num_threads()),
        image_size=record.preprocessing.image_size,
        reason=reason,
        network=models.TorchBackend(network, device=device),
        torch=torch,
    )


def _torch_parts() -> tuple[Any, Any]:
    """Torch and `humanseg.models`, by name: this layer must import without them."""
    try:
        return importlib.import_module("torch"), importlib.import_module("humanseg.models")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"backend torch: {error.name} is not installed; install it with: "
            'pip install "humanseg[train]"'
        ) from error


def _cannot_run(path: Path, engine: str, error: Exception) -> ModelError:
    return ModelError(
        f"{path}: {engine} cannot run it ({first_line(error)}). Copy the file again, or make it "
        "anew with `humanseg export`."
    )


def first_line(error: BaseException) -> str:
    """The first line of what an error says that is not empty; its kind if there is none."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
