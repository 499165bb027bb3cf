"""The engines that run a network: ONNX Runtime, OpenVINO and torch, each behind one call.

All take uint8 (N, H, W, 3) RGB on the network's grid and give float32 (N, H, W), 0 to 1, and may
be called from several threads at once. On the CPU, ONNX Runtime and OpenVINO take pictures one by
one: batches of 8 were not faster (0 to 14 % slower), and so no result depends on its batch.
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
from humanseg.geometry import Size
from humanseg.inference.onnx_reader import INPUT, OUTPUT, OnnxFile, read_onnx
from humanseg.inference.processor import usable_cores
from humanseg.inference.runtimes import import_onnxruntime, import_openvino

EngineName = Literal["onnxruntime", "openvino", "torch"]
Precision = Literal["fp32", "bf16", "int8"]
Device = Literal["cpu", "cuda"]

CUDA_PROVIDER = "CUDAExecutionProvider"
_CPU_PROVIDER = "CPUExecutionProvider"
_ERRORS_ONLY = 3  # ONNX Runtime's severity levels: 2 warnings, 3 errors, 4 fatal
_MOST_STREAMS = 16  # each holds activations of its own, some 30 MB


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
        request = getattr(self.requests, "request", None)
        if request is None:  # a request serves one thread at a time
            request = self.requests.request = self.compiled.create_infer_request()
        images = np.ascontiguousarray(images)
        results = np.empty(images.shape[:3], dtype=np.float32)
        for number in range(len(images)):
            one = images[number : number + 1]
            # Shared: no copies in or out; the result is copied before the next picture.
            results[number] = request.infer({0: one}, share_inputs=True, share_outputs=True)[0][0]
        return results


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
        UsageError: OpenVINO is not installed, or the processor has no bf16.
    """
    file = read_onnx(path)
    core = import_openvino().Core()
    if precision is None:
        precision = "bf16" if openvino_bf16(core) else "fp32"
    elif precision == "bf16" and not openvino_bf16(core):
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
    except Exception as error:  # foreign graphs make OpenVINO raise many kinds
        raise _cannot_run(path, "OpenVINO", error) from error
    return OpenVinoEngine(
        name="openvino",
        precision=precision,
        device="cpu",
        threads=max(1, compiled.get_property("INFERENCE_NUM_THREADS") // streams),
        image_size=file.image_size,
        reason=reason,
        compiled=compiled,
    )


def _compile(core: Any, file: OnnxFile, settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """A fixed batch of one: about 8 % faster than a free one."""
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
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason")
    return ModelError(
        f"{path}: {engine} cannot run it ({first}). Copy the file again, or make it anew with "
        "`humanseg export`."
    )
