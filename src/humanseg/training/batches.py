"""Training pictures on the network's grid, as uint8, in seeded batches that are read ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humanseg.config.schema import TrainConfig
from humanseg.data.resized import ResizedImages
from humanseg.system.errors import DataError, UsageError
from humanseg.system.threads import ordered_map
from humanseg.training.distributed import SINGLE_PROCESS, Processes

_DEVICE_SHARE = 0.5  # of a GPU's free memory that pictures may take; the rest is for training
_CHUNK = 256  # pictures that are looked at or moved together
_AHEAD = 2  # batches


class Batch(TypedDict):
    """What one training or validation step gets."""

    image: Tensor
    """uint8 (N, 3, H, W) RGB, 0 to 255."""
    mask: Tensor
    """bool (N, 1, H, W), True where there is a person; (N, 2, H, W) where pixels are ignored, which
    the second channel marks."""
    ids: list[str]
    """The samples' names, for error messages."""
    shard: tuple[int, int]
    """(first, all): these are the pictures from `first` of a batch of `all` over all processes."""


Source = Callable[[Sequence[int]], tuple[Tensor, Tensor]]
"""Gives images and masks of rows of the resized images, as in `Batch`."""


class DeviceSource:
    """Pictures that were brought to the training device once; a batch is an index into them."""

    def __init__(self, resized: ResizedImages, rows: Sequence[int], device: torch.device) -> None:
        """Bring `rows` of `resized` to `device`."""
        self._device = device
        self._index = {row: index for index, row in enumerate(dict.fromkeys(rows))}
        height, width = resized.size
        # NHWC memory seen as NCHW is what channels_last networks want.
        pixels = torch.empty((len(self._index), height, width, 3), dtype=torch.uint8, device=device)
        self._images = pixels.permute(0, 3, 1, 2)
        channels = 2 if resized.ignoring else 1
        self._masks = torch.empty(
            (len(self._index), channels, height, width), dtype=torch.bool, device=device
        )
        unique = list(self._index)
        for start in range(0, len(unique), _CHUNK):
            images, masks = from_host(resized, unique[start : start + _CHUNK])
            self._images[start : start + _CHUNK] = images.to(device)
            self._masks[start : start + _CHUNK] = masks.to(device)

    def __call__(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See `Source`."""
        indices = torch.tensor([self._index[row] for row in rows], dtype=torch.long)
        indices = indices.to(self._device, non_blocking=True)
        return self._images[indices], self._masks[indices]


def from_host(
    resized: ResizedImages, rows: Sequence[int], *, pinned: bool = False
) -> tuple[Tensor, Tensor]:
    """Pictures from memory or disk; pinned where a GPU is to fetch them."""
    images, masks, ignored = resized.get(rows)
    planes = masks[:, None] if ignored is None else np.stack([masks, ignored], axis=1)
    pair = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(planes)
    return (pair[0].pin_memory(), pair[1].pin_memory()) if pinned else pair


class Batches:
    """Batches of some resized images, the next ones being read while one is worked on.

    The order is that of all processes together: each takes its share of every batch, so that their
    number changes neither what is in a batch nor how many there are. It is a new one every epoch
    and depends on seed and epoch alone, so a resumed run repeats it.
    """

    batch_sampler = None
    """Lightning asks for it wherever there is a sampler."""

    def __init__(
        self,
        source: Source,
        rows: Sequence[int],
        ids: Sequence[str],
        *,
        batch_size: int,
        seed: int | None,
        processes: Processes = SINGLE_PROCESS,
        smallest: int = 1,
    ) -> None:
        """Describe batches of these rows of the resized images, repetitions included.

        `batch_size` counts the pictures of all processes; without a `seed` the order stays. A last
        batch of fewer than `smallest` images is left out.
        """
        self._source = source
        self._rows = list(rows)
        self._ids = ids
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._processes = processes
        last = len(self._rows) % batch_size
        self._used = len(self._rows) - (last if last < smallest else 0)

    @property
    def sampler(self) -> Batches:
        """What Lightning tells every epoch to."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before every epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._used // self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(len(self._rows))
        if self._seed is not None:
            order = np.random.default_rng((self._seed, self._epoch)).permutation(order)
        used = order[: self._used].tolist()
        starts = range(0, len(used), self._batch_size)
        batches = (used[start : start + self._batch_size] for start in starts)
        yield from ordered_map(self._read, batches, threads=1, depth=_AHEAD + 1)

    def _read(self, chosen: list[int]) -> Batch:
        own = self._processes.share(len(chosen))
        rows = [self._rows[position] for position in chosen[own]]
        images, masks = self._source(rows)
        return Batch(
            image=images,
            mask=masks,
            ids=[self._ids[row] for row in rows],
            shard=(own.start, len(chosen)),
        )


def batches_of_parts(
    resized: ResizedImages,
    config: TrainConfig,
    *,
    train: Sequence[int],
    validation: Sequence[int] = (),
    device: str = "cpu",
    processes: Processes = SINGLE_PROCESS,
) -> tuple[Batches, Batches]:
    """Seeded batches of rows to train on, repetitions included; then, in order, of the validation.

    Pictures move to the device once if they fit.

    Raises:
        UsageError: a batch too small for the number of processes.
        DataError: too few training pictures, or no person in any of them.
    """
    # Batch statistics need two images. On GPUs they are those of all processes together.
    smallest = 2 * processes.count if device == "cpu" else 2
    if config.training.batch_size < smallest:
        raise UsageError(
            f"training.batch_size: got {config.training.batch_size} for {processes.count} "
            f"processes on CPUs; at least {smallest} are needed, two images for each."
        )
    if len(train) < smallest:
        raise DataError(
            f"{len(train)} training picture(s); at least {smallest} are needed. Add "
            "pictures or take smaller shares for validation and test."
        )
    if not any(masks.any() for masks in mask_chunks(resized, train)):
        raise DataError(
            "no training mask holds a person: all are black. `humanseg data check` tells more."
        )
    source = _source(resized, [*train, *validation], torch.device(device))
    batches = partial(
        Batches,
        source,
        ids=resized.ids,
        batch_size=config.training.batch_size,
        processes=processes,
    )
    return (
        batches(train, seed=config.training.seed, smallest=smallest),
        batches(validation, seed=None),
    )


def mask_chunks(resized: ResizedImages, rows: Sequence[int]) -> Iterator[NDArray[np.bool_]]:
    """Masks of rows, bool (up to 256, H, W) at a time."""
    for start in range(0, len(rows), _CHUNK):
        yield resized.get(rows[start : start + _CHUNK]).masks


def _source(resized: ResizedImages, rows: Sequence[int], device: torch.device) -> Source:
    """Where batches come from: the GPU itself if they fit there, else memory or disk."""
    if device.type != "cuda":
        return partial(from_host, resized)
    free, _ = torch.cuda.mem_get_info(device)
    height, width = resized.size
    if len(set(rows)) * height * width * 4 <= _DEVICE_SHARE * free:
        return DeviceSource(resized, rows, device)
    return partial(from_host, resized, pinned=True)
