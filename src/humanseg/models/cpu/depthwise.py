"""Depthwise convolutions whose backward pass is slow on CPUs: dilated ones, and in bf16 some more.

torch 2.15 has a slow backward kernel for dilated ones: 36 ms for a 5x5 one with dilation 2 (672
channels, 28x28, batch 16), where the same without dilation takes 17 ms at 24x24
(`benchmarks/depthwise.py`). They are computed on the subgrids that they consist of ("space to
batch").
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from humanseg.models.cpu.patching import mix_in


class SpaceToBatchConv:
    """A convolution with dilation d as one without on the d x d subgrids of its input.

    Each output pixel depends on one subgrid only (Yu and Koltun 2016; "space to batch" in
    TensorFlow). Stands before its own class.
    """

    def forward(self: Any, images: Tensor) -> Tensor:
        """As the convolution: (N, C, H, W) to the same shape."""
        rate = self.dilation[0]
        if images.shape[2] % rate or images.shape[3] % rate:
            result: Tensor = super().forward(images)  # type: ignore[misc]
            return result
        padding = [side // rate for side in self.padding]
        subgrids = functional.conv2d(
            _split(images, rate), self.weight, self.bias, 1, padding, 1, self.groups
        )
        return _join(subgrids, rate)


def split_dilated(network: nn.Module) -> None:
    """Have every dilated depthwise convolution that allows it compute on its subgrids.

    A float32 step takes 7 % less (DeepLabV3+).
    """
    mix_in(network, nn.Conv2d, SpaceToBatchConv, where=can_split)


def can_split(convolution: nn.Conv2d) -> bool:
    """Whether a convolution is dilated and depthwise, and pads by whole subgrids."""
    rate = convolution.dilation[0]
    return (
        convolution.groups == convolution.in_channels > 1
        and convolution.dilation == (rate, rate)
        and rate > 1
        and tuple(convolution.stride) == (1, 1)
        and convolution.padding_mode == "zeros"
        and tuple(convolution.padding) == tuple(rate * (k // 2) for k in convolution.kernel_size)
        and all(k % 2 == 1 for k in convolution.kernel_size)
    )


def _split(images: Tensor, rate: int) -> Tensor:
    """(N, C, H, W) to its subgrids, (N rate rate, C, H / rate, W / rate).

    Pixel (y, x) belongs to subgrid (y % rate, x % rate): height is cut into (rows, rate), width
    into (columns, rate), and both remainders move in front of rows and columns, beside the batch.
    Whole pixels move (NHWC), in one copy.
    """
    count, channels, height, width = images.shape
    rows, columns = height // rate, width // rate
    pixels = images.permute(0, 2, 3, 1).reshape(count, rows, rate, columns, rate, channels)
    grids = pixels.permute(0, 2, 4, 1, 3, 5).reshape(count * rate**2, rows, columns, channels)
    return grids.permute(0, 3, 1, 2)


def _join(parts: Tensor, rate: int) -> Tensor:
    """What `_split` took apart, (N, C, H, W)."""
    count, channels, rows, columns = parts.shape
    grids = parts.permute(0, 2, 3, 1).reshape(count // rate**2, rate, rate, rows, columns, channels)
    pixels = grids.permute(0, 3, 1, 4, 2, 5)
    whole = pixels.reshape(count // rate**2, rows * rate, columns * rate, channels)
    return whole.permute(0, 3, 1, 2)


class _InFloat32:
    """A convolution that leaves autocast; stands before its own class."""

    def forward(self: Any, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            result: Tensor = super().forward(images.float())  # type: ignore[misc]
        return result.to(images.dtype)


def keep_depthwise_in_float32(network: nn.Module) -> None:
    """Run strided, dilated and large depthwise convolutions in float32 under CPU autocast.

    Their bf16 backward pass has no fast kernel: 1.7 to 14 times the time of the float32 one (torch
    2.15; `benchmarks/depthwise.py` measures it, 134 instead of 23 ms for the first of
    EfficientNet-B0 at 320x320, batch 16). Plain 3x3 ones are faster in bf16 and stay. Weights,
    names and results without autocast are unchanged. A bf16 step takes 28 % less (U-Net).
    """
    mix_in(network, nn.Conv2d, _InFloat32, where=_is_slow)


def _is_slow(convolution: nn.Conv2d) -> bool:
    if convolution.groups == 1 or convolution.groups != convolution.in_channels:
        return False
    large = max(convolution.kernel_size) > 3
    return large or max(convolution.stride) > 1 or max(convolution.dilation) > 1
