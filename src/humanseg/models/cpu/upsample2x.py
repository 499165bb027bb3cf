"""Enlarge feature maps twice in decoders, in ways that are faster on CPUs than enlarging first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from humanseg.models.cpu.patching import check_arguments, mix_in


def double_in_convolutions(network: nn.Module) -> None:
    """Have blocks of U-Net's decoder double their feature map inside their first convolution.

    16 products per output where there were 36, and no enlarged map to be written and read: 10 % of
    a step.
    """
    from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock

    names = ("feature_map", "target_height", "target_width", "skip_connection")
    check_arguments(UnetDecoderBlock.forward, *names)
    mix_in(network, UnetDecoderBlock, DoublingConvolution, where=can_double)


def double_quickly(network: nn.Module) -> None:
    """Give other blocks that double a feature map a backward pass several times as fast.

    A step takes 4 % less (FPN).
    """
    from segmentation_models_pytorch.decoders.fpn.decoder import FPNBlock
    from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock

    def enlarges(block: nn.Module) -> bool:
        return not isinstance(block, DoublingConvolution)

    mix_in(network, UnetDecoderBlock | FPNBlock, Doubling, where=enlarges)


class Doubling:
    """A decoder's block that doubles its feature map, with a faster backward pass.

    Stands before its own class.
    """

    def forward(self, *inputs: Any, **named: Any) -> Tensor:  # noqa: ANN401  as the block has them
        """As the block."""
        with _EnlargingQuickly():
            result: Tensor = super().forward(*inputs, **named)  # type: ignore[misc]
        return result


class _EnlargingQuickly(TorchFunctionMode):
    """Inside this block, interpolation that doubles goes to `_Doubled`."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401  torch's own types
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        named = kwargs or {}
        if func is functional.interpolate and _doubles(*args, **named):
            return _Doubled.apply(args[0])
        return func(*args, **named)


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


class DoublingConvolution:
    """A U-Net decoder's block whose first convolution does the doubling.

    Stands before its own class.
    """

    def forward(
        self: Any,
        feature_map: Tensor,
        target_height: int,
        target_width: int,
        skip_connection: Tensor | None = None,
    ) -> Tensor:
        """As the block: (N, C, H, W) and perhaps what is stacked behind, to (N, O, 2 H, 2 W)."""
        twice = (2 * feature_map.shape[2], 2 * feature_map.shape[3])
        if (target_height, target_width) != twice:
            result: Tensor = super().forward(  # type: ignore[misc]
                feature_map, target_height, target_width, skip_connection
            )
            return result
        convolution, *others = self.conv1
        maps = doubled_convolution(feature_map, skip_connection, convolution.weight)
        if convolution.bias is not None:
            maps = maps + convolution.bias[:, None, None]
        for layer in others:
            maps = layer(maps)
        enlarged: Tensor = self.attention2(self.conv2(maps))
        return enlarged


def can_double(block: Any) -> bool:  # noqa: ANN401  SMP has no types
    """Whether a U-Net decoder's block does what `DoublingConvolution` does."""
    convolution = block.conv1[0]
    plain = (
        convolution.kernel_size == (3, 3)
        and convolution.stride == convolution.dilation == (1, 1)
        and convolution.padding in ((1, 1), "same")
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
    )
    between = block.attention1.attention
    callables = callable(block.conv2) and callable(block.attention2)  # AttributeError without them
    nearest = block.interpolation_mode == "nearest"
    return plain and nearest and callables and isinstance(between, nn.Identity)


def doubled_convolution(images: Tensor, skip: Tensor | None, weight: Tensor) -> Tensor:
    """A 3x3 convolution of feature maps that are doubled and then stacked with others.

    Doubling by nearest neighbours and a 3x3 convolution are together one transposed convolution
    with a 4x4 kernel, for 16 products where there were 36 (each pair of taps that falls on one
    pixel is added first; Odena et al. 2016, "Deconvolution and checkerboard artifacts", describe
    the pair). A convolution of stacked maps is the sum of their convolutions.

    Args:
        images: (N, C, H, W).
        skip: (N, S, 2 H, 2 W), stacked behind the doubled images; or nothing.
        weight: (O, C + S, 3, 3) of the convolution, with a padding of 1.

    Returns:
        (N, O, 2 H, 2 W), as the plain way gives up to rounding.
    """
    # Doubling puts each pixel on a 2x2 square, so each tap reaches four outputs: a 4x4 kernel, the
    # 3x3 one added to itself shifted by a row, a column, and both. Transposed convolution scatters
    # where convolution gathers, hence the flip.
    channels = images.shape[1]
    kernel = weight[:, :channels].flip(2, 3)
    kernel = functional.pad(kernel, (0, 1)) + functional.pad(kernel, (1, 0))
    kernel = functional.pad(kernel, (0, 0, 0, 1)) + functional.pad(kernel, (0, 0, 1, 0))
    doubled = functional.conv_transpose2d(images, kernel.transpose(0, 1), stride=2, padding=1)
    if skip is not None:
        doubled = doubled + functional.conv2d(skip, weight[:, channels:], padding=1)
    return doubled
