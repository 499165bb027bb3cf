"""The adapter of imgly's package, on a package of the same form with another network."""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from benchmarks.peers.systems import PEERS, Peer
from onnx import TensorProto, helper

from humanseg.system.errors import UsageError

ADAPTER = runpy.run_path(str(PEERS["isnet"][0]))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A network that gives the red channel as opacity, in two pieces."""
    constants = [
        helper.make_tensor("first", TensorProto.INT64, [1], [0]),
        helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
    ]
    nodes = [
        helper.make_node("Gather", ["input", "first"], ["red"], axis=1),
        helper.make_node("Add", ["red", "half"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 1024, 1024])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1024, 1024])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content = model.SerializeToString()
    folder = tmp_path / "package" / "dist"
    folder.mkdir(parents=True)
    hashes = []
    for piece in (content[:70], content[70:]):
        hashes.append(hashlib.sha256(piece).hexdigest())
        (folder / hashes[-1]).write_bytes(piece)
    table = {"/models/medium": {"chunks": [{"hash": name, "offsets": []} for name in hashes]}}
    (folder / "resources.json").write_text(json.dumps(table))
    return tmp_path / "package"


def test_isnet__runs_the_network_of_a_package(package: Path) -> None:
    peer = Peer(f"isnet={package}")
    image = np.zeros((30, 20, 3), dtype=np.uint8)
    image[:, :7, 0] = 255
    mask, _ = peer.segment(image, 1)
    peer.close()
    assert peer.name == "isnet"
    assert mask[:, :6].all()
    assert not mask[:, 8:].any()


def test_isnet__resizes_as_the_package_does() -> None:
    values = np.array([[0, 100], [200, 255]], dtype=np.uint8)
    assert ADAPTER["resize"](values, (4, 4)).tolist() == [
        [0, 50, 100, 100],
        [100, 139, 178, 178],
        [200, 228, 255, 255],
        [200, 228, 255, 255],
    ]
    assert ADAPTER["resize"](values[..., None], (1, 1)).tolist() == [[[0]]]


def test_isnet__refuses_a_damaged_package_and_none(package: Path) -> None:
    piece = min((package / "dist").iterdir())
    piece.write_bytes(b"short")
    with pytest.raises(ValueError, match=f"{piece.name}: is damaged"):
        ADAPTER["read_model"](package, "medium")
    with pytest.raises(UsageError, match="isnet=FOLDER"):
        Peer("isnet")
