"""Write a network for OpenVINO, and load it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size
from humanseg.inference.engines.engine import Engine, FunctionEngine
from humanseg.inference.engines.onnx_check import INPUT
from humanseg.inference.engines.runtimes import import_openvino
from humanseg.system.errors import ExportError, first_line

if TYPE_CHECKING:
    from onnx import ModelProto


def write_openvino(
    model: ModelProto, size: Size, path: Path, described: dict[str, str], *, half: bool
) -> Engine:
    """Write OpenVINO's IR (.xml with a .bin beside it) and load it again, in float32 on the CPU.

    `described` is kept as `rt_info` under `humanseg`; `half` stores weights as float16.

    Raises:
        UsageError: OpenVINO is not installed.
        ExportError: OpenVINO cannot read the network.
    """
    openvino: Any = import_openvino()
    core = openvino.Core()
    try:
        # `openvino.convert_model` does the same, but has a telemetry of its own.
        converted = core.read_model(model.SerializeToString())
        for name, value in described.items():
            converted.set_rt_info(value, ["humanseg", name])
        openvino.save_model(converted, str(path), compress_to_fp16=half)
        compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as error:
        raise ExportError(f"OpenVINO cannot take the network ({first_line(error)}).") from error

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (probability,) = compiled({INPUT: np.ascontiguousarray(images)}).values()
        return np.array(probability, dtype=np.float32)

    return FunctionEngine.of(run, size)
