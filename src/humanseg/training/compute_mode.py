"""Choose arithmetic and memory layout by timing a few steps, not by guessing from the machine."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch

from humanseg.config.schema import TrainConfig
from humanseg.errors import UsageError
from humanseg.models import SegmentationNetwork
from humanseg.models.cpu.cpu_training import rearrange
from humanseg.models.cpu.precision import keep_depthwise_in_float32

Precision = Literal["fp32", "bf16"]
MemoryFormat = Literal["contiguous", "channels_last"]

_BATCH = 8
_STEPS = 2  # counted, after one that warms up


@dataclass(frozen=True)
class Mode:
    """How a run computes, and the seconds per picture of each mode that was tried."""

    device: str
    precision: Precision
    memory_format: MemoryFormat
    timings: dict[str, float]

    def place(self, network: SegmentationNetwork) -> SegmentationNetwork:
        """Bring a network to the device in the chosen layout, ready for the chosen arithmetic."""
        if self.device == "cpu":
            rearrange(network)
            if self.precision == "bf16":
                keep_depthwise_in_float32(network)
        network.memory_format = _TORCH_FORMATS[self.memory_format]
        network.to(self.device, memory_format=network.memory_format)  # type: ignore[call-overload]
        return network


_TORCH_FORMATS = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}


def resolve_device(wanted: str) -> str:
    """`auto` to what there is.

    Raises:
        UsageError: CUDA was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "training.device: got cuda, but PyTorch sees no CUDA device here; use cpu or auto."
        )
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def choose_mode(network: SegmentationNetwork, config: TrainConfig) -> Mode:
    """Settle device, precision and memory format; times only what is left open.

    The network's weights and statistics are untouched: a copy is timed.
    """
    training = config.training
    device = resolve_device(training.device)
    precisions: list[Precision] = (
        ["fp32", "bf16"] if training.precision == "auto" else [training.precision]
    )
    formats: list[MemoryFormat] = (
        ["channels_last", "contiguous"]
        if training.memory_format == "auto"
        else [training.memory_format]
    )
    candidates = list(product(precisions, formats))
    if len(candidates) == 1:
        return Mode(device, *candidates[0], timings={})
    count = min(_BATCH, training.batch_size)
    shape = (count, *config.model.image_size, 3)
    seconds = {pair: time_mode(network, Mode(device, *pair, {}), shape) for pair in candidates}
    best = min(seconds, key=lambda pair: seconds[pair])
    timings = {f"{pair[0]} {pair[1]}": round(value, 5) for pair, value in seconds.items()}
    return Mode(device, *best, timings=timings)


def time_mode(network: SegmentationNetwork, mode: Mode, shape: tuple[int, ...]) -> float:
    """Seconds per picture of forward and backward of a copy, the best of the counted steps.

    Args:
        network: what to time; untouched.
        mode: how it computes.
        shape: (N, H, W, 3) of the batch.
    """
    trial = mode.place(copy.deepcopy(network)).train()
    images = torch.randint(0, 256, shape, dtype=torch.uint8, device=mode.device)
    batch = images.permute(0, 3, 1, 2)
    best = float("inf")
    for step in range(1 + _STEPS):
        _wait(mode.device)
        start = time.perf_counter()
        kind = mode.device.split(":")[0]
        with torch.autocast(kind, torch.bfloat16, enabled=mode.precision == "bf16"):
            logits = trial(batch)
        logits.float().square().mean().backward()
        _wait(mode.device)
        if step > 0:
            best = min(best, time.perf_counter() - start)
    return best / shape[0]


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
