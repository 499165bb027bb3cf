"""When a batch does not fit in memory, say which one does."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from humanseg.config.schema import TrainConfig
from humanseg.errors import OutOfMemory
from humanseg.models import SegmentationNetwork
from humanseg.training.collective import process_count
from humanseg.training.compute_mode import Mode, time_mode

_HOST = "DefaultCPUAllocator"  # how torch names itself when the host has no memory left
_STATE = 3  # copies of the parameters beside them: two of Adam's, one moving average


@contextmanager
def explaining_memory(
    network: SegmentationNetwork, config: TrainConfig, mode: Mode
) -> Iterator[None]:
    """Turn torch's lack of memory inside this block into a sentence with a batch size that fits.

    Args:
        network: what was to be trained; a copy of it is tried.
        config: with the batch size that was too large.
        mode: how it computes.

    Raises:
        OutOfMemory: memory ran out.
    """
    try:
        yield
        return
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if not isinstance(error, torch.OutOfMemoryError) and _HOST not in str(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold what filled the memory
    raise OutOfMemory(_sentence(network, config, mode))


def _sentence(network: SegmentationNetwork, config: TrainConfig, mode: Mode) -> str:
    height, width = config.model.image_size
    place = "this machine" if mode.device == "cpu" else "the GPU"
    begin = (
        f"training.batch_size: got {config.training.batch_size}; so many pictures of "
        f"{height}x{width} do not fit in the memory of {place}"
    )
    fitting = fitting_batch(network, config, mode)
    if fitting is None:
        return f"{begin}, nor does any smaller batch. Take a smaller model.image_size or encoder."
    return (
        f"{begin}, {fitting} do. Take --training.batch-size {fitting}, with a learning rate to go "
        "with it, or a smaller model.image_size."
    )


def fitting_batch(network: SegmentationNetwork, config: TrainConfig, mode: Mode) -> int | None:
    """The largest of half, a quarter, ... of the batch size with which steps run; None if none.

    Forward and backward of a copy are tried beside the optimiser's state. With several processes
    each tries its share.
    """
    size = config.training.batch_size // 2
    while size >= 2:
        _free()
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


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
