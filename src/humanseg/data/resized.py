"""Pictures on the network's grid: decoded once for all epochs, folds and networks of a process."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from humanseg.data.samples import Sample
from humanseg.images.resize import Size, resize_image, resize_mask, resize_mask_nearest
from humanseg.system.errors import DataError, HumansegError
from humanseg.system.memory import available_memory
from humanseg.system.progress import ItemProgress
from humanseg.system.threads import ordered_map


class Pixels(NamedTuple):
    """Pictures and their truths, of N samples or of one, then without N."""

    images: NDArray[np.uint8]
    """(N, H, W, 3), RGB."""
    masks: NDArray[np.bool_]
    """(N, H, W), True where there is a person."""
    ignored: NDArray[np.bool_] | None = None
    """(N, H, W), True where a pixel counts neither in the loss nor in scores; None: all count."""


MAX_SHARE = 0.8
"""Of the memory that is available, so much may be taken for pictures."""

_SHOWN = 3  # problems named in one error


class ResizedImages(ABC):
    """Samples, each stretched to one size.

    `ids` are of all samples, in order; `size` is (height, width); `ignoring` says whether any
    sample has pixels that are ignored, so that `get` gives them of all.
    """

    def __init__(self, samples: Sequence[Sample], size: Size) -> None:
        self.ids = tuple(sample.id for sample in samples)
        self.size = size
        self.ignoring = any(sample.ignored is not None for sample in samples)
        self._samples = samples
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.ids)

    def _empty(self, count: int) -> Pixels:
        """Arrays of so many samples, in which nothing is ignored."""
        images = np.empty((count, *self.size, 3), dtype=np.uint8)
        masks = np.empty((count, *self.size), dtype=np.bool_)
        return Pixels(images, masks, np.zeros_like(masks) if self.ignoring else None)

    @abstractmethod
    def prepare(self, indices: Sequence[int], progress: ItemProgress | None = None) -> None:
        """Decode what has not been decoded yet.

        Positions of samples may come in any order and more than once; `progress` is called with
        (pictures done, pictures asked for).

        Raises:
            DataError: files that cannot be read, of which the first few are named, or no room.
        """

    @abstractmethod
    def get(self, indices: Sequence[int]) -> Pixels:
        """Arrays of one's own, in the order of `indices`; what is not prepared is, silently.

        Threads may read at the same time; raises what `prepare` raises.
        """


class ImagesInMemory(ResizedImages):
    """`ResizedImages` in memory: 4 bytes per pixel of every picture that was ever asked for.

    Nothing is decoded before that; `size` and `mask_resize` are those of `stretch`.
    """

    def __init__(self, samples: Sequence[Sample], size: Size, mask_resize: str) -> None:
        super().__init__(samples, size)
        self._mask_resize = mask_resize
        self._decoded: dict[int, Pixels] = {}

    def prepare(self, indices: Sequence[int], progress: ItemProgress | None = None) -> None:
        """See `ResizedImages`."""
        with self._lock:
            wanted = list(dict.fromkeys(indices))
            lacking = [index for index in wanted if index not in self._decoded]
            if lacking:
                self.check_room(len(lacking))
                self._decode(lacking, len(wanted), progress)

    def get(self, indices: Sequence[int]) -> Pixels:
        """See `ResizedImages`."""
        lacking = [index for index in indices if index not in self._decoded]
        if lacking:
            self.prepare(lacking)
        images, masks, ignored = pixels = self._empty(len(indices))
        for position, index in enumerate(indices):
            images[position], masks[position], without = self._decoded[index]
            if ignored is not None and without is not None:
                ignored[position] = without
        return pixels

    def keep(self, index: int, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
        """Take a picture and its truth from somebody who has decoded them."""
        ignored = self._samples[index].read_ignored()
        self._decoded[index] = stretch(image, mask, self.size, self._mask_resize, ignored)

    def check_room(self, count: int, *, processes: int = 1) -> None:
        """Raise a DataError where memory cannot hold so many pictures."""
        needed = processes * count * self.size[0] * self.size[1] * 4
        available = available_memory()
        if available is not None and needed > MAX_SHARE * available:
            raise DataError(
                f"{count} pictures at {self.size[0]}x{self.size[1]}"
                f"{f' in {processes} processes' if processes > 1 else ''} need "
                f"{needed / 1e9:.1f} GB of memory, of which {available / 1e9:.1f} GB are "
                "available; give --cache DIR, a folder on a disk with that much room, or smaller "
                "pictures."
            )

    def _decode(self, indices: Sequence[int], asked: int, progress: ItemProgress | None) -> None:
        def decode(index: int) -> str | None:
            sample = self._samples[index]
            try:
                self.keep(index, sample.read_image(), sample.read_mask())
            except HumansegError as error:
                return str(error)
            return None

        problems = []
        with closing(ordered_map(decode, indices)) as results:
            for done, problem in enumerate(results, start=1 + asked - len(indices)):
                problems += [problem] if problem else []
                if progress is not None:
                    progress(done, asked)
        refuse(problems, asked)


def stretch(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    size: Size,
    mask_resize: str,
    ignored: NDArray[np.bool_] | None = None,
) -> Pixels:
    """Stretch uint8 (height, width, 3) and its truth, bool of any size, to `size`.

    The truth, and what of it is ignored, by `area` or `nearest`, see `DataConfig`.
    """
    shrink = resize_mask if mask_resize == "area" else resize_mask_nearest
    without = None if ignored is None else shrink(ignored, size)
    return Pixels(resize_image(image, size), shrink(mask, size), without)


def refuse(problems: Sequence[str], count: int) -> None:
    """Raise a DataError with the first few of `problems`, sentences about samples, if any."""
    if problems:
        raise DataError(
            f"{len(problems)} of {count} samples cannot be read. {' '.join(problems[:_SHOWN])} "
            "`humanseg data check` lists all."
        )
