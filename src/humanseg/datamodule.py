"""Training pictures on the network's grid: decoded once, kept as uint8, in seeded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypedDict

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from humanseg.config import TrainConfig
from humanseg.data.samples import Sample
from humanseg.errors import DataError, HumansegError
from humanseg.geometry import Size, resize_image, resize_mask, resize_mask_nearest

_SHOWN = 3  # problems named in one error


class Batch(TypedDict):
    """What one training or validation step gets."""

    image: Tensor
    """uint8 (N, 3, H, W) RGB, 0 to 255."""
    mask: Tensor
    """bool (N, 1, H, W), True where there is a person."""
    ids: list[str]
    """The samples' names, for error messages."""


@dataclass(frozen=True)
class Grid:
    """Samples on the network's grid."""

    ids: tuple[str, ...]
    images: NDArray[np.uint8]
    """(N, H, W, 3) RGB."""
    masks: NDArray[np.bool_]
    """(N, H, W)."""


def load_grid(samples: Sequence[Sample], size: Size, mask_resize: str) -> Grid:
    """Decode samples and bring them to `size`.

    Args:
        samples: what to load.
        size: (height, width) of the network's input.
        mask_resize: `area` or `nearest`, see `DataConfig`.

    Raises:
        DataError: files that cannot be read; the first few are named.
    """
    images = np.zeros((len(samples), *size, 3), dtype=np.uint8)
    masks = np.zeros((len(samples), *size), dtype=np.bool_)
    shrink = resize_mask if mask_resize == "area" else resize_mask_nearest

    def load(index: int) -> str | None:
        try:
            images[index] = resize_image(samples[index].read_image(), size)
            masks[index] = shrink(samples[index].read_mask(), size)
        except HumansegError as error:
            return str(error)
        return None

    with ThreadPoolExecutor() as pool:
        problems = [text for text in pool.map(load, range(len(samples))) if text]
    if problems:
        shown = " ".join(problems[:_SHOWN])
        raise DataError(
            f"{len(problems)} of {len(samples)} samples cannot be read. {shown} "
            "`humanseg data check` lists all."
        )
    return Grid(tuple(sample.id for sample in samples), images, masks)


class _GridDataset(Dataset[Batch]):
    """Hands out whole batches at once, so that nothing is stacked picture by picture."""

    def __init__(self, grid: Grid) -> None:
        self._ids = grid.ids
        # NHWC memory seen as NCHW is what channels_last networks want; no copy is made.
        self._images = torch.from_numpy(grid.images).permute(0, 3, 1, 2)
        self._masks = torch.from_numpy(grid.masks)[:, None]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitems__(self, indices: list[int]) -> Batch:
        return Batch(
            image=self._images[indices],
            mask=self._masks[indices],
            ids=[self._ids[index] for index in indices],
        )


class EpochSampler(Sampler[int]):
    """A new order every epoch that depends on seed and epoch alone, so a resumed run repeats it."""

    def __init__(self, count: int, seed: int) -> None:
        """Order `count` samples."""
        self._count = count
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before every epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self._seed, self._epoch)).permutation(self._count)
        return iter(order.tolist())


def _whole(batch: Any) -> Any:  # noqa: ANN401  DataLoader promises a list, __getitems__ a batch
    return batch


class SegmentationDataModule(lightning.LightningDataModule):
    """Batches of the training and validation grids."""

    def __init__(self, train: Grid, validation: Grid | None, config: TrainConfig) -> None:
        """Take grids that are already in memory.

        Raises:
            DataError: fewer than two training pictures, or no person in any of them.
        """
        super().__init__()
        if len(train.ids) < 2:
            raise DataError(
                f"{len(train.ids)} training picture(s); at least 2 are needed. Add pictures or "
                "take smaller shares for validation and test."
            )
        if not train.masks.any():
            raise DataError(
                "no training mask holds a person: all are black. `humanseg data check` tells more."
            )
        self._train = _GridDataset(train)
        self._validation = _GridDataset(validation) if validation and validation.ids else None
        self._batch_size = config.training.batch_size
        self._seed = config.training.seed

    @property
    def validated(self) -> bool:
        """Whether there is a validation part."""
        return self._validation is not None

    def train_dataloader(self) -> DataLoader[Batch]:
        """Seeded batches; a last batch of one picture is left out, batch statistics need two."""
        count = len(self._train)
        return DataLoader(
            self._train,
            batch_size=self._batch_size,
            sampler=EpochSampler(count, self._seed),
            drop_last=count % self._batch_size == 1,
            collate_fn=_whole,
        )

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Batches in data set order; none if there is no validation part."""
        if self._validation is None:
            return []
        return DataLoader(self._validation, batch_size=self._batch_size, collate_fn=_whole)
