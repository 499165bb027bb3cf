"""Keep out of bf16 what bf16 makes slow on CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from humanseg.models.cpu.patching import mix_in
from humanseg.models.cpu.space_to_batch import SpaceToBatchConv


class _InFloat32:
    """A convolution that leaves autocast; stands before its own class."""

    def forward(self: Any, images: Tensor) -> Tensor:
        padding = getattr(self, "static_padding", None)
        with torch.autocast(images.device.type, enabled=False):
            if isinstance(padding, nn.ZeroPad2d):
                padded = _PaddedInFloat32.apply(images, padding.padding)
                result: Tensor = self._conv_forward(padded, self.weight, self.bias)
            elif isinstance(self, SpaceToBatchConv):
                result = self.convolve(images, torch.float32)
            else:
                result = super().forward(images.float())  # type: ignore[misc]
        return result.to(images.dtype)


class _PaddedInFloat32(torch.autograd.Function):
    """Pads with zeros and converts in one pass over the memory, as its backward pass does."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, padding: tuple[int, int, int, int]) -> Tensor:  # noqa: ANN401  torch's own type
        left, right, top, bottom = padding
        count, channels, height, width = images.shape
        rows, columns = slice(top, top + height), slice(left, left + width)
        ctx.inside, ctx.dtype, ctx.format = (rows, columns), images.dtype, _memory_format(images)
        padded = torch.empty(
            (count, channels, height + top + bottom, width + left + right),
            dtype=torch.float32,
            device=images.device,
            memory_format=ctx.format,
        )
        inside = padded[:, :, rows, columns]
        inside.copy_(images)
        for border in (
            padded[:, :, :top],
            padded[:, :, top + height :],
            padded[:, :, rows, :left],
            padded[:, :, rows, left + width :],
        ):
            border.zero_()
        return padded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        rows, columns = ctx.inside
        inside = gradients[0][:, :, rows, columns]
        return inside.to(ctx.dtype, memory_format=ctx.format), None


def _memory_format(images: Tensor) -> torch.memory_format:
    last = images.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def keep_depthwise_in_float32(network: nn.Module) -> None:
    """Run strided, dilated and large depthwise convolutions in float32 under CPU autocast.

    Their bf16 backward pass has no fast kernel: 1.7 to 14 times the time of the float32 one (torch
    2.15; `benchmarks/depthwise.py` measures it, 134 instead of 23 ms for the first of
    EfficientNet-B0 at 320x320, batch 16). Plain 3x3 ones are faster in bf16 and stay. Weights,
    names and results without autocast are unchanged.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_slow(module):
            mix_in(module, _InFloat32)


def _is_slow(convolution: nn.Conv2d) -> bool:
    if convolution.groups == 1 or convolution.groups != convolution.in_channels:
        return False
    large = max(convolution.kernel_size) > 3
    return large or max(convolution.stride) > 1 or max(convolution.dilation) > 1
