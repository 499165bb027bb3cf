"""Write a network as an ONNX file that takes RGB bytes and gives probabilities.

Input `image`: uint8 (N, H, W, 3) RGB; N is free, H and W are the record's image size, or free too
where the network is convolutions alone.
Output `probability`: float32 (N, H, W), 0 to 1. Normalisation and sigmoid are inside.
"""

from __future__ import annotations

import copy
import warnings
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from humanseg.images.resize import Size
from humanseg.inference.engines.onnx_check import HEIGHT, INPUT, OUTPUT, WIDTH
from humanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine, open_onnxruntime
from humanseg.model_directory import ModelRecord, OnnxRecord, Parity
from humanseg.models.network import SegmentationNetwork
from humanseg.models.parity import check_parity, measure_parity, probe_images
from humanseg.system.atomic import write_bytes
from humanseg.system.errors import ExportError, ModelError, first_line
from humanseg.system.quiet_logs import quiet_logs
from humanseg.system.version import __version__

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

LARGEST_BATCH = 4096
# What these compute follows the size of what they are given.
_FOLLOWING = frozenset(
    {"Add", "Cast", "Clip", "Concat", "Conv", "DequantizeLinear", "Div", "Gather"}
    | {"GlobalAveragePool", "HardSigmoid", "HardSwish", "MaxPool", "Mul", "QuantizeLinear"}
    | {"Relu", "Resize", "Sigmoid", "Squeeze", "Sub", "Transpose"}
)
_SMALL = 256  # values; below it, float32 costs less than the two nodes that float16 needs


class FromBytes(nn.Module):
    """The network as every exported file has it: RGB bytes in, probabilities out."""

    def __init__(self, network: SegmentationNetwork) -> None:
        """Copy a network to the CPU, in evaluation mode and plain memory layout."""
        super().__init__()
        copied = copy.deepcopy(network).cpu().eval().requires_grad_(False)
        self.segmenter = copied.to(memory_format=torch.contiguous_format)
        self.segmenter.memory_format = torch.contiguous_format

    def forward(self, image: Tensor) -> Tensor:
        """Probability of a person in every pixel, float32 (N, H, W), of uint8 (N, H, W, 3) RGB."""
        return torch.sigmoid(self.segmenter(image.permute(0, 3, 1, 2)))[:, 0]

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (N, H, W), float32, of images (N, H, W, 3), uint8, outside torch."""
        with torch.inference_mode():
            return np.asarray(self(torch.from_numpy(np.array(images))).numpy())


def open_exported(content: bytes, size: Size, *, as_written: bool = False) -> OnnxRuntimeEngine:
    """An ONNX file that was just made, in whole batches, so that its free batch size is tried too.

    For `as_written` see `open_onnxruntime`.

    Raises:
        ExportError: ONNX Runtime cannot load it.
    """
    try:
        return open_onnxruntime(
            content,
            image_size=size,
            whole_batches=True,
            as_written=as_written,
            reason="to compare with torch",
        )
    except ModelError as error:
        cause = error.__cause__ or error
        raise ExportError(f"ONNX Runtime cannot load the file ({first_line(cause)}).") from error


def write_onnx(
    network: SegmentationNetwork,
    record: ModelRecord,
    path: Path,
    *,
    half: bool = False,
    images: NDArray[np.uint8] | None = None,
) -> OnnxRecord:
    """Write a network as ONNX if the file computes what torch does; at once or not at all.

    Args:
        network: the network; it is not changed.
        record: what it is; goes into the file's metadata.
        path: file to write; its folder is made if need be.
        half: store weights that float16 holds exactly as such, at half the size, with casts to
            float32 that runtimes fold when they load the file. Others stay float32.
        images: uint8 (N, H, W, 3) on the network's grid, to compare on; made up by default.

    Returns:
        How the file stores weights, and how far it is from torch.

    Raises:
        ExportError: the network cannot be written as ONNX, or the file computes something else.
    """
    size = record.preprocessing.image_size
    wrapped = FromBytes(network)
    model = onnx_model(wrapped, size, half=half)
    parity = measure_parity(
        wrapped.run,
        open_exported(model.SerializeToString(), size),
        probe_images(size) if images is None else images,
        threshold=record.threshold,
    )
    check_parity(parity, what=path.name)
    written = OnnxRecord(precision="fp16" if half else "fp32", parity=parity)
    describe(model, record, written.precision, parity)
    write_bytes(path, model.SerializeToString())
    return written


def onnx_model(network: FromBytes, size: Size, *, half: bool = False) -> ModelProto:
    """The network as ONNX, with nothing in it about the machine that made it.

    `half` stores weights that float16 holds exactly as such.

    Raises:
        ExportError: it cannot be written as ONNX.
    """
    # Two pictures: the exporter would take a batch of one for a constant.
    example = torch.zeros(2, *size, 3, dtype=torch.uint8)
    batch = torch.export.Dim("n", min=1, max=LARGEST_BATCH)
    try:
        # Remarks of torch's exporters, about which a user can do nothing.
        logs = quiet_logs("torch.onnx", "torch.export", "onnxscript")
        with logs, warnings.catch_warnings(action="ignore"):
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: batch},),
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(
            f"The network cannot be written as ONNX ({first_line(error)}); take another encoder."
        ) from error
    if program is None:
        raise ExportError("torch wrote no ONNX model; install its current release.")
    model: ModelProto = program.model_proto
    _forget_origin(model.graph)
    free_sizes(model)
    if half:
        store_half(model.graph, dict(network.named_parameters()))
    return model


def describe(model: ModelProto, record: ModelRecord, precision: str, parity: Parity) -> None:
    """Write into a model's metadata what using it needs, and where it comes from."""
    height, width = record.preprocessing.image_size
    model.producer_name = "humanseg"
    model.producer_version = __version__
    model.doc_string = (
        f"Person segmentation. {INPUT}: uint8 (N, H, W, 3) RGB; {OUTPUT}: float32 (N, H, W), a "
        f"person where at least {record.threshold:g}. Made for images of {height}x{width}."
    )
    add_metadata(model, description(record, precision) | {"parity": parity.model_dump_json()})


