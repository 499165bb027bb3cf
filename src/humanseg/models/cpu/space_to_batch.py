"""Dilated depthwise convolutions on the subgrids that they consist of ("space to batch").

torch 2.15 has a slow backward kernel for them: 36 ms for a 5x5 one with dilation 2 (672 channels,
28x28, batch 16), where the same without dilation takes 17 ms at 24x24 (`benchmarks/depthwise.py`).
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
        return self.convolve(images, images.dtype)  # type: ignore[no-any-return]

    def convolve(self: Any, images: Tensor, dtype: torch.dtype) -> Tensor:
        """Compute (N, C, H, W) in a dtype, if autocast chooses no other; gives that of `images`."""
        rate = self.dilation[0]
        if images.shape[2] % rate or images.shape[3] % rate:
            result: Tensor = super().forward(images.to(dtype))  # type: ignore[misc]
            return result.to(images.dtype)
        padding = [side // rate for side in self.padding]
        subgrids = functional.conv2d(
            _Split.apply(images, rate, dtype), self.weight, self.bias, 1, padding, 1, self.groups
        )
        joined: Tensor = _Join.apply(subgrids, rate, images.dtype)
        return joined


def split_dilated(network: nn.Module) -> None:
    """Have every dilated depthwise convolution that allows it compute on its subgrids."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and can_split(module):
            mix_in(module, SpaceToBatchConv)


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


class _Split(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, rate: int, dtype: torch.dtype) -> Tensor:  # noqa: ANN401  torch's own type
        ctx.rate, ctx.dtype = rate, images.dtype
        return _split(images, rate, dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _join(gradients[0], ctx.rate, ctx.dtype), None, None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parts: Tensor, rate: int, dtype: torch.dtype) -> Tensor:  # noqa: ANN401
        ctx.rate, ctx.dtype = rate, parts.dtype
        return _join(parts, rate, dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _split(gradients[0], ctx.rate, ctx.dtype), None, None


# Both go once over the memory, whole pixels at a time (NHWC), and convert on the way.


def _split(images: Tensor, rate: int, dtype: torch.dtype) -> Tensor:
    """(N, C, H, W) to its subgrids, (N rate rate, C, H / rate, W / rate).

    Pixel (y, x) belongs to subgrid (y % rate, x % rate): height is cut into (rows, rate), width
    into (columns, rate), and both remainders move in front of rows and columns, beside the batch.
    """
    count, channels, height, width = images.shape
    rows, columns = height // rate, width // rate
    pixels = images.permute(0, 2, 3, 1)
    grids = pixels.reshape(count, rows, rate, columns, rate, channels).permute(0, 2, 4, 1, 3, 5)
    parts = torch.empty(grids.shape, dtype=dtype, device=images.device).copy_(grids)
    return parts.view(-1, rows, columns, channels).permute(0, 3, 1, 2)


def _join(parts: Tensor, rate: int, dtype: torch.dtype) -> Tensor:
    """What `_split` took apart, (N, C, H, W)."""
    _, channels, rows, columns = parts.shape
    grids = parts.permute(0, 2, 3, 1).reshape(-1, rate, rate, rows, columns, channels)
    shape = (len(grids), rows, rate, columns, rate, channels)
    pixels = torch.empty(shape, dtype=dtype, device=parts.device)
    pixels.permute(0, 2, 4, 1, 3, 5).copy_(grids)
    whole = pixels.view(len(grids), rows * rate, columns * rate, channels)
    return whole.permute(0, 3, 1, 2)
