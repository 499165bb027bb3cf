from __future__ import annotations

import copy

import pytest
import torch
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from torch import nn

from humanseg.models.cpu import optimise_for_cpu_training
from humanseg.models.cpu.upsample2x import doubled_convolution


@pytest.mark.parametrize("skips", [0, 3])
@pytest.mark.parametrize("size", [(1, 1), (4, 5)])
def test_doubled_convolution__equals_enlarging_stacking_and_convolving(
    skips: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 5, *size, dtype=torch.float64)
    skip = torch.randn(2, skips, 2 * size[0], 2 * size[1], dtype=torch.float64)
    weight = torch.randn(7, 5 + skips, 3, 3, dtype=torch.float64)
    stacked = torch.cat([nn.functional.interpolate(images, scale_factor=2), skip], dim=1)
    wanted = nn.functional.conv2d(stacked, weight, padding=1)
    found = doubled_convolution(images, skip if skips else None, weight)
    torch.testing.assert_close(found, wanted)


def _kinds(block: nn.Module) -> list[str]:
    return [kind.__name__ for kind in type(block).__mro__]


@pytest.mark.parametrize("norm", ["batchnorm", False])  # without one, convolutions have a bias
@pytest.mark.parametrize("target", [(8, 12), (7, 11)])
def test_unet_block__computes_the_same_at_twice_the_size_and_at_others(
    norm: str | bool, target: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    block = UnetDecoderBlock(4, 2, 3, use_norm=norm).double().train()
    changed = copy.deepcopy(block)
    optimise_for_cpu_training(changed)
    assert "DoublingConvolution" in _kinds(changed)
    low = torch.randn(2, 4, 4, 6, dtype=torch.float64)
    skip = torch.randn(2, 2, *target, dtype=torch.float64)
    torch.testing.assert_close(changed(low, *target, skip), block(low, *target, skip))
    for (name, one), other in zip(
        block.state_dict().items(), changed.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(other, one, msg=name)


def test_unet_block__with_attention_before_the_convolution_stays_as_it_was() -> None:
    block = UnetDecoderBlock(32, 32, 16, attention_type="scse")
    optimise_for_cpu_training(block)
    assert "DoublingConvolution" not in _kinds(block)
    smooth = UnetDecoderBlock(4, 2, 3, interpolation_mode="bilinear")
    optimise_for_cpu_training(smooth)
    assert "DoublingConvolution" not in _kinds(smooth)
