"""A folder on a disk that keeps what was decoded, so that no run does it again.

One file holds everything, under keys that say of what: a hash of the absolute paths, lengths and
times of change of an image and its mask, and for pixels also of the grid that they are on. What has
changed is therefore simply not there, and entries are never altered.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from humanseg.data.cache_entries import Grid, pack_facts, sample_keys, unpack_facts
from humanseg.data.cache_file import CacheFile, Key, make_folder
from humanseg.data.inspection import InspectedSample, inspect, raise_unreadable
from humanseg.data.resized import Pixels, refuse
from humanseg.data.samples import Sample
from humanseg.images.resize import Size
from humanseg.system.errors import DataError, HumansegError
from humanseg.system.lock import held
from humanseg.system.malloc import keep_freed_memory
from humanseg.system.progress import ItemProgress
from humanseg.system.threads import ordered_map

__all__ = ["Cache", "CachedImages"]

Entries = list[tuple[Key, bytes]]

COMMIT_SAMPLES = 64
"""What was decoded is kept after so many samples."""
FACTS_BYTES = 4500
"""About what a sample takes, pixels aside."""
_FACTS_AT_ONCE = 1024


class Cache:
    """A folder that many data sets, sizes and processes may share.

    It holds what was found out about images and masks (sizes, shares of persons, digests,
    signatures, findings), and their pixels on the grids that networks were trained on. Files of the
    same path, length and time of change as when they were decoded are taken as unchanged, without
    being read.

    What is decoded is kept every few seconds: a process that is killed loses that little. One
    process fills at a time, and others read meanwhile. No method leaves anything open, so a cache
    may be used in threads and in forked processes. Every method raises an OSError if the disk is
    full or fails.
    """

    def __init__(self, folder: Path, *, note: Callable[[str], None]) -> None:
        """Open a cache, or make one in a folder that is new or empty.

        `note` is called with a sentence about whatever the user would not expect.

        Raises:
            UsageError: `folder` is a file, or holds something else.
        """
        self.folder = folder
        self._note = note
        make_folder(folder)
        self.file = CacheFile(folder, say=self.say)

    def inspect(
        self, samples: Sequence[Sample], *, progress: ItemProgress | None = None
    ) -> list[InspectedSample]:
        """Facts, digests and findings of each sample; decodes those that are new or have changed.

        About 3.5 kB per sample. Those that cannot be read have a remark that says why, and are
        decoded again every time.

        Raises:
            DataError: no room on the disk.
        """
        keys = sample_keys(samples)
        results = self._facts(keys)
        if any(result is None for result in results):
            with self.filling():
                results = self._facts(keys)  # the process before may have filled this data set
                lacking = {i: keys[i] for i, result in enumerate(results) if result is None}
                self.announce(len(lacking), len(samples), None)
                for index, result in self.decode(samples, lacking, None, progress):
                    results[index] = result
        return [result for result in results if result is not None]

    def digests(self, samples: Sequence[Sample]) -> dict[str, tuple[str, str]]:
        """Digests for `fingerprint`, by id, of samples that were decoded and are unchanged."""
        stored = zip(samples, self._facts(sample_keys(samples)), strict=True)
        return {sample.id: result.digests for sample, result in stored if result and result.digests}

    def resized(self, samples: Sequence[Sample], *, size: Size, mask_resize: str) -> CachedImages:
        """Samples on a network's grid; nothing is read or decoded before it is asked for."""
        return CachedImages(self, samples, Grid(size, mask_resize))

    def say(self, text: str) -> None:
        """Tell the user about this cache: a sentence without its subject."""
        self._note(f"cache {self.folder}: {text}")

    def filling(self) -> AbstractContextManager[None]:
        """Hold this while decoding: one process fills at a time."""
        text = "waiting for another process that fills it."
        return held(self.folder / "lock", waiting=lambda: self.say(text))

    def announce(self, count: int, total: int, grid: Grid | None) -> None:
        """Say how many samples are to be decoded, if there are any."""
        there = f", changed or not yet there at {grid}" if grid else " or changed"
        rest = f"{total - count} are taken as they are."
        if count:
            self.say(f"{count} of {total} pictures are new{there}; {rest}")

    def decode(
        self,
        samples: Sequence[Sample],
        lacking: Mapping[int, Key | None],
        grid: Grid | None,
        progress: ItemProgress | None,
    ) -> Iterator[tuple[int, InspectedSample]]:
        """Decode samples and keep what can be kept: facts, and pixels where there is a grid.

        `lacking` has the keys of those to decode by index, None where a file is missing. Yields
        index and facts of each; what has no digests could not be kept.

        Raises:
            DataError: no room on the disk.
        """
        self._check_room(len(lacking), grid)

        def work(index: int) -> tuple[InspectedSample, Entries]:
            key, inspection = lacking[index], inspect(samples[index], digests=True)
            result, image, mask = inspection.result, inspection.image, inspection.mask
            if key is None or result.digests is None or image is None or mask is None:
                return replace(result, digests=None), []
            pixels = (
                []
                if grid is None
                else [(grid.key(key), grid.pack(image, mask, samples[index].read_ignored()))]
            )
            return result, [(key, pack_facts(result)), *pixels]

        entries: Entries = []
        done = len(samples) - len(lacking)
        try:
            with keep_freed_memory(), closing(ordered_map(work, lacking)) as results:
                pairs = zip(lacking, results, strict=True)
                for count, (index, (result, made)) in enumerate(pairs, start=1):
                    entries += made
                    if count % COMMIT_SAMPLES == 0:
                        ready, entries = entries, []
                        self.file.put(ready)
                    yield index, result
                    if progress is not None:
                        progress(done + count, len(samples))
        except BaseException:
            with suppress(Exception):  # the first error says more
                self.file.put(entries)
            raise
        self.file.put(entries)

    def _facts(self, keys: Sequence[Key | None]) -> list[InspectedSample | None]:
        return [
            None if value is None else unpack_facts(value)
            for start in range(0, len(keys), _FACTS_AT_ONCE)
            for value in self.file.get([key or b"" for key in keys[start : start + _FACTS_AT_ONCE]])
        ]

    def _check_room(self, count: int, grid: Grid | None) -> None:
        needed = count * (FACTS_BYTES + (grid.row_bytes if grid else 0))
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"cache {self.folder}: {count} pictures{f' at {grid}' if grid else ''}"
                f" need {needed / 1e9:.1f} GB, but its disk has {free / 1e9:.1f} GB free; make "
                "room or give --cache a folder on another disk."
            )


