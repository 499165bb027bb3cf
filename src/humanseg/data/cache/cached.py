"""Pictures on the network's grid, read from a cache's files as they are needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from humanseg.data.cache.rows import RowDamaged
from humanseg.data.cache.store import Store
from humanseg.data.resized import Pixels
from humanseg.data.samples import Sample
from humanseg.errors import DataError
from humanseg.images.resize import Size
from humanseg.system.cpu import usable_cores


class CachedImages:
    """`ResizedImages` on a disk: memory holds 12 bytes per picture, and what is read.

    A row whose bytes are not those that were written is made again from its picture, and said.
    """

    def __init__(
        self, store: Store, samples: Sequence[Sample], size: Size, mask_resize: str
    ) -> None:
        """Read nothing yet; see `Cache.resized`."""
        self.ids = tuple(sample.id for sample in samples)
        self.size = size
        self._store = store
        self._samples = samples
        self._files = store.row_files(size, mask_resize)
        self._rows = np.full(len(samples), -1, dtype=np.int64)
        self._checksums = np.zeros(len(samples), dtype=np.uint32)
        self._damaged: set[int] = set()
        self._lock = threading.Lock()
        self._threads = usable_cores()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.ids)

    def prepare(
        self, rows: Sequence[int], progress: Callable[[int, int], None] | None = None
    ) -> None:
        """See `ResizedImages`. What the cache does not know is inspected from the same decoding.

        Raises:
            DataError: files that cannot be read, or no room on the disk.
            OSError: the disk is full or fails; what was done stays.
        """
        self._prepare(rows, quiet=False, progress=progress)

    def get(self, rows: Sequence[int]) -> Pixels:
        """See `ResizedImages`.

        Raises:
            DataError: as `prepare`; or a file of the cache gives wrong bytes again and again.
            OSError: the disk fails.
        """
        if any(self._rows[row] < 0 for row in rows):
            self._prepare(rows, quiet=True)
        images = np.empty((len(rows), *self.size, 3), dtype=np.uint8)
        masks = np.empty((len(rows), *self.size), dtype=np.bool_)
        damaged = self._read(rows, range(len(rows)), images, masks)
        if damaged:
            self._make_again({rows[place]: number for place, number in damaged.items()})
            damaged = self._read(rows, list(damaged), images, masks)
        for number in damaged.values():
            raise DataError(
                f"cache {self._store.folder}: {self._files.path(number)} does not give back what "
                "was just written to it; its disk may be failing. Give --cache a folder on "
                "another disk."
            )
        return images, masks

    def _prepare(
        self,
        rows: Sequence[int],
        *,
        quiet: bool,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        with self._lock:
            lacking = [row for row in dict.fromkeys(rows) if self._rows[row] < 0]
            if not lacking:
                return
            places = self._store.places(
                [self._samples[row] for row in lacking],
                self._files,
                damaged=self._damaged,
                quiet=quiet,
                progress=progress,
            )
            # Rows last: who finds one finds its checksum.
            self._checksums[lacking] = [place.checksum for place in places]
            self._rows[lacking] = [place.row for place in places]

    def _read(
        self,
        rows: Sequence[int],
        places: Sequence[int],
        images: NDArray[np.uint8],
        masks: NDArray[np.bool_],
    ) -> dict[int, int]:
        """Read some places of a batch.

        Returns:
            By place, the number of the row that was to be read and does not hold what it should.
        """

        def read(place: int) -> int | None:
            row = rows[place]
            number, checksum = int(self._rows[row]), int(self._checksums[row])
            try:
                self._files.read(number, checksum, images[place], masks[place])
            except RowDamaged:
                return number
            return None

        # Threads of this call alone: a pool that lives on would not survive a fork.
        with ThreadPoolExecutor(max(1, min(len(places), self._threads))) as pool:
            found = zip(places, pool.map(read, places), strict=True)
            return {place: number for place, number in found if number is not None}

    def _make_again(self, damaged: Mapping[int, int]) -> None:
        """Make rows anew elsewhere, unless another thread has.

        Args:
            damaged: by sample, the number of the row that does not hold what it should.
        """
        with self._lock:
            again = [row for row, number in damaged.items() if self._rows[row] == number]
            self._damaged.update(damaged.values())
            self._rows[again] = -1
        if again:
            names = sorted({self._files.path(damaged[row]).name for row in again})
            self._store.say(
                f"{', '.join(names)} is damaged or gone; the rows of {len(again)} pictures are "
                "made again."
            )
        self._prepare(list(damaged), quiet=True)
