"""Keep out of bf16 what bf16 makes slow on CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from humanseg.models.cpu.patching import mix_in


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
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_slow(module):
            mix_in(module, _InFloat32)


def _is_slow(convolution: nn.Conv2d) -> bool:
    if convolution.groups == 1 or convolution.groups != convolution.in_channels:
        return False
    large = max(convolution.kernel_size) > 3
    return large or max(convolution.stride) > 1 or max(convolution.dilation) > 1
