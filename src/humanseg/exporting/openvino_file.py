"""Write a network for OpenVINO, and load it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size
from humanseg.inference.engines.engine import Engine, FunctionEngine
from humanseg.inference.engines.runtimes import import_openvino
from humanseg.models.onnx_file import INPUT
from humanseg.system.errors import ExportError, first_line

if TYPE_CHECKING:
    from onnx import ModelProto


def write_openvino(
    model: ModelProto, size: Size, path: Path, described: dict[str, str], *, half: bool
) -> Engine:
    """Write OpenVINO's IR (.xml with a .bin beside it) and load it again.

    Args:
        model: the network as ONNX.
        size: (height, width) of its pictures.
        path: .xml file to write.
        described: metadata, kept as `rt_info` under `humanseg`.
        half: store weights as float16; they compute in float32.

    Returns:
        What was written, computing in float32 on the CPU.

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
        (found,) = compiled({INPUT: np.ascontiguousarray(images)}).values()
        return np.array(found, dtype=np.float32)

    return FunctionEngine.of(run, size)
