"""A moving average of a network's weights that never makes the host wait for a GPU."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialMovingAverage(nn.Module):
    """A second network whose weights and statistics follow those of the first.

    torch's `AveragedModel` asks its own counter, a tensor on the device, before every update.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, decay: float) -> None:
        """Move: average = decay * average + (1 - decay) * network; counters are copied."""
        averaged, current = _tensors(self.module), _tensors(network)
        floating = [
            (old, new)
            for old, new in zip(averaged, current, strict=True)
            if old.is_floating_point()
        ]
        if floating:
            get_ema_multi_avg_fn(decay)(*map(list, zip(*floating, strict=True)), 0)
        for old, new in zip(averaged, current, strict=True):
            if not old.is_floating_point():
                old.copy_(new)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*network.parameters(), *network.buffers())]
