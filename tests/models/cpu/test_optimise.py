from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch
from segmentation_models_pytorch.decoders.fpn.decoder import MergeBlock
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from torch import nn

from humanseg.config.architectures import Arch, model_settings
from humanseg.models import build_network, cpu
from humanseg.models.cpu import optimise_for_cpu_training, restore

pytestmark = pytest.mark.contract


@pytest.mark.parametrize("arch", get_args(Arch))
def test_optimised__network_computes_the_same_and_has_the_same_gradients(arch: Arch) -> None:
    torch.manual_seed(0)
    # Encoders of SMP's own, which pad by modules, and dilate for DeepLabV3 and PAN. DPT takes none.
    own_encoder = arch != "dpt"
    size = {"pan": (128, 160), "dpt": (224, 224)}.get(arch, (64, 96))
    encoder = "efficientnet-b0" if own_encoder else "tu-vit_tiny_patch16_224"
    config = model_settings(
        arch=arch, encoder_name=encoder, encoder_weights="none", image_size=size
    )
    network = build_network(config).network.double().eval()
    changed = copy.deepcopy(network)
    optimise_for_cpu_training(changed)
    kinds = {type(module).__mro__[1].__name__ for module in changed.modules()}
    assert ("SpaceToBatchConv" in kinds) == (arch in ("deeplabv3", "deeplabv3plus", "pan"))
    assert ("_Added" in kinds) == (arch == "fpn")
    assert ("DoublingConvolution" in kinds) == (arch == "unet")
    assert ("Doubling" in kinds) == (arch == "fpn")
    images = torch.randn(2, 3, *size, dtype=torch.float64)
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
    optimise_for_cpu_training(changed)
    images = torch.rand(3, 4, *size)
    torch.testing.assert_close(changed(images), plain(images))
    assert changed(images[:0]).shape == plain(images[:0]).shape


def test_optimised__leaves_what_it_cannot_do_exactly() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1, dilation=2, groups=4),  # pads by half a subgrid
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4, stride=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        MergeBlock("cat"),
    )
    before = [type(module) for module in network]
    optimise_for_cpu_training(network)
    assert [type(module) for module in network] == before


def test_restore__gives_back_the_plain_network() -> None:
    network = nn.Sequential(_dilated(2, padding=4, kernel=5), MergeBlock("add"))
    before = [type(module) for module in network.modules()]
    optimise_for_cpu_training(network, bf16=True)
    twin = copy.deepcopy(network)
    once = [type(module) for module in twin.modules()]
    assert once != before
    optimise_for_cpu_training(twin, bf16=True)
    assert [type(module) for module in twin.modules()] == once
    for one in (network, twin):
        restore(one)
        assert [type(module) for module in one.modules()] == before


class TestChangedLibrary:
    """What is hooked has moved or changed: no trick, a note, and the same results."""

    @pytest.fixture(autouse=True)
    def anew(self) -> None:
        cpu._note_once.cache_clear()

    @pytest.mark.parametrize(
        ("path", "trick"),
        [
            ("encoders._efficientnet.Conv2dStaticSamePadding", "padding inside convolutions"),
            ("decoders.fpn.decoder.MergeBlock", "adding up feature maps one by one"),
            ("decoders.fpn.decoder.FPNBlock", "doubling feature maps quickly"),
        ],
    )
    def test_class_that_has_moved__is_left_alone_with_a_note(
        self,
        path: str,
        trick: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        network = nn.Sequential(MergeBlock("add"), UnetDecoderBlock(4, 2, 3))
        monkeypatch.delattr(f"segmentation_models_pytorch.{path}")
        for _ in range(2):
            optimise_for_cpu_training(network)
        (record,) = caplog.records
        assert f"slower than it could be: {trick} does not fit" in record.getMessage()
        assert "DoublingConvolution" in _kinds(network[1])  # the other tricks are used

    def test_attribute_that_was_renamed__leaves_the_block_as_it_is(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        block = UnetDecoderBlock(4, 2, 3)
        block.second = block.conv2
        del block.conv2
        optimise_for_cpu_training(block)
        assert "DoublingConvolution" not in _kinds(block)
        assert "doubling inside the U-Net's convolutions does not fit" in caplog.text

    def test_other_arguments__leave_the_block_as_it_is(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(UnetDecoderBlock, "forward", lambda self, feature_map, size: None)
        block = UnetDecoderBlock(4, 2, 3)
        optimise_for_cpu_training(block)
        assert "DoublingConvolution" not in _kinds(block)
        assert "takes feature_map, size, not feature_map, target_height" in caplog.text


def _kinds(module: nn.Module) -> list[str]:
    return [kind.__name__ for kind in type(module).__mro__]
