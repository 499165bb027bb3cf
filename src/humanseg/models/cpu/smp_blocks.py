"""Padding, sums and means of segmentation-models-pytorch's blocks with fewer passes over memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from humanseg.models.cpu.patching import RedirectFunction, check_arguments, mix_in


def pad_inside(network: nn.Module) -> None:
    """Have convolutions of EfficientNets pad by themselves where SMP pads before them.

    Saves a copy of the feature map per convolution. Only where both sides are padded alike; stays
    for good, as the results are the same to the last bit.
    """
    from segmentation_models_pytorch.encoders._efficientnet import Conv2dStaticSamePadding

    for module in network.modules():
        if isinstance(module, Conv2dStaticSamePadding) and isinstance(
            module.static_padding, nn.ZeroPad2d
        ):
            left, right, top, bottom = module.static_padding.padding
            if (left, top) == (right, bottom) and module.padding == (0, 0):
                module.padding = (top, left)
                module.static_padding = nn.Identity()


def add_one_by_one(network: nn.Module) -> None:
    """Have FPN's merging add feature maps up instead of copying all into one tensor first.

    `torch.stack(maps).sum(0)` writes and reads every map once more than their sum needs.
    """
    from segmentation_models_pytorch.decoders.fpn.decoder import MergeBlock

    check_arguments(MergeBlock.forward, "x")
    for module in network.modules():
        if isinstance(module, MergeBlock) and module.policy == "add":
            mix_in(module, _Added)


def average_without_copies(network: nn.Module) -> None:
    """Have squeeze and excitation hand the gradient of its mean on without writing it out.

    torch writes it out in NCHW, which is slow to add to the other gradient in NHWC.
    """
    from segmentation_models_pytorch.encoders._efficientnet import MBConvBlock

    for module in network.modules():
        if isinstance(module, MBConvBlock):
            mix_in(module, _Squeezing)


class _Added:
    """Adds feature maps up, all (N, C, H, W); stands before `MergeBlock`."""

    def forward(self, x: list[Tensor]) -> Tensor:
        total = x[0] + x[1] if len(x) > 1 else x[0]
        for maps in x[2:]:
            total = total + maps
        return total


class _Squeezing:
    """A block with squeeze and excitation; stands before its own class."""

    def forward(self, *inputs: Any, **named: Any) -> Tensor:  # noqa: ANN401  as the block has them
        with RedirectFunction(functional.adaptive_avg_pool2d, _pool):
            result: Tensor = super().forward(*inputs, **named)  # type: ignore[misc]
        return result


def _pool(images: Tensor, size: Any, *args: Any, **named: Any) -> Tensor:  # noqa: ANN401
    """As `torch.nn.functional.adaptive_avg_pool2d`."""
    if size == 1:
        mean: Tensor = _Mean.apply(images)
        return mean
    return functional.adaptive_avg_pool2d(images, size, *args, **named)


class _Mean(torch.autograd.Function):
    """(N, C, H, W) to (N, C, 1, 1)."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:  # noqa: ANN401  torch's own type
        ctx.shape = images.shape
        return images.mean((2, 3), keepdim=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        # Every pixel gets the same share. An expanded view, not a tensor that is written out.
        height, width = ctx.shape[2:]
        mean: Tensor = gradients[0] / (height * width)
        return mean.expand(ctx.shape)
