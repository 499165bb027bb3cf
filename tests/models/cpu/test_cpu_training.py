from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch
from segmentation_models_pytorch.decoders.fpn.decoder import MergeBlock
from torch import nn

from humanseg.config.architectures import Arch, model_settings
from humanseg.models import build_network
from humanseg.models.cpu.cpu_training import rearrange
from humanseg.models.cpu.patching import restore
from humanseg.models.cpu.precision import keep_depthwise_in_float32


@pytest.mark.parametrize("arch", get_args(Arch))
def test_rearranged__network_computes_the_same_and_has_the_same_gradients(arch: Arch) -> None:
    torch.manual_seed(0)
    # Encoders of SMP's own, which pad by modules, and dilate for DeepLabV3+.
    config = model_settings(
        arch=arch, encoder_name="efficientnet-b0", encoder_weights="none", image_size=(64, 96)
    )
    network = build_network(config).network.double().eval()
    changed = copy.deepcopy(network)
    rearrange(changed)
    kinds = {type(module).__mro__[1].__name__ for module in changed.modules()}
    assert ("BySubgrids" in kinds) == (arch == "deeplabv3plus")
    assert ("_Added" in kinds) == (arch == "fpn")
    assert ("DoublingConvolution" in kinds) == (arch == "unet")
    assert ("Doubling" in kinds) == (arch == "fpn")
    assert "_Squeezing" in kinds
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    wanted, found = network(images), changed(images)
    torch.testing.assert_close(found, wanted)
    wanted.square().mean().backward()
    found.square().mean().backward()
    for (name, one), other in zip(network.named_parameters(), changed.parameters(), strict=True):
        if one.grad is not None:
            assert other.grad is not None, name
            torch.testing.assert_close(other.grad, one.grad)
    assert list(changed.state_dict()) == list(network.state_dict())


def _dilated(rate: int, *, padding: int, kernel: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 4, kernel, padding=padding, dilation=rate, groups=4))


@pytest.mark.parametrize(
    ("rate", "padding", "kernel", "size"),
    [
        (2, 2, 3, (8, 10)),
        (2, 4, 5, (12, 8)),
        (3, 3, 3, (9, 6)),
        (2, 0, 3, (8, 8)),
        (2, 2, 3, (7, 8)),
    ],
)
def test_subgrids__give_what_the_dilated_convolution_gives(
    rate: int, padding: int, kernel: int, size: tuple[int, int]
) -> None:
    plain, changed = (_dilated(rate, padding=padding, kernel=kernel) for _ in range(2))
    rearrange(changed)
    images = torch.rand(3, 4, *size)
    torch.testing.assert_close(changed(images), plain(images))
    assert changed(images[:0]).shape == plain(images[:0]).shape


def test_rearrange__leaves_what_it_cannot_do_exactly() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1, dilation=2, groups=4),  # pads by half a subgrid
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4, stride=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        MergeBlock("cat"),
    )
    before = [type(module) for module in network]
    rearrange(network)
    assert [type(module) for module in network] == before


def test_restore__gives_back_the_plain_network() -> None:
    network = nn.Sequential(_dilated(2, padding=4, kernel=5), MergeBlock("add"))
    before = [type(module) for module in network.modules()]
    rearrange(network)
    keep_depthwise_in_float32(network)
    twin = copy.deepcopy(network)
    once = [type(module) for module in twin.modules()]
    assert once != before
    rearrange(twin)
    keep_depthwise_in_float32(twin)
    assert [type(module) for module in twin.modules()] == once
    for one in (network, twin):
        restore(one)
        assert [type(module) for module in one.modules()] == before
