"""How a run computes: arithmetic and layout by timing a few steps, a batch that fits in memory."""

from __future__ import annotations

import copy
import gc
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import torch

from humanseg.config.schema import TrainConfig
from humanseg.models import SegmentationNetwork, build_network
from humanseg.models.cpu import optimise_for_cpu_training
from humanseg.system.errors import HumansegError, OutOfMemory, UsageError
from humanseg.training.distributed import process_count

Precision = Literal["fp32", "bf16"]
MemoryFormat = Literal["contiguous", "channels_last"]
_Pair = tuple[Precision, MemoryFormat]

_BATCH = 8
_STEPS = 2  # counted, after one that warms up
_HOST = "DefaultCPUAllocator"  # how torch names itself when the host has no memory left
_STATE = 3  # copies of the parameters beside them: two of Adam's, one moving average


@dataclass(frozen=True)
class ComputeMode:
    """How a run computes, and the seconds per picture of each mode that was tried."""

    device: str
    precision: Precision
    memory_format: MemoryFormat
    timings: dict[str, float] = field(default_factory=dict)

    def place(self, network: SegmentationNetwork) -> SegmentationNetwork:
        """Bring a network to the device in the chosen layout, ready for the chosen arithmetic."""
        if self.device == "cpu":
            optimise_for_cpu_training(network, bf16=self.precision == "bf16")
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


def choose_mode(network: SegmentationNetwork, config: TrainConfig) -> ComputeMode:
    """Settle device, precision and memory format; times only what is left open.

    The network's weights and statistics are untouched: a copy is timed.
    """
    device, candidates = resolve_device(config.training.device), _candidates(config)
    if len(candidates) == 1:
        return ComputeMode(device, *candidates[0])
    seconds = _time_each(network, config, candidates)
    best = min(seconds, key=lambda pair: seconds[pair])
    timings = {f"{pair[0]} {pair[1]}": round(value, 5) for pair, value in seconds.items()}
    return ComputeMode(device, *best, timings=timings)


def common_mode(configs: Iterable[TrainConfig]) -> _Pair | None:
    """The precision and memory format in which networks are the fastest together.

    That is the smallest product of their times; what the configurations leave open is timed. A
    network that cannot be timed has no say: its own run will tell why. None if none can.
    """
    products: dict[_Pair, float] = {}
    for config in configs:
        candidates = _candidates(config)
        if len(candidates) == 1:
            return candidates[0]
        try:
            network = build_network(config.model.model_copy(update={"encoder_weights": "none"}))
            seconds = _time_each(network, config, candidates)
        except (RuntimeError, HumansegError):
            continue
        products = {pair: products.get(pair, 1.0) * value for pair, value in seconds.items()}
    return min(products, key=lambda pair: products[pair]) if products else None


def _candidates(config: TrainConfig) -> list[_Pair]:
    precision, layout = config.training.precision, config.training.memory_format
    precisions: list[Precision] = ["fp32", "bf16"] if precision == "auto" else [precision]
    formats: list[MemoryFormat] = ["channels_last", "contiguous"] if layout == "auto" else [layout]
    return list(product(precisions, formats))


def _time_each(
    network: SegmentationNetwork, config: TrainConfig, candidates: Iterable[_Pair]
) -> dict[_Pair, float]:
    device, count = resolve_device(config.training.device), min(_BATCH, config.training.batch_size)
    shape = (count, *config.model.image_size, 3)
    return {pair: time_mode(network, ComputeMode(device, *pair), shape) for pair in candidates}


def time_mode(network: SegmentationNetwork, mode: ComputeMode, shape: tuple[int, ...]) -> float:
    """Seconds per picture of forward and backward of a copy, the best of the counted steps.

    The batch is of the shape (N, H, W, 3).
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


@contextmanager
def explaining_memory(
    network: SegmentationNetwork, config: TrainConfig, mode: ComputeMode
) -> Iterator[None]:
    """Turn torch's lack of memory inside this block into `OutOfMemory` with a batch that fits."""
    try:
        yield
        return
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if not isinstance(error, torch.OutOfMemoryError) and _HOST not in str(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold what filled the memory
    raise OutOfMemory(_sentence(network, config, mode))


def _sentence(network: SegmentationNetwork, config: TrainConfig, mode: ComputeMode) -> str:
    height, width = config.model.image_size
    owner = "this machine" if mode.device == "cpu" else "the GPU"
    begin = (
        f"training.batch_size: got {config.training.batch_size}; so many pictures of "
        f"{height}x{width} do not fit in the memory of {owner}"
    )
    fitting = fitting_batch(network, config, mode)
    if fitting is None:
        return f"{begin}, nor does any smaller batch. Take a smaller model.image_size or encoder."
    return (
        f"{begin}, {fitting} do. Take --training.batch-size {fitting}, with a learning rate to go "
        "with it, or a smaller model.image_size."
    )


def fitting_batch(
    network: SegmentationNetwork, config: TrainConfig, mode: ComputeMode
) -> int | None:
    """The largest of half, a quarter, ... of the batch size with which steps run; None if none.

    Forward and backward of a copy are tried beside the optimiser's state. With several processes
    each tries its share.
    """
    size = config.training.batch_size // 2
    while size >= 2:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        share = -(-size // process_count())
        try:
            state = [
                torch.zeros_like(parameter, device=mode.device)
                for parameter in network.parameters()
                for _ in range(_STATE)
            ]
            time_mode(network, mode, (max(2, share), *config.model.image_size, 3))
        except RuntimeError as error:
            traceback.clear_frames(error.__traceback__)
            size //= 2
            continue
        del state
        return size
    return None
