"""Keep out of bf16 what bf16 makes slow on CPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from humanseg.models.swaps import stand_before


class _InFloat32:
    """A convolution that leaves autocast; stands before its own class."""

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            result: Tensor = super().forward(images.float())  # type: ignore[misc]
        return result.to(images.dtype)


def keep_depthwise_in_float32(network: nn.Module) -> list[str]:
    """Run strided, dilated and large depthwise convolutions in float32 under CPU autocast.

    Their bf16 backward pass has no fast kernel (torch 2.15; `benchmarks/depthwise.py` measures it).
    Plain 3x3 ones are faster in bf16 and stay. Weights, names and results without autocast are
    unchanged.

    Args:
        network: changed in place; copies of it are changed too.

    Returns:
        Names of the convolutions.
    """
    changed = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and _is_slow(module):
            stand_before(module, _InFloat32)
            changed.append(name)
    return changed


def _is_slow(convolution: nn.Conv2d) -> bool:
    if convolution.groups == 1 or convolution.groups != convolution.in_channels:
        return False
    large = max(convolution.kernel_size) > 3
    return large or max(convolution.stride) > 1 or max(convolution.dilation) > 1
