"""What a network weighs."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(network: nn.Module) -> int:
    """Number of parameters, trainable or not."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, image_size: tuple[int, int]) -> int:
    """Multiply-accumulates of one forward pass of one picture.

    PyTorch's counter sees convolutions and matrix products, which are all but a few per cent of
    the arithmetic. Only the forward pass is counted: backward, it counts depthwise convolutions
    many times over.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, *image_size, device=device))
    network.train(was_training)
    return int(counter.get_total_flops()) // 2
