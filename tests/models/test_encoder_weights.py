from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from humanseg.config.architectures import ModelConfig, model_settings
from humanseg.models import build_network
from humanseg.models.encoder_weights import expected_input
from humanseg.system.errors import HumansegError, ModelError, UsageError


def _config(**values: Any) -> ModelConfig:  # noqa: ANN401  settings of any type
    usual: dict[str, Any] = {"encoder_name": "tu-test_efficientnet", "encoder_weights": "none"}
    return model_settings(**(usual | values))


def test_local_file__with_timm_names_is_loaded(tmp_path: Path) -> None:
    torch.manual_seed(5)
    source = timm.create_model("test_efficientnet", pretrained=False)
    path = tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)

    network = build_network(_config(encoder_weights=str(path)))

    encoder = network.network.get_submodule("encoder").state_dict()
    assert torch.equal(encoder["model.conv_stem.weight"], source.state_dict()["conv_stem.weight"])
    assert network.weights.startswith("weights.safetensors sha256:")


@pytest.mark.parametrize(
    ("values", "kind", "sentence"),
    [
        ({"encoder_name": "eficientnet-b0"}, UsageError, "Did you mean efficientnet-b0"),
        ({"encoder_name": "tu-test_eficientnet"}, UsageError, "Did you mean tu-test_efficientnet"),
        ({"encoder_weights": "none/such.safetensors"}, UsageError, "no such file"),
        (
            {"encoder_name": "efficientnet-b0", "encoder_weights": "imagenet22k"},
            UsageError,
            "allowed for efficientnet-b0: imagenet",
        ),
    ],
)
def test_bad_names__are_one_sentence(
    values: dict[str, str], kind: type[HumansegError], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence) as caught:
        build_network(_config(**values))
    assert "\n" not in str(caught.value)


def test_local_file__of_another_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"conv_stem.weight": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match="does not fit encoder tu-test_efficientnet"):
        build_network(_config(encoder_weights=str(path)))


def test_local_file__that_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"not a tensor file")
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        build_network(_config(encoder_weights=str(path)))


_BUILD = """
from humanseg.config.architectures import ModelConfig, model_settings
from humanseg.system.errors import ModelError
from humanseg.models import build_network
import time
start = time.perf_counter()
try:
    build_network(model_settings(encoder_name={name!r}, encoder_weights="imagenet"))
except ModelError as error:
    print(error)
    print(time.perf_counter() - start)
"""


@pytest.mark.fault
def test_hub__silent_one_fails_within_ten_seconds(tmp_path: Path) -> None:
    """A hub that accepts connections and never answers is the worst case."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = {
            "HF_ENDPOINT": f"http://127.0.0.1:{server.getsockname()[1]}",
            "HF_HOME": str(tmp_path),
            "PATH": "",
            "no_proxy": "*",
        }
        waiting = [
            subprocess.Popen(
                [sys.executable, "-c", _BUILD.format(name=name)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for name in ("efficientnet-b0", "tu-test_efficientnet")  # of SMP's own, and of timm
        ]
        ended = [process.communicate(timeout=120) for process in waiting]
    for said, complaint in ended:
        sentence, seconds = said.splitlines() or [complaint, "inf"]
        assert "must be downloaded, and the Hugging Face hub is out of reach" in sentence
        assert float(seconds) < 10.0


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("efficientnet-b0", 0.485),
        ("timm-tf_efficientnet_lite0", 0.5),
        ("tu-tf_efficientnet_lite0", 0.5),
        ("resnet34", 0.485),
        ("xception", 0.5),
        ("inceptionv4", 0.5),
        ("inceptionresnetv2", 0.5),
    ],
)
def test_expected_input__without_network(name: str, mean: float) -> None:
    assert expected_input(name)[0][0] == mean


def test_batch_statistics__follow_faster_from_random_weights() -> None:
    network = build_network(model_settings(encoder_name="efficientnet-b0", encoder_weights="none"))
    momenta = {m.momentum for m in network.modules() if isinstance(m, nn.BatchNorm2d)}
    assert momenta == {0.1}  # SMP builds EfficientNets with 0.01
