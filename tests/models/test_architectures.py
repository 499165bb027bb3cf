"""What holds for every architecture of the table, on small encoders with random weights."""

from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch

from humanseg.config.architectures import AnyModel, Arch, model_settings, output_stride
from humanseg.models import SegmentationNetwork, build_network
from humanseg.models.cpu import optimise_for_cpu_training
from humanseg.system.errors import UsageError

pytestmark = pytest.mark.contract
# PAN halves features of stride 16 three times; a vision transformer takes its own size.
SIZES = {"pan": (128, 160), "dpt": (160, 160)}


@pytest.fixture(params=get_args(Arch))
def config(request: pytest.FixtureRequest) -> AnyModel:
    arch: Arch = request.param
    encoder = "tu-test_vit" if arch == "dpt" else "tu-test_efficientnet"
    size = SIZES.get(arch, (64, 96))
    return model_settings(arch, encoder_name=encoder, encoder_weights="none", image_size=size)


@pytest.fixture
def network(config: AnyModel) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_network(config).eval()


def images(config: AnyModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (2, 3, *config.image_size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def test_network__has_one_logit_per_pixel_of_the_grid_that_the_table_names(
    config: AnyModel, network: SegmentationNetwork
) -> None:
    shapes: list[tuple[int, ...]] = []
    head = network.network.get_submodule("segmentation_head")
    last = [module for module in head.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    last.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[2:])))
    assert network(images(config)).shape == (2, 1, *config.image_size)
    assert shapes == [tuple(side // output_stride(config) for side in config.image_size)]


def test_network__is_the_same_on_cpus(config: AnyModel, network: SegmentationNetwork) -> None:
    logits = network(images(config))
    rearranged = copy.deepcopy(network)
    optimise_for_cpu_training(rearranged)
    torch.testing.assert_close(rearranged(images(config)), logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("arch", "encoder", "size", "sentence"),
    [
        (
            "dpt",
            "tu-vit_tiny_patch16_224",
            (320, 320),
            "model.image_size: got 320 320, but the encoder tu-vit_tiny_patch16_224 takes 224 224 "
            "only. Set model.image_size to that, or take another encoder, such as "
            "tu-vit_small_patch16_224.",
        ),
        (
            "deeplabv3plus",
            "densenet121",
            (64, 64),
            "model.encoder_name: densenet121 cannot be the encoder of deeplabv3plus (DenseNet "
            "encoders do not support dilated mode due to pooling operation for downsampling!). "
            "deeplabv3plus takes encoders that can be dilated, so neither VGG, DenseNet nor plain "
            "transformers: take another encoder, or another model.arch.",
        ),
        (
            "unet",
            "tu-test_vit",
            (160, 160),
            "model.encoder_name: tu-test_vit cannot be the encoder of unet (Unsupported model "
            "downsampling pattern). unet takes encoders with features at strides 2 to 32, no plain "
            "transformers: take another encoder, or another model.arch.",
        ),
    ],
)
def test_network__that_does_not_fit_is_one_sentence(
    arch: Arch, encoder: str, size: tuple[int, int], sentence: str
) -> None:
    config = model_settings(arch, encoder_name=encoder, encoder_weights="none", image_size=size)
    with pytest.raises(UsageError) as caught:
        build_network(config)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("seed", range(5))
def test_manet__starts_with_gates_that_learn(seed: int) -> None:
    config = model_settings(
        "manet", encoder_name="tu-test_efficientnet", encoder_weights="none", image_size=(64, 96)
    )
    torch.manual_seed(seed)
    network = build_network(config)
    network(images(config)).square().mean().backward()
    trained = [(name, p.grad) for name, p in network.named_parameters() if p.requires_grad]
    assert [name for name, gradient in trained if gradient is None or not gradient.any()] == []
