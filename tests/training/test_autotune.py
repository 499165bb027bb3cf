"""A batch that memory cannot hold becomes a sentence with one that it can."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from humanseg.config.schema import TrainConfig
from humanseg.models import SegmentationNetwork, build_network
from humanseg.system.errors import OutOfMemory
from humanseg.training import train
from humanseg.training.autotune import ComputeMode, explaining_memory, fitting_batch

pytestmark = pytest.mark.training

_FORWARD = SegmentationNetwork.forward
_CPU = ComputeMode("cpu", "fp32", "contiguous")


def _holds(most: int, error: type[RuntimeError] = torch.OutOfMemoryError) -> object:
    """A forward pass with memory for `most` pictures."""

    def forward(network: SegmentationNetwork, images: Tensor) -> Tensor:
        if len(images) > most:
            raise error("DefaultCPUAllocator: can't allocate memory")
        return _FORWARD(network, images)

    return forward


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_train__names_a_batch_that_fits(
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[RuntimeError],
) -> None:
    training = tiny.training.model_copy(update={"batch_size": 8})
    monkeypatch.setattr(SegmentationNetwork, "forward", _holds(3, error))
    with pytest.raises(OutOfMemory, match=r"got 8; .* 2 do\. Take --training\.batch-size 2,"):
        train(tiny.model_copy(update={"training": training}), output=tmp_path / "run")


def test_train__says_so_where_none_fits(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SegmentationNetwork, "forward", _holds(1))
    with pytest.raises(OutOfMemory, match="nor does any smaller batch"):
        train(tiny, output=tmp_path / "run")


def test_memory_of_the_timing__counts_too(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = tiny.training.model_copy(update={"batch_size": 8, "precision": "auto"})
    monkeypatch.setattr(SegmentationNetwork, "forward", _holds(4))
    with pytest.raises(OutOfMemory, match="4 do"):
        train(tiny.model_copy(update={"training": training}), output=tmp_path / "run")


def test_fitting_batch__leaves_the_network_as_it_was(
    tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_network(tiny.model)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    monkeypatch.setattr(SegmentationNetwork, "forward", _holds(2))
    assert fitting_batch(network, tiny, _CPU) == 2
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_other_errors__pass_through(tiny: TrainConfig) -> None:
    with (
        pytest.raises(RuntimeError, match="shapes"),
        explaining_memory(build_network(tiny.model), tiny, _CPU),
    ):
        raise RuntimeError("shapes do not fit")
