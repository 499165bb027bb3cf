"""Let an ONNX file take images of other sizes than that which it was exported for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from humanseg.inference.engines.onnx_check import HEIGHT, WIDTH

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

# What these compute follows the size of what they are given.
_FOLLOWING = frozenset(
    {"Add", "Cast", "Clip", "Concat", "Conv", "DequantizeLinear", "Div", "Gather"}
    | {"GlobalAveragePool", "HardSigmoid", "HardSwish", "MaxPool", "Mul", "QuantizeLinear"}
    | {"Relu", "Resize", "Sigmoid", "Squeeze", "Sub", "Transpose"}
)


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
    shapes = {value.name: _sides(value) for value in parts}
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


def _sides(value: ValueInfoProto) -> tuple[int, int] | None:
    """Height and width (N, C, H, W); None where they are not known."""
    dimensions = value.type.tensor_type.shape.dim
    sides = tuple(dimension.dim_value for dimension in dimensions[2:])
    return (sides[0], sides[1]) if len(dimensions) == 4 and all(sides) else None


def _factor(before: tuple[int, int] | None, after: tuple[int, int] | None) -> int | None:
    """How many times larger both sides become; None if that is no whole number for both."""
    if before is None or after is None or 1 in before:
        return None
    factor = after[0] // before[0]
    return factor if after == (before[0] * factor, before[1] * factor) else None