class CachedImages:
    """`ResizedImages` on a disk: memory holds 17 bytes per sample, and what is read.

    `prepare` and `get` raise what `ResizedImages` raises, and an OSError if the disk is full or
    fails. What the cache does not know of a sample is inspected from the same decoding.
    """

    def __init__(self, cache: Cache, samples: Sequence[Sample], grid: Grid) -> None:
        """Read nothing yet; see `Cache.resized`."""
        self.ids = tuple(sample.id for sample in samples)
        self.size = grid.size
        self.ignoring = any(sample.ignored is not None for sample in samples)
        self._cache = cache
        self._samples = samples
        self._grid = grid
        self._rows = np.zeros((len(samples), 16), dtype=np.uint8)
        self._ready = np.zeros(len(samples), dtype=np.bool_)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.ids)

    def prepare(self, indices: Sequence[int], progress: ItemProgress | None = None) -> None:
        """See `ResizedImages`."""
        self._prepare(indices, quiet=False, progress=progress)

    def get(self, indices: Sequence[int]) -> Pixels:
        """See `ResizedImages`; also a DataError if the disk gives wrong bytes again and again."""
        self._prepare(indices, quiet=True)
        images = np.empty((len(indices), *self.size, 3), dtype=np.uint8)
        masks = np.empty((len(indices), *self.size), dtype=np.bool_)
        pixels = Pixels(images, masks, np.zeros_like(masks) if self.ignoring else None)
        lost = self._read(indices, pixels)
        if lost:
            self._cache.say(f"{len(lost)} pictures in it are damaged or gone; they are made again.")
            with self._lock:
                self._ready[lost] = False
            self._prepare(lost, quiet=True, damaged=True)
            if self._read(indices, pixels):
                raise DataError(
                    f"cache {self._cache.folder}: does not give back what was just written to it; "
                    "its disk may be failing. Give --cache a folder on another disk."
                )
        return pixels

    def _prepare(
        self,
        indices: Sequence[int],
        *,
        quiet: bool,
        damaged: bool = False,
        progress: ItemProgress | None = None,
    ) -> None:
        """Decode what is not there; all of it where what is there is damaged."""
        with self._lock:
            wanted = [index for index in dict.fromkeys(indices) if not self._ready[index]]
            if not wanted:
                return
            samples = [self._samples[index] for index in wanted]
            keys = sample_keys(samples)
            rows = [self._grid.key(key) if key else b"" for key in keys]
            if damaged or not all(self._cache.file.has(rows)):
                with self._cache.filling():
                    there = [False] * len(rows) if damaged else self._cache.file.has(rows)
                    # The last of several samples of the same files stands for all of them.
                    last = {row or position: position for position, row in enumerate(rows)}
                    lacking = {i: keys[i] for i in last.values() if not there[i]}
                    if not quiet:
                        self._cache.announce(len(lacking), len(samples), self._grid)
                    decoded = self._cache.decode(samples, lacking, self._grid, progress)
                    unreadable = [samples[i] for i, result in decoded if result.digests is None]
                refuse([_problem(sample) for sample in unreadable], len(samples))
            self._rows[wanted] = [np.frombuffer(row, dtype=np.uint8) for row in rows]
            self._ready[wanted] = True

    def _read(self, indices: Sequence[int], pixels: Pixels) -> list[int]:
        """Fill a batch; returns the indices of samples that are not there."""
        lost: dict[int, None] = {}
        for position, index in enumerate(indices):
            (value,) = self._cache.file.get([self._rows[index].tobytes()])
            length = self._grid.row_bytes
            if self._samples[index].ignored is not None:
                length += self._grid.mask_bytes
            if value is None or len(value) != length:
                lost[index] = None
            else:
                arrays = (each[position] for each in pixels if each is not None)
                self._grid.unpack(value, *arrays)
        return list(lost)


def _problem(sample: Sample) -> str:
    """The sentence with which reading a sample fails."""
    try:
        raise_unreadable(sample)
    except HumansegError as error:
        return str(error)
