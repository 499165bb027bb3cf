"""Two processes with half a batch each must compute what one computes with all of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn

from humanseg.config.schema import LossConfig
from humanseg.models import SynchronisedStatistics
from humanseg.models.collective import add_up, process_count, process_rank, total
from humanseg.training.losses import SegmentationLoss


def _start(rank: int, work: Callable[[int], None], meeting: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    try:
        work(rank)
    finally:
        distributed.destroy_process_group()


def _in_two(work: Callable[[int], None], folder: Path) -> None:
    spawn(_start, (work, folder / "meeting"), nprocs=2)


def _layer() -> nn.BatchNorm2d:
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(5)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2.0)
        layer.bias.normal_()
    return layer


def _pictures() -> tuple[Tensor, Tensor]:
    """A batch whose halves differ much, and the gradient of its result."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(7, 5, 6, 4, generator=generator)
    images[3:] = images[3:] * 3 + 10
    return images, torch.randn(images.shape, generator=generator)


def _part(rank: int, *, first: int) -> slice:
    return slice(0, first) if rank == 0 else slice(first, 7)


def _normalise_a_part(rank: int, first: int) -> None:
    layer = _layer()
    images, gradient = _pictures()
    expected = copy.deepcopy(layer)
    whole = images.clone().requires_grad_()
    wanted = expected(whole)
    wanted.backward(gradient)
    part = _part(rank, first=first)
    own = images[part].to(memory_format=torch.channels_last).requires_grad_()
    with SynchronisedStatistics():
        result = layer(own)
    result.backward(gradient[part])
    assert whole.grad is not None
    assert own.grad is not None
    torch.testing.assert_close(result, wanted[part], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(own.grad, whole.grad[part], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer.running_mean, expected.running_mean)
    torch.testing.assert_close(layer.running_var, expected.running_var)
    assert layer.num_batches_tracked == expected.num_batches_tracked
    # Each has the gradient of its own pictures; data-parallel training adds them up.
    for parameter, whole_one in zip(layer.parameters(), expected.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(add_up(parameter.grad), whole_one.grad, rtol=1e-4, atol=1e-5)


def _uneven(rank: int) -> None:
    _normalise_a_part(rank, 3)


def _nothing_in_one(rank: int) -> None:
    _normalise_a_part(rank, 7)


@pytest.mark.parametrize("work", [_uneven, _nothing_in_one])
def test_statistics__are_those_of_the_whole_batch(
    work: Callable[[int], None], tmp_path: Path
) -> None:
    _in_two(work, tmp_path)


def test_statistics__of_one_process_are_torchs_own() -> None:
    layer, (images, gradient) = _layer(), _pictures()
    expected = copy.deepcopy(layer)
    own, whole = images.clone().requires_grad_(), images.clone().requires_grad_()
    with SynchronisedStatistics():
        result = layer(own)
    result.backward(gradient)
    expected(whole).backward(gradient)
    torch.testing.assert_close(own.grad, whole.grad, rtol=1e-5, atol=1e-5)
    layer.eval()
    with SynchronisedStatistics():
        torch.testing.assert_close(layer(images), expected.eval()(images))


_LOSSES = (LossConfig(), LossConfig(dice_per_image=True, bce=0.5))


def _logits() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(5, 1, 8, 8, generator=generator)
    masks = torch.rand(5, 1, 8, 8, generator=generator) > 0.8
    masks[0] = False
    return logits, masks


def _loss(config: LossConfig, part: slice) -> tuple[float, Tensor]:
    logits, masks = _logits()
    own = logits[part].requires_grad_()
    loss = SegmentationLoss(config)(own, masks[part])
    loss.backward()
    assert own.grad is not None
    return loss.item(), own.grad


def _lose(rank: int, wanted: list[tuple[float, Tensor]]) -> None:
    part = slice(0, 2) if rank == 0 else slice(2, 5)
    for config, (loss, gradient) in zip(_LOSSES, wanted, strict=True):
        value, own = _loss(config, part)
        assert value == pytest.approx(loss, rel=1e-5)
        # Data-parallel training averages over processes.
        torch.testing.assert_close(own / process_count(), gradient[part], rtol=1e-4, atol=1e-7)


def test_loss__is_that_of_the_whole_batch(tmp_path: Path) -> None:
    wanted = [_loss(config, slice(None)) for config in _LOSSES]
    _in_two(partial(_lose, wanted=wanted), tmp_path)


def test_total__of_one_process_is_the_tensor_itself() -> None:
    value = torch.ones(2)
    assert total(value) is value
    assert add_up(value) is value
    assert (process_count(), process_rank()) == (1, 0)
