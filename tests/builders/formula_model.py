"""Model directories whose network is a formula: exact, tiny, and made without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tests.builders.records import environment

from humanseg.config.schema import EvaluationConfig, TrainConfig
from humanseg.model_directory import ModelRecord, Preprocessing, write_model_record

GRID = (48, 64)
STEEPNESS = 0.1


def brightness(images: NDArray[np.uint8], steepness: float = STEEPNESS) -> NDArray[np.float32]:
    """What the network computes: sigmoid(steepness * (mean of RGB - 128))."""
    logits = steepness * (images.astype(np.float64).mean(axis=-1) - 128.0)
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float32)


def brightness_onnx(
    steepness: float = STEEPNESS,
    *,
    size: tuple[int, int] = GRID,
    names: tuple[str, str] = ("image", "probability"),
    external: str | None = None,
    kind: int = TensorProto.UINT8,
) -> bytes:
    """An ONNX file of that network, as `humanseg export` lays it out."""
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [3]),
        helper.make_tensor("middle", TensorProto.FLOAT, [], [128.0]),
        helper.make_tensor("steepness", TensorProto.FLOAT, [], [steepness]),
    ]
    if external is not None:
        constants[1].ClearField("float_data")
        constants[1].data_location = TensorProto.EXTERNAL
        constants[1].external_data.add(key="location", value=external)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", [names[0]], ["values"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["values", "axis"], ["mean"], keepdims=0),
            helper.make_node("Sub", ["mean", "middle"], ["centred"]),
            helper.make_node("Mul", ["centred", "steepness"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], [names[1]]),
        ],
        "brightness",
        [helper.make_tensor_value_info(names[0], kind, ["N", *size, 3])],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["N", *size])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"humanseg": "test"})
    return bytes(model.SerializeToString())


def write_model(
    directory: Path,
    *,
    onnx: bytes | None = None,
    int8: bytes | None = None,
    threshold: float = 0.5,
    flip_averaging: bool = False,
    sure_share: float = 0.0,
) -> Path:
    """A model directory around ONNX files; its torch weights are missing."""
    directory.mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"")
    record = ModelRecord(
        arch="unet",
        encoder_name="none",
        preprocessing=Preprocessing(image_size=GRID, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        threshold=threshold,
        encoder_weights="none",
        config=TrainConfig(
            evaluation=EvaluationConfig(
                threshold=threshold, flip_averaging=flip_averaging, sure_share=sure_share
            )
        ),
        data_fingerprint="none",
        summary=None,
        environment=environment(),
    )
    write_model_record(directory, record)
    if onnx is not None:
        (directory / "model.onnx").write_bytes(onnx)
    if int8 is not None:
        (directory / "model.int8.onnx").write_bytes(int8)
    return directory
