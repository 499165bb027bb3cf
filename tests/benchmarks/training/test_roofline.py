"""Operations and bytes of a training step against networks counted by hand."""

from __future__ import annotations

import pytest
import torch
from benchmarks.training.record import Ceilings, Precision
from benchmarks.training.roofline import StepCounts, count_step, measure_ceilings, roofline_of
from torch import Tensor, nn

BATCH, HEIGHT, WIDTH = 2, 8, 6
PIXELS = BATCH * HEIGHT * WIDTH


def _count(network: nn.Module, width: int = 4) -> StepCounts:
    precision: Precision = "fp32" if width == 4 else "bf16"
    return count_step(network, (HEIGHT, WIDTH), BATCH, precision)


def test_count_step__convolution() -> None:
    network = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    weight, given, made = 5 * 3 * 9, 3 * PIXELS, 5 * PIXELS
    forward = given + weight + made
    backward = made + given + weight + weight  # the pictures need no gradient
    assert _count(network) == StepCounts(
        flop=3 * 2 * PIXELS * 5 * 3 * 9, bytes=4 * (forward + backward)
    )


def test_count_step__half_the_width_is_half_the_bytes() -> None:
    network = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    assert 2 * _count(network, width=2).bytes == _count(network).bytes
    assert _count(network, width=2).flop == _count(network).flop


def test_count_step__depthwise_convolution_counts_its_own_channel_only() -> None:
    network = nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False)
    assert _count(network).flop == 3 * 2 * PIXELS * 3 * 9


class _Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * HEIGHT * WIDTH, 7, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.layer(images.flatten(1))
        return output


def test_count_step__linear_layer_and_no_bytes_for_views() -> None:
    inputs = 3 * HEIGHT * WIDTH
    given, weight, made = BATCH * inputs, 7 * inputs, BATCH * 7
    forward = given + weight + made
    backward = made + given + weight
    assert _count(_Linear()) == StepCounts(
        flop=3 * 2 * BATCH * inputs * 7, bytes=4 * (forward + backward)
    )


def test_count_step__the_gradient_of_an_inner_tensor_is_written() -> None:
    two = nn.Sequential(nn.Conv2d(3, 5, 1, bias=False), nn.ReLU(), nn.Conv2d(5, 4, 1, bias=False))
    first, inner, last = 3 * PIXELS, 5 * PIXELS, 4 * PIXELS
    weights = 15, 20
    forward = (first + weights[0] + inner) + 2 * inner + (inner + weights[1] + last)
    backward = (last + inner + weights[1] + inner + weights[1]) + 3 * inner
    backward += inner + first + weights[0] + weights[0]
    assert _count(two).bytes == 4 * (forward + backward)


def test_count_step__leaves_the_network_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    _count(network)
    assert not network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(tensor.grad is None for tensor in network.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_measure_ceilings__are_plausible(precision: str) -> None:
    ceilings = measure_ceilings(
        "cpu",
        "fp32" if precision == "fp32" else "bf16",
        sizes=(64, 256),
        copy_bytes=2**24,
    )
    assert ceilings.matrix_size in (64, 256)
    assert 1e8 < ceilings.flop_per_second < 1e15
    assert 1e8 < ceilings.bytes_per_second < 1e13


def _ceilings(flop: float, byte: float) -> Ceilings:
    return Ceilings(precision="fp32", flop_per_second=flop, bytes_per_second=byte, matrix_size=1)


def test_place__the_larger_floor_binds() -> None:
    counts = StepCounts(flop=10_000, bytes=600)
    roofline = roofline_of(counts, _ceilings(1_000.0, 100.0), step_seconds=20.0)
    assert (roofline.arithmetic_seconds, roofline.memory_seconds) == (10.0, 6.0)
    assert (roofline.bound, roofline.fraction) == ("arithmetic", 0.5)
    roofline = roofline_of(counts, _ceilings(10_000.0, 100.0), step_seconds=20.0)
    assert (roofline.bound, roofline.fraction) == ("memory", 0.3)
