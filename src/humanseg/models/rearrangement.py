"""Compute the same sums in an order that is faster; weights and their names stay.

`benchmarks/depthwise.py` and a profile of a training step say where the time goes: on CPUs (torch
2.15) in the backward pass of dilated depthwise convolutions and of enlarging by nearest neighbours,
in stacking what is only to be added up, and in padding that convolutions could do themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from segmentation_models_pytorch.decoders.fpn.decoder import FPNBlock, MergeBlock
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from humanseg.models.swaps import stand_before


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
        elif isinstance(module, UnetDecoderBlock | FPNBlock):
            stand_before(module, _Doubling)
        elif isinstance(module, nn.Conv2d) and _is_dilated_depthwise(module):
            stand_before(module, _BySubgrids)


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


class _Doubling:
    """A decoder's block that doubles its feature map by `_Doubled`."""

    def forward(self, *inputs: Any, **named: Any) -> Tensor:  # noqa: ANN401  as the block has them
        with _CatchDoubling():
            result: Tensor = super().forward(*inputs, **named)  # type: ignore[misc]
        return result


class _CatchDoubling(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401  torch's own types
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        if func is functional.interpolate and _doubles(*args, **(kwargs or {})):
            return _Doubled.apply(args[0])
        return func(*args, **(kwargs or {}))


def _doubles(
    images: Tensor,
    size: Sequence[int] | int | None = None,
    scale_factor: float | None = None,
    mode: str = "nearest",
    **others: object,
) -> bool:
    """Whether arguments of `torch.nn.functional.interpolate` ask for twice the size, nearest."""
    twice = (2 * images.shape[2], 2 * images.shape[3])
    by_size = isinstance(size, Sequence) and tuple(size) == twice
    return mode == "nearest" and (by_size or scale_factor == 2) and not any(others.values())


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:  # noqa: ANN401  torch's own type
        return functional.interpolate(images, scale_factor=2, mode="nearest")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        # The sum of the four pixels that came of each; pooling is several times faster.
        return functional.avg_pool2d(gradients[0], 2, divisor_override=1)


def _is_dilated_depthwise(convolution: nn.Conv2d) -> bool:
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


class _BySubgrids:
    """A convolution with dilation d as one without on the d x d subgrids of its input.

    Each output pixel depends on one subgrid only (Yu and Koltun 2016; "space to batch" in
    TensorFlow). Stands before its own class.
    """

    def forward(self: Any, images: Tensor) -> Tensor:
        rate = self.dilation[0]
        count, channels, height, width = images.shape
        if height % rate or width % rate:
            result: Tensor = super().forward(images)  # type: ignore[misc]
            return result
        rows, columns = height // rate, width // rate
        # NHWC in memory: whole pixels are copied at a time.
        parts = images.permute(0, 2, 3, 1).reshape(count, rows, rate, columns, rate, channels)
        parts = parts.permute(0, 2, 4, 1, 3, 5).reshape(-1, rows, columns, channels)
        padding = [side // rate for side in self.padding]
        found = functional.conv2d(
            parts.permute(0, 3, 1, 2), self.weight, self.bias, 1, padding, 1, self.groups
        )
        found = found.permute(0, 2, 3, 1).reshape(count, rate, rate, rows, columns, channels)
        found = found.permute(0, 3, 1, 4, 2, 5).reshape(count, height, width, channels)
        return found.permute(0, 3, 1, 2)
