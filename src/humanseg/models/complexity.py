"""What a network weighs."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from humanseg.inference.engines.engine import Engine

_WARM_UP, _TIMED = 3, 10


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


def measure_latency(engine: Engine) -> float:
    """Seconds from one picture on the grid to its probabilities on the CPU: median of ten calls."""
    image = np.zeros((1, *engine.image_size, 3), dtype=np.uint8)
    times = []
    for _ in range(_WARM_UP + _TIMED):
        began = time.perf_counter()
        engine(image)
        times.append(time.perf_counter() - began)
    return statistics.median(times[_WARM_UP:])
