"""Write a network for OpenVINO, TorchScript and `torch.export`, and load it again."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from humanseg.errors import ExportError
from humanseg.images.resize import Size
from humanseg.inference.engines.engine import Engine, FunctionEngine
from humanseg.inference.engines.runtimes import import_openvino
from humanseg.models import FromBytes
from humanseg.models.onnx_file import INPUT, LARGEST_BATCH, calm_exporter

if TYPE_CHECKING:
    from onnx import ModelProto

_METADATA = "humanseg.json"


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
        raise ExportError(f"OpenVINO cannot take the network ({_first(error)}).") from error

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (found,) = compiled({INPUT: np.ascontiguousarray(images)}).values()
        return np.array(found, dtype=np.float32)

    return FunctionEngine.of(run, size)


def write_torchscript(
    network: FromBytes, size: Size, path: Path, described: dict[str, str]
) -> Engine:
    """Write TorchScript by tracing, and load it again.

    Args:
        network: what to write.
        size: (height, width) of its pictures.
        path: .pt file to write.
        described: metadata, kept as the extra file humanseg.json.

    Returns:
        What was written, on the CPU.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and tracing warns of constants
        traced = torch.jit.trace(network, _example(size), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={_METADATA: json.dumps(described)})
        loaded = torch.jit.load(str(path), map_location="cpu")
    return _torch_engine(loaded, size)


def write_torch_export(
    network: FromBytes, size: Size, path: Path, described: dict[str, str]
) -> Engine:
    """Write a `torch.export` program, and load it again.

    Args:
        network: what to write.
        size: (height, width) of its pictures.
        path: .pt2 file to write.
        described: metadata, kept as the extra file humanseg.json.

    Returns:
        What was written, on the CPU.

    Raises:
        ExportError: torch cannot capture the network.
    """
    batch = torch.export.Dim("n", min=1, max=LARGEST_BATCH)
    with calm_exporter():
        try:
            program = torch.export.export(network, (_example(size),), dynamic_shapes=({0: batch},))
        except Exception as error:  # torch's tracer raises many kinds
            raise ExportError(f"torch.export cannot take the network ({_first(error)}).") from error
        for module in program.graph_module.modules():
            if isinstance(module, torch.fx.GraphModule):
                for node in module.graph.nodes:
                    node.meta.pop("stack_trace", None)  # paths of this machine
        extra = {_METADATA: json.dumps(described)}
        torch.export.save(program, str(path), extra_files=extra)
        loaded = torch.export.load(str(path)).module()
    return _torch_engine(loaded, size)


def _example(size: Size) -> torch.Tensor:
    """Two pictures: the exporters would take a batch of one for a constant."""
    return torch.zeros(2, *size, 3, dtype=torch.uint8)


def _torch_engine(loaded: torch.nn.Module, size: Size) -> Engine:
    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: torch.Tensor = loaded(torch.from_numpy(np.array(images)))
        return np.asarray(found.numpy(), dtype=np.float32)

    return FunctionEngine.of(run, size)


def _first(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
