"""Files of convolutional networks take images of any size, and `fast` makes use of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from tests.conftest import draw_folder

from humanseg import Segmenter
from humanseg.cli import main
from humanseg.config.architectures import DeepLabModel, ModelConfig, UNetModel
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.inference.engines.onnx_check import read_onnx
from humanseg.inference.engines.onnxruntime_engine import open_onnxruntime
from humanseg.inference.engines.openvino_engine import open_openvino
from humanseg.model_directory import find_model
from humanseg.models import FromBytes
from humanseg.models.network import build_network
from humanseg.models.onnx_file import free_sizes, onnx_model
from humanseg.serving.static_files import page_files
from humanseg.system.errors import ModelError, UsageError

if TYPE_CHECKING:
    from onnx import ModelProto

SMALL: dict[str, Any] = {
    "encoder_name": "mobilenet_v2",
    "encoder_weights": "none",
    "image_size": (64, 64),
}


def exported(config: ModelConfig) -> tuple[FromBytes, bytes]:
    torch.manual_seed(3)
    network = FromBytes(build_network(config))
    return network, onnx_model(network, config.image_size).SerializeToString()


def noise(*size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (1, *size, 3), dtype=np.uint8)


@pytest.mark.contract
def test_convolutional__computes_what_torch_does_at_other_sizes() -> None:
    network, file = exported(UNetModel(**SMALL))
    assert read_onnx(file).fixed_size is None
    for size in ((64, 64), (96, 160)):
        images = noise(*size)
        for opened in (open_onnxruntime, open_openvino):
            engine = opened(file, image_size=size, precision="fp32")
            assert engine.image_size == size
            np.testing.assert_allclose(engine(images), network.run(images), atol=2e-5)
    with pytest.raises(UsageError, match="takes images of any size; give image_size"):
        open_onnxruntime(file)


@pytest.mark.contract
def test_pooled_branch__keeps_its_size() -> None:
    _, file = exported(DeepLabModel(**SMALL))
    assert read_onnx(file).fixed_size == (64, 64)
    assert open_onnxruntime(file).image_size == (64, 64)
    with pytest.raises(ModelError, match=r"for images of \(64, 64\) alone, not \(96, 96\); give"):
        open_onnxruntime(file, image_size=(96, 96))


def _enlarging(after: tuple[int, int], *, kind: str = "Relu") -> ModelProto:
    """(1, 3, 8, 8), made larger by a `Resize` whose end size is written down."""
    sizes = numpy_helper.from_array(np.array([1, 3, *after], dtype=np.int64), "sizes")
    nodes = [
        helper.make_node(kind, ["x"], ["y"]),
        helper.make_node("Resize", ["y", "", "", "sizes"], ["z"], mode="nearest"),
    ]
    float32 = onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", float32, [1, 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("z", float32, [1, 3, *after])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [sizes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


@pytest.mark.parametrize(
    ("model", "free"),
    [
        (_enlarging((16, 16)), True),
        (_enlarging((16, 24)), False),  # not the same factor on both sides
        (_enlarging((20, 20)), False),  # no whole number
        (_enlarging((16, 16), kind="Flatten"), False),  # a node that mixes places
    ],
)
def test_free_sizes__only_where_every_node_follows(model: ModelProto, free: bool) -> None:
    before = model.SerializeToString()
    assert free_sizes(model) is free
    if free:
        assert list(model.graph.node[1].input) == ["y", "", "z.scales"]
        scales = numpy_helper.to_array(model.graph.initializer[0]).tolist()
        assert scales == [1.0, 1.0, 2.0, 2.0]
        assert len(model.graph.initializer) == 1
    else:
        assert model.SerializeToString() == before


@pytest.mark.parametrize("size", [(250, 256), (0, 0), (256,), 256, (8192, 256)])
def test_image_size__impossible_ones_are_refused(size: object) -> None:
    with pytest.raises(UsageError, match=r"image_size: got .*multiples of 32 up to 4096"):
        Segmenter(image_size=size)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch"])
@pytest.mark.contract
def test_fast__is_the_bundled_model_on_smaller_images(backend: str) -> None:
    fast = Segmenter("fast", backend=backend, precision="fp32")  # type: ignore[arg-type]
    assert fast.image_size == (256, 256)
    asked = Segmenter(image_size=(256, 256), backend="torch")
    image = noise(200, 300)[0]
    np.testing.assert_allclose(fast.predict(image).grid, asked.predict(image).grid, atol=1e-4)
    assert Segmenter().image_size == (384, 384)


@pytest.mark.contract
def test_fast__is_said_wherever_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = draw_folder(tmp_path / "people", 2)
    photo = next((people / "images").iterdir())
    words = ["predict", str(photo), "-o", str(tmp_path / "out") + "/", "--quiet", "--model"]
    assert main([*words, "fast"]) == 0
    assert main([*words, "bundled"]) == 2  # another setting in the same folder
    assert "fast" in capsys.readouterr().err
    assert evaluate(Segmenter("fast"), data=people).model == "fast"
    assert evaluate(Segmenter(image_size=(128, 96)), data=people).model == "bundled (128x96)"
    files = page_files(server=Segmenter(image_size=(256, 256)))
    manifest = json.loads(files["private/manifest.json"].content)
    assert manifest["model"]["image_size"] == [256, 256]


@pytest.mark.contract
def test_best__is_the_bundled_model_with_the_mirror_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best, plain = (Segmenter(name, sure_share=0.0) for name in ("best", "bundled"))
    image = noise(200, 300)[0]
    mirrored = plain.predict(image[:, ::-1]).grid[:, ::-1]
    mean = (plain.predict(image).grid + mirrored) / 2
    np.testing.assert_allclose(best.predict(image).grid, mean, atol=1e-6)
    assert not Segmenter("best", flip_averaging=False).flip_averaging
    people = draw_folder(tmp_path / "people", 2)
    assert evaluate(best, data=people).model == "best"
    assert evaluate(plain, data=people).model == "bundled"
    fast = Segmenter("fast", flip_averaging=True)
    assert evaluate(fast, data=people).model == "bundled (256x256)"
    photo = next((people / "images").iterdir())
    for made, words in (("a", ["--model", "best"]), ("b", ["--flip-averaging"])):
        assert main(["predict", str(photo), "-o", str(tmp_path / f"{made}.png"), *words]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("name", ["fast", "best"])
def test_variant__is_no_directory(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name}: is a way of predicting with `bundled`"):
        find_model(name)
