"""Compute the same sums in an order that is faster; weights and their names stay.

`benchmarks/depthwise.py` and a profile of a training step say where the time goes: on CPUs (torch
2.15) in the backward pass of dilated depthwise convolutions, in enlarging feature maps before they
are convolved, in stacking what is only to be added up, in gradients of means that are written out,
and in padding that convolutions could do themselves.
"""

from __future__ import annotations

from typing import Any

import torch
from segmentation_models_pytorch.decoders.fpn.decoder import FPNBlock, MergeBlock
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from segmentation_models_pytorch.encoders._efficientnet import MBConvBlock
from torch import Tensor, nn
from torch.nn import functional

from humanseg.models.cpu.patching import Calling, stand_before
from humanseg.models.cpu.space_to_batch import BySubgrids, can_split
from humanseg.models.cpu.upsample2x import Doubling, DoublingConvolution, can_double


def rearrange(network: nn.Module) -> None:
    """Rearrange what is slow in a network that is to be trained on a CPU.

    Args:
        network: changed in place, see `stand_before`; padding stays inside for good.
    """
    for module in list(network.modules()):
        padding = getattr(module, "static_padding", None)
        if isinstance(module, nn.Conv2d) and isinstance(padding, nn.ZeroPad2d):
            _pad_inside(module, padding)
        if isinstance(module, MergeBlock) and module.policy == "add":
            stand_before(module, _Added)
        elif isinstance(module, UnetDecoderBlock) and can_double(module):
            stand_before(module, DoublingConvolution)
        elif isinstance(module, UnetDecoderBlock | FPNBlock):
            stand_before(module, Doubling)
        elif isinstance(module, MBConvBlock):
            stand_before(module, _Squeezing)
        elif isinstance(module, nn.Conv2d) and can_split(module):
            stand_before(module, BySubgrids)


def _pad_inside(convolution: nn.Conv2d, padding: nn.ZeroPad2d) -> None:
    """Have a convolution pad by itself where SMP pads alike on both sides before it."""
    left, right, top, bottom = padding.padding
    if (left, top) == (right, bottom) and convolution.padding == (0, 0):
        convolution.padding = (top, left)
        convolution.static_padding = nn.Identity()


class _Added:
    """Adds feature maps up one by one instead of copying them into one tensor first."""

    def forward(self, x: list[Tensor]) -> Tensor:
        total = x[0] + x[1] if len(x) > 1 else x[0]
        for one in x[2:]:
            total = total + one
        return total


class _Squeezing:
    """A block with squeeze and excitation; stands before its own class."""

    def forward(self, *inputs: Any, **named: Any) -> Tensor:  # noqa: ANN401  as the block has them
        with Calling(instead_of=functional.adaptive_avg_pool2d, function=_pool):
            result: Tensor = super().forward(*inputs, **named)  # type: ignore[misc]
        return result


def _pool(images: Tensor, size: Any, *args: Any, **named: Any) -> Tensor:  # noqa: ANN401
    """As `torch.nn.functional.adaptive_avg_pool2d`."""
    if size == 1:
        mean: Tensor = _Mean.apply(images)
        return mean
    return functional.adaptive_avg_pool2d(images, size, *args, **named)


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:  # noqa: ANN401  torch's own type
        ctx.shape = images.shape
        return images.mean((2, 3), keepdim=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        # Not written out: torch's own is, in NCHW, and slow to add to gradients in NHWC.
        height, width = ctx.shape[2:]
        mean: Tensor = gradients[0] / (height * width)
        return mean.expand(ctx.shape)