def description(record: ModelRecord, precision: str) -> dict[str, str]:
    """What an exported file says of itself, whatever its format."""
    height, width = record.preprocessing.image_size
    return {
        "schema_version": str(record.schema_version),
        "arch": record.arch,
        "encoder_name": record.encoder_name,
        "image_size": f"{height}x{width}",
        "threshold": str(record.threshold),
        "precision": precision,
        "humanseg": __version__,
        "torch": str(torch.__version__),
        "encoder_weights": record.encoder_weights,
        "data_fingerprint": record.data_fingerprint,
        "provenance": "\n".join(record.provenance),
    }


def add_metadata(model: ModelProto, values: dict[str, str]) -> None:
    """Set metadata `humanseg.NAME` of a model; others of these names are replaced."""
    from onnx import helper

    before = {entry.key: entry.value for entry in model.metadata_props}
    own = {f"humanseg.{name}": value for name, value in values.items()}
    helper.set_model_props(model, before | own)


def _forget_origin(graph: GraphProto) -> None:
    """Drop what the exporter notes of every node: stack traces with paths of this machine."""
    parts = (graph.node, graph.input, graph.output, graph.value_info, graph.initializer)
    for item in chain(*parts):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")


def store_half(graph: GraphProto, parameters: dict[str, nn.Parameter]) -> None:
    """Store weights as float16 values times a float32 factor for each output channel.

    The exporter folds batch normalisation into convolutions, which takes weights off the values
    that float16 holds; the factor takes them back.
    """
    from onnx import helper, numpy_helper

    casts = []
    for index, stored in enumerate(graph.initializer):
        parameter = parameters.get(stored.name)
        if parameter is None or parameter.ndim != 4 or parameter.numel() < _SMALL:
            continue
        folded = numpy_helper.to_array(stored)
        plain = parameter.detach().numpy()
        factor = _channel_factor(folded, plain)
        if factor is None:
            continue
        name = stored.name
        halved = numpy_helper.from_array(plain.astype(np.float16), f"{name}.half")
        graph.initializer[index].CopyFrom(halved)
        scaled = not np.all(factor == 1.0)
        cast = f"{name}.float" if scaled else name
        casts.append(helper.make_node("Cast", [halved.name], [cast], to=1, name=f"{name}.cast"))
        if scaled:
            graph.initializer.append(numpy_helper.from_array(factor, f"{name}.factor"))
            inputs = [cast, f"{name}.factor"]
            casts.append(helper.make_node("Mul", inputs, [name], name=f"{name}.scale"))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _channel_factor(
    folded: NDArray[np.float32], plain: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """Factor (O, 1, 1, 1) that takes float16 weights to the folded ones; None if there is none."""
    if folded.shape != plain.shape or not np.array_equal(plain.astype(np.float16), plain):
        return None
    rows, wanted = plain.reshape(len(plain), -1), folded.reshape(len(plain), -1)
    largest = np.abs(rows).argmax(axis=1)[:, None]
    pivots = np.take_along_axis(rows, largest, axis=1)
    factor = np.take_along_axis(wanted, largest, axis=1) / np.where(pivots == 0, 1.0, pivots)
    bound = 1e-6 * np.abs(wanted).max(axis=1, keepdims=True)
    if not np.all(np.abs(rows * factor - wanted) <= bound):
        return None
    return np.asarray(factor, dtype=np.float32).reshape(-1, 1, 1, 1)


def free_sizes(model: ModelProto) -> bool:
    """Make height and width of a fully convolutional network free, in place.

    The exporter writes down the size that each enlargement ends with; its factor takes that
    place. A network with any other kind of node, or an enlargement that is no whole multiple
    (such as DeepLabV3+'s pooled branch), stays as it is.

    Returns:
        Whether they are free now.
    """
    from onnx import numpy_helper, shape_inference

    graph = model.graph
    inferred = shape_inference.infer_shapes(model).graph
    parts = (*inferred.input, *inferred.output, *inferred.value_info)
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in parts
    }
    resizes = [node for node in graph.node if node.op_type == "Resize" and len(node.input) == 4]
    factors = [_factor(shapes.get(node.input[0]), shapes.get(node.output[0])) for node in resizes]
    needed = _needed(graph, without={node.input[3] for node in resizes})
    if None in factors or not {node.op_type for node in needed} <= _FOLLOWING:
        return False
    for node, factor in zip(resizes, factors, strict=True):
        scales = np.array([1, 1, factor, factor], dtype=np.float32)
        name = f"{node.output[0]}.scales"
        graph.initializer.append(numpy_helper.from_array(scales, name))
        node.input[2:] = [name]
    del graph.node[:]
    graph.node.extend(needed)
    del graph.value_info[:]  # sizes of what lies between
    used = {name for node in graph.node for name in node.input}
    for stored in [stored for stored in graph.initializer if stored.name not in used]:
        graph.initializer.remove(stored)
    for value in (graph.input[0], graph.output[0]):
        for axis, side in enumerate((HEIGHT, WIDTH), start=1):
            value.type.tensor_type.shape.dim[axis].dim_param = side
    return True


def _needed(graph: GraphProto, *, without: set[str]) -> list[NodeProto]:
    """Nodes that the output depends on, in order, some inputs aside."""
    wanted = {value.name for value in graph.output}
    needed = []
    for node in reversed(graph.node):  # an ONNX graph is sorted
        if wanted.intersection(node.output):
            needed.append(node)
            wanted.update(set(node.input) - without)
    return needed[::-1]


def _factor(before: list[int] | None, after: list[int] | None) -> int | None:
    """How many times larger both sides of a shape (N, C, H, W) become; a side of 0 is not known.

    None if that is no whole number for both, or if one of them says nothing.
    """
    if not before or not after or len(before) != 4 or min(before[2:]) < 2:
        return None
    factor = after[2] // before[2]
    return factor if factor and after[2:] == [side * factor for side in before[2:]] else None
