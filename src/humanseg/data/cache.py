"""A folder on a disk that keeps what was decoded, so that no run does it again.

One file holds everything, under keys that say of what: a hash of the absolute paths, lengths and
times of change of an image and its mask, and for pixels also of the grid that they are on. What has
changed is therefore simply not there, and entries are never altered.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humanseg.data.cache_entries import Grid, pack_facts, sample_keys, unpack_facts
from humanseg.data.cache_file import CacheFile, Key, make_folder
from humanseg.data.inspection import InspectedSample, inspect, raise_unreadable
from humanseg.data.resized import Pixels, refuse
from humanseg.data.samples import Sample
from humanseg.errors import DataError, HumansegError
from humanseg.images.resize import Size
from humanseg.system.lock import held
from humanseg.system.malloc import keep_freed_memory
from humanseg.system.threads import ordered_map

__all__ = ["Cache", "CachedImages"]

Progress = Callable[[int, int], None]

COMMIT_SAMPLES, COMMIT_BYTES, COMMIT_SECONDS = 256, 32 << 20, 5.0
"""What was decoded is kept after so many samples, bytes or seconds, whichever is first."""
FACTS_BYTES = 4500
"""About what a sample takes, pixels aside."""


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of one sample."""

    inspected: InspectedSample
    entries: tuple[tuple[Key, bytes], ...] = ()
    """What to keep; nothing of a sample that cannot be read."""


