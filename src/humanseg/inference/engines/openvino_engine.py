"""OpenVINO, on the CPU."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size
from humanseg.inference.engines.engine import Engine, Precision, cannot_run
from humanseg.inference.engines.onnx_check import read_onnx
from humanseg.inference.engines.runtimes import import_openvino
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import ModelError, UsageError, first_line

_MOST_STREAMS = 16  # each holds activations of its own
_first_call = threading.Lock()
"""Held while a request of OpenVINO is made and infers for the first time, which sets up things of
OpenVINO's own: first calls of two threads at once may wait for each other for good (2026.4)."""


@dataclass(frozen=True)
class OpenVinoEngine(Engine):
    """A network in OpenVINO, compiled for one image at a time.

    Batches were no faster, and so no result depends on its batch.
    """

    compiled: Any = field(repr=False)
    requests: threading.local = field(repr=False, default_factory=threading.local)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch; see `Engine`."""
        images = np.ascontiguousarray(images)
        probabilities = np.empty(images.shape[:3], dtype=np.float32)
        for index in range(len(images)):
            probabilities[index] = self._infer(images[index : index + 1])[0]
        return probabilities

    def _infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of one image, in memory that the next call of this thread overwrites."""
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


def openvino_bf16(core: Any) -> bool:  # noqa: ANN401  openvino ships no types
    """Whether OpenVINO computes in bf16 natively on this processor."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def open_openvino(
    file: Path | bytes,
    *,
    image_size: Size | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    reason: str = "asked for",
) -> OpenVinoEngine:
    """Load an ONNX file, a path or content, into OpenVINO on the CPU.

    The image size, (height, width) of the grid, is needed if the file leaves it free. The
    precision is by default bf16 where the processor has it, else fp32; the threads are for one
    image, by default all usable cores. Where there are more cores, images from several threads are
    computed side by side.

    Raises:
        ModelError: the file cannot be run, or is for another size.
        UsageError: OpenVINO is not installed or does not start, or the processor has no bf16.
    """
    onnx = read_onnx(file)
    size = onnx.size(image_size)
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
        model = core.read_model(onnx.content)
        model.reshape([1, *size, 3])  # a fixed batch of one: faster than a free one
        compiled = core.compile_model(model, "CPU", settings)
        taken = compiled.get_property("INFERENCE_NUM_THREADS")
    except Exception as error:  # foreign graphs make OpenVINO raise many kinds
        raise ModelError(cannot_run(onnx.name, "OpenVINO", error)) from error
    return OpenVinoEngine(
        name="openvino",
        precision=precision,
        device="cpu",
        threads=max(1, taken // streams),
        image_size=size,
        reason=reason,
        compiled=compiled,
    )


def _start_openvino() -> tuple[Any, bool]:
    """OpenVINO's core, and whether it computes in bf16 natively."""
    openvino = import_openvino()
    try:
        core = openvino.Core()
        return core, openvino_bf16(core)
    except Exception as error:  # a broken plugin raises many kinds
        raise UsageError(
            f"backend openvino: it does not start here ({first_line(error)}); install it again: "
            "pip install --force-reinstall openvino, or give backend onnxruntime."
        ) from error
