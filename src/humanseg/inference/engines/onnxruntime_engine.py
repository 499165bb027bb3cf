"""ONNX Runtime, on the CPU or through CUDA."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size
from humanseg.inference.engines.engine import Engine, Precision, cannot_run
from humanseg.inference.engines.onnx_check import HEIGHT, INPUT, OUTPUT, WIDTH, read_onnx
from humanseg.inference.engines.runtimes import import_onnxruntime
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import ModelError, UsageError

CUDA_PROVIDER = "CUDAExecutionProvider"
_CPU_PROVIDER = "CPUExecutionProvider"
_ERRORS_ONLY = 3  # ONNX Runtime's severity levels: 2 warnings, 3 errors, 4 fatal


@dataclass(frozen=True)
class OnnxRuntimeEngine(Engine):
    """A network in ONNX Runtime."""

    session: Any = field(repr=False)
    whole_batches: bool = False
    """Whether a batch is computed in one call. On the CPU that is no faster, and an image's result
    then depends on its batch in the last bits."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch; see `Engine`."""
        images = np.ascontiguousarray(images)
        if self.whole_batches:
            return self._run(images)
        probabilities = np.empty(images.shape[:3], dtype=np.float32)
        for index in range(len(images)):
            probabilities[index] = self._run(images[index : index + 1])[0]
        return probabilities

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self.session.run([OUTPUT], {INPUT: images})[0])


def open_onnxruntime(
    file: Path | bytes,
    *,
    image_size: Size | None = None,
    precision: Precision = "fp32",
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int | None = None,
    reason: str = "asked for",
    whole_batches: bool = False,
    as_written: bool = False,
) -> OnnxRuntimeEngine:
    """Load an ONNX file, a path or content, into ONNX Runtime.

    `image_size`, (height, width) of the grid, is needed if the file leaves it free; `precision`
    is what the file computes in; `cuda` needs ONNX Runtime's build for GPUs; the threads are for
    one image, by default all usable cores; `whole_batches`, see `OnnxRuntimeEngine`, always on
    CUDA; `as_written` computes node by node, int8 in float32: slow, and exact on every processor.

    Raises:
        ModelError: the file cannot be run, or is for another size.
        UsageError: the device is not there.
    """
    onnx = read_onnx(file)
    size = onnx.size(image_size)
    runtime = import_onnxruntime()
    threads = threads or usable_cores()
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    if as_written:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, side in zip((HEIGHT, WIDTH), size, strict=True):
        options.add_free_dimension_override_by_name(name, side)
    # Threads that spin between images take the cores from whatever decodes the next one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    providers = [CUDA_PROVIDER, _CPU_PROVIDER] if device == "cuda" else [_CPU_PROVIDER]
    available = runtime.get_available_providers()
    if device == "cuda" and CUDA_PROVIDER not in available:
        raise UsageError(
            f"device cuda: the installed ONNX Runtime has no {CUDA_PROVIDER} (it has "
            f"{', '.join(available)}); replace it by onnxruntime-gpu, or give device cpu."
        )
    try:
        session = runtime.InferenceSession(onnx.content, options, providers=providers)
    except Exception as error:  # foreign graphs make ONNX Runtime raise many kinds
        raise ModelError(cannot_run(onnx.name, "ONNX Runtime", error)) from error
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
        image_size=size,
        reason=reason,
        session=session,
        whole_batches=whole_batches or device == "cuda",
    )