class _Pending:
    """Entries that were made and are not yet kept."""

    def __init__(self, file: CacheFile) -> None:
        self._file = file
        self._clear()

    def add(self, entries: Sequence[tuple[Key, bytes]]) -> None:
        """Take the entries of a sample, and keep all there are from time to time."""
        self._entries += entries
        self._samples += 1
        self._bytes += sum(len(value) for _, value in entries)
        seconds = time.monotonic() - self._since
        full = self._samples >= COMMIT_SAMPLES or self._bytes >= COMMIT_BYTES
        if full or seconds >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Keep them."""
        entries = self._entries
        self._clear()
        self._file.put(entries)

    def _clear(self) -> None:
        self._entries: list[tuple[Key, bytes]] = []
        self._samples = self._bytes = 0
        self._since = time.monotonic()


class Cache:
    """A folder that many data sets, sizes and processes may share.

    It holds what was found out about images and masks (sizes, shares of persons, digests,
    signatures, findings), and their pixels on the grids that networks were trained on. Files of the
    same path, length and time of change as when they were decoded are taken as unchanged, without
    being read.

    What is decoded is kept every few seconds. A process that is killed loses that little; one
    process fills at a time, and others read meanwhile. No method leaves anything open, so a cache
    may be used in threads and in forked processes.
    """

    def __init__(self, folder: Path, *, note: Callable[[str], None]) -> None:
        """Open a cache, or make one in a folder that is new or empty.

        A cache that is damaged, or that another version of humanseg or Pillow made, is emptied.

        Args:
            folder: where it is or shall be.
            note: called with a sentence about whatever the user would not expect: how many images
                have changed, what is damaged and made again, that another process fills.

        Raises:
            UsageError: `folder` is a file, or holds something else.
            OSError: it cannot be made, read or written to.
        """
        self.folder = folder
        self._note = note
        make_folder(folder)
        self.file = CacheFile(folder, say=self.say)

    def inspect(
        self, samples: Sequence[Sample], *, progress: Progress | None = None
    ) -> list[InspectedSample]:
        """Facts, digests and findings of each sample; decodes those that are new or have changed.

        Args:
            samples: the data set.
            progress: called with (samples done, all samples) where there is something to do.

        Returns:
            About 3.5 kB per sample. Samples that cannot be read are in it, with the reason as a
            remark; they are decoded again every time.

        Raises:
            DataError: no room on the disk.
            OSError: the disk is full or fails; what was done stays.
        """
        keys = sample_keys(samples)
        apart = self.fill(samples, keys, None, progress=progress)
        stored = self._facts(keys)
        results = []
        for index, sample in enumerate(samples):
            result = stored[index] or apart.get(keys[index] or index)
            if result is None:
                raise DataError(f"{sample.image}: changed while it was read; run again.")
            results.append(result)
        return results

    def digests(self, samples: Sequence[Sample]) -> dict[str, tuple[str, str]]:
        """Digests for `fingerprint`, by id, of those samples that were decoded and are unchanged.

        Raises:
            OSError: the disk fails.
        """
        stored = zip(samples, self._facts(sample_keys(samples)), strict=True)
        return {
            sample.id: result.digests
            for sample, result in stored
            if result is not None and result.digests is not None
        }

    def resized(self, samples: Sequence[Sample], *, size: Size, mask_resize: str) -> CachedImages:
        """Samples on a network's grid; nothing is read or decoded before it is asked for.

        Args:
            samples: the data set.
            size: (height, width) of the network's input.
            mask_resize: `area` or `nearest`, see `DataConfig`.
        """
        return CachedImages(self, samples, Grid(size, mask_resize))

    def say(self, text: str) -> None:
        """Tell the user about this cache: a sentence without its subject."""
        self._note(f"cache {self.folder}: {text}")

    def fill(
        self,
        samples: Sequence[Sample],
        keys: Sequence[Key | None],
        grid: Grid | None,
        *,
        damaged: Collection[Key] = (),
        quiet: bool = False,
        progress: Progress | None = None,
    ) -> Mapping[Key | int, InspectedSample]:
        """Decode samples whose facts, or pixels on a grid, are not there, and keep them.

        Args:
            samples: the data set.
            keys: of the samples, None where a file is missing.
            grid: whose pixels; None for facts alone.
            damaged: keys of samples whose entries are there but cannot be used.
            quiet: say nothing of what is new.
            progress: called with (samples done, all samples) where there is something to do.

        Returns:
            What could not be kept, by the sample's key, or by its index where it has none.

        Raises:
            DataError: no room on the disk.
            OSError: the disk is full or fails; what was done stays.
        """
        if not self._lacking(keys, grid, damaged):
            return {}
        with held(
            self.folder / "lock",
            waiting=lambda: self.say("waiting for another process that fills it."),
        ):
            # Asked again: the other process may have filled this very data set.
            lacking = self._lacking(keys, grid, damaged)
            self._check_room(len(lacking), grid)
            if lacking and not quiet:
                there = f" or not yet there at {_shown(grid.size)}" if grid else ""
                self.say(
                    f"{len(lacking)} of {len(keys)} pictures are new"
                    f"{',' if grid else ' or'} changed{there}; "
                    f"{len(keys) - len(lacking)} are taken as they are."
                )
            return self._decode(samples, lacking, grid, len(samples), progress)

    def _lacking(
        self, keys: Sequence[Key | None], grid: Grid | None, damaged: Collection[Key]
    ) -> dict[Key | int, int]:
        """Index of a sample by its key, or by its index where it has none."""
        if grid is None:
            # These are small: what was damaged is found out at once.
            there = [facts is not None for facts in self._facts(keys)]
        else:
            there = self.file.has([grid.key(key) if key else b"" for key in keys])
        return {
            index if key is None else key: index
            for index, key in enumerate(keys)
            if key is None or key in damaged or not there[index]
        }

    def _decode(
        self,
        samples: Sequence[Sample],
        lacking: Mapping[Key | int, int],
        grid: Grid | None,
        total: int,
        progress: Progress | None,
    ) -> dict[Key | int, InspectedSample]:
        def work(item: tuple[Key | int, int]) -> _Result:
            return _decoded(samples[item[1]], item[0] if isinstance(item[0], bytes) else None, grid)

        apart: dict[Key | int, InspectedSample] = {}
        pending = _Pending(self.file)
        try:
            with keep_freed_memory(), closing(ordered_map(work, lacking.items())) as results:
                for done, (name, result) in enumerate(zip(lacking, results, strict=True), start=1):
                    pending.add(result.entries)
                    if not result.entries:
                        apart[name] = result.inspected
                    if progress is not None:
                        progress(done + total - len(lacking), total)
        except BaseException:
            with suppress(Exception):  # the first error says more
                pending.commit()
            raise
        pending.commit()
        return apart

    def _facts(self, keys: Sequence[Key | None]) -> list[InspectedSample | None]:
        results: list[InspectedSample | None] = [None] * len(keys)
        indices = [index for index, key in enumerate(keys) if key is not None]

        def take(position: int, value: bytes | None) -> None:
            results[indices[position]] = None if value is None else unpack_facts(value)

        self.file.get([key for key in keys if key is not None], take)
        return results

    def _check_room(self, count: int, grid: Grid | None) -> None:
        needed = count * (FACTS_BYTES + (grid.row_bytes if grid else 0))
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"cache {self.folder}: {count} pictures{f' at {_shown(grid.size)}' if grid else ''}"
                f" need {needed / 1e9:.1f} GB, but its disk has {free / 1e9:.1f} GB free; make "
                "room or give --cache a folder on another disk."
            )


class CachedImages:
    """`ResizedImages` on a disk: memory holds 17 bytes per sample, and what is read."""

    def __init__(self, cache: Cache, samples: Sequence[Sample], grid: Grid) -> None:
        """Read nothing yet; see `Cache.resized`."""
        self.ids = tuple(sample.id for sample in samples)
        self.size = grid.size
        self._cache = cache
        self._samples = samples
        self._grid = grid
        self._keys = np.zeros((len(samples), 16), dtype=np.uint8)
        self._ready = np.zeros(len(samples), dtype=np.bool_)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.ids)

    def prepare(self, indices: Sequence[int], progress: Progress | None = None) -> None:
        """See `ResizedImages`. What the cache does not know is inspected from the same decoding.

        Raises:
            DataError: files that cannot be read, or no room on the disk.
            OSError: the disk is full or fails; what was done stays.
        """
        self._prepare(indices, quiet=False, progress=progress)

    def get(self, indices: Sequence[int]) -> Pixels:
        """See `ResizedImages`.

        Raises:
            DataError: as `prepare`; or the disk gives wrong bytes again and again.
            OSError: the disk fails.
        """
        self._prepare(indices, quiet=True)
        images = np.empty((len(indices), *self.size, 3), dtype=np.uint8)
        masks = np.empty((len(indices), *self.size), dtype=np.bool_)
        lost = self._read(indices, images, masks)
        if lost:
            self._cache.say(f"{len(lost)} pictures in it are damaged or gone; they are made again.")
            with self._lock:
                self._ready[lost] = False
            self._prepare(lost, quiet=True, damaged=True)
            if self._read(indices, images, masks):
                raise DataError(
                    f"cache {self._cache.folder}: does not give back what was just written to it; "
                    "its disk may be failing. Give --cache a folder on another disk."
                )
        return images, masks

    def _prepare(
        self,
        indices: Sequence[int],
        *,
        quiet: bool,
        damaged: bool = False,
        progress: Progress | None = None,
    ) -> None:
        if self._ready[list(indices)].all():
            return
        with self._lock:
            wanted = [index for index in dict.fromkeys(indices) if not self._ready[index]]
            samples = [self._samples[index] for index in wanted]
            keys = sample_keys(samples)
            again = {key for key in keys if key is not None} if damaged else set()
            apart = self._cache.fill(
                samples, keys, self._grid, damaged=again, quiet=quiet, progress=progress
            )
            unreadable = [
                sample
                for position, (sample, key) in enumerate(zip(samples, keys, strict=True))
                if key is None or key in apart or position in apart
            ]
            refuse([_problem(sample) for sample in unreadable], len(samples))
            for index, key in zip(wanted, keys, strict=True):
                if key is not None:
                    self._keys[index] = np.frombuffer(self._grid.key(key), dtype=np.uint8)
            self._ready[wanted] = True

    def _read(
        self, indices: Sequence[int], images: NDArray[np.uint8], masks: NDArray[np.bool_]
    ) -> list[int]:
        """Fill a batch; returns the indices of samples that are not there."""
        lost: list[int] = []

        def take(position: int, value: bytes | None) -> None:
            if value is None or len(value) != self._grid.row_bytes:
                lost.append(indices[position])
                return
            self._grid.unpack(value, images[position], masks[position])

        self._cache.file.get([self._keys[index].tobytes() for index in indices], take)
        return list(dict.fromkeys(lost))


def _decoded(sample: Sample, key: Key | None, grid: Grid | None) -> _Result:
    """Decode a sample once, for all that is to be kept of it."""
    inspection = inspect(sample, digests=key is not None)
    result, image, mask = inspection.result, inspection.image, inspection.mask
    if key is None or result.digests is None or image is None or mask is None:
        return _Result(result)
    entries = [(key, pack_facts(result))]
    if grid is not None:
        entries.append((grid.key(key), grid.pack(image, mask)))
    return _Result(result, tuple(entries))


def _problem(sample: Sample) -> str:
    """The sentence with which reading a sample fails."""
    try:
        raise_unreadable(sample)
    except HumansegError as error:
        return str(error)


def _shown(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
