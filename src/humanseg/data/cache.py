"""A folder on a disk that keeps what was decoded, so that no run does it again.

Every value has a key that says of what it is: a hash of the absolute paths, lengths and times of
change of an image and its mask. What has changed is therefore simply not there, and nothing is ever
altered.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from humanseg.data.cache_entries import CacheFolder, Grid, pack_facts, sample_keys, unpack_facts
from humanseg.data.inspection import InspectedSample, inspect, raise_unreadable
from humanseg.data.resized import Pixels, ResizedImages, refuse
from humanseg.data.samples import Sample
from humanseg.images.resize import Size
from humanseg.system.errors import DataError, HumansegError
from humanseg.system.lock import held
from humanseg.system.malloc import keep_freed_memory
from humanseg.system.progress import ItemProgress
from humanseg.system.threads import ordered_map

__all__ = ["Cache", "CachedImages"]

FACTS = "facts"
FACTS_BYTES = 8192
"""About what a sample takes, pixels aside: what is known of it, in whole blocks of the disk."""


class Cache:
    """A folder that many data sets, sizes and processes may share.

    It holds what was found out about images and masks (sizes, shares of persons, digests,
    signatures, findings), and their pixels on the grids that networks were trained on. Files of the
    same path, length and time of change as when they were decoded are taken as unchanged, without
    being read.

    What is decoded is kept at once: a process that is killed loses no more than it was decoding.
    One process fills at a time, and others read meanwhile. Every method raises an OSError if the
    disk is full or fails, and those that decode a DataError beforehand if it has too little room.
    """

    def __init__(self, folder: Path, *, note: Callable[[str], None]) -> None:
        """Open a cache, or make one in a folder that is new or empty.

        `note` is called with a sentence about whatever the user would not expect.

        Raises:
            UsageError: `folder` is a file, or holds something else.
        """
        self.folder = folder
        self._note = note
        self.store = CacheFolder(folder)

    def inspect(
        self, samples: Sequence[Sample], *, progress: ItemProgress | None = None
    ) -> list[InspectedSample]:
        """Facts, digests and findings of each sample; decodes those that are new or have changed.

        About 3.5 kB per sample. Those that cannot be read have a remark that says why, and are
        decoded again every time.
        """
        keys = sample_keys(samples)
        results: list[InspectedSample | None] = []

        def lacking() -> dict[int, str]:
            results[:] = self._facts(keys)
            return {index: keys[index] for index, known in enumerate(results) if known is None}

        for index, result in self.fill(samples, lacking, None, progress):
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

    def fill(
        self,
        samples: Sequence[Sample],
        lacking: Callable[[], dict[int, str]],
        grid: Grid | None,
        progress: ItemProgress | None,
        *,
        silent: bool = False,
    ) -> Iterator[tuple[int, InspectedSample]]:
        """Decode samples and keep what can be kept: facts, and pixels where there is a grid.

        `lacking` looks which are to be decoded: their keys by index. Yields index and facts of
        each; what has no digests could not be kept. Nothing is said beforehand where `silent`.
        """
        if not lacking():
            return
        waiting = "waiting for another process that fills it."
        with held(self.folder / "lock", waiting=lambda: self.say(waiting)):
            keys = lacking()  # the process before may have made them
            done = len(samples) - len(keys)
            if keys and not silent:
                there = f", changed or not yet there at {grid}" if grid else " or changed"
                rest = f"{done} are taken as they are."
                self.say(f"{len(keys)} of {len(samples)} pictures are new{there}; {rest}")
            self._check_room(len(keys), grid)

            def work(index: int) -> InspectedSample:
                return self._decode(samples[index], keys[index], grid)

            with keep_freed_memory(), closing(ordered_map(work, keys)) as results:
                for count, pair in enumerate(zip(keys, results, strict=True), start=1):
                    yield pair
                    if progress is not None:
                        progress(done + count, len(samples))

    def _decode(self, sample: Sample, key: str, grid: Grid | None) -> InspectedSample:
        result, image, mask = inspect(sample, digests=True)
        if not key or result.digests is None or image is None or mask is None:
            return replace(result, digests=None)
        if not self.store.has(FACTS, key):
            self.store.put(FACTS, key, pack_facts(result))
        if grid is not None:
            self.store.put(grid.kind, key, grid.pack(image, mask, sample.read_ignored()))
        return result

    def _facts(self, keys: Sequence[str]) -> list[InspectedSample | None]:
        values = (self.store.get(FACTS, key) if key else None for key in keys)
        return [None if value is None else unpack_facts(value) for value in values]

    def _check_room(self, count: int, grid: Grid | None) -> None:
        needed = count * (FACTS_BYTES + (grid.row_bytes if grid else 0))
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"cache {self.folder}: {count} pictures{f' at {grid}' if grid else ''}"
                f" need {needed / 1e6:,.1f} MB, but its disk has {free / 1e6:,.1f} MB free; make "
                "room or give --cache a folder on another disk."
            )


class CachedImages(ResizedImages):
    """`ResizedImages` on a disk: memory holds a key per sample, and what is read.

    `prepare` and `get` raise what `ResizedImages` raises, and an OSError if the disk is full or
    fails. What the cache does not know of a sample is inspected from the same decoding.
    """

    def __init__(self, cache: Cache, samples: Sequence[Sample], grid: Grid) -> None:
        """Read nothing yet; see `Cache.resized`."""
        super().__init__(samples, grid.size)
        self._cache, self._grid = cache, grid
        self._keys: dict[int, str] = {}  # of those that are there

    def prepare(self, indices: Sequence[int], progress: ItemProgress | None = None) -> None:
        """See `ResizedImages`."""
        self._prepare(indices, progress)

    def get(self, indices: Sequence[int]) -> Pixels:
        """See `ResizedImages`; also a DataError if the disk gives wrong bytes again and again."""
        pixels = self._empty(len(indices))
        if lost := self._read(indices, pixels):
            self._cache.say(f"{len(lost)} pictures in it are damaged or gone; they are made again.")
            with self._lock:
                for index in lost:
                    self._keys.pop(index, None)
            if self._read(indices, pixels):
                raise DataError(
                    f"cache {self._cache.folder}: does not give back what was just written to it; "
                    "its disk may be failing. Give --cache a folder on another disk."
                )
        return pixels

    def _prepare(
        self, indices: Sequence[int], progress: ItemProgress | None, *, silent: bool = False
    ) -> list[str]:
        """Decode what is not there; returns the key of each."""
        with self._lock:
            if wanted := [index for index in dict.fromkeys(indices) if index not in self._keys]:
                samples = [self._samples[index] for index in wanted]
                keys = sample_keys(samples)
                lacking = partial(self._lacking, keys)
                decoded = self._cache.fill(samples, lacking, self._grid, progress, silent=silent)
                unreadable = [samples[index] for index, facts in decoded if facts.digests is None]
                refuse([_problem(sample) for sample in unreadable], len(samples))
                self._keys.update(zip(wanted, keys, strict=True))
            return [self._keys[index] for index in indices]

    def _lacking(self, keys: Sequence[str]) -> dict[int, str]:
        """Keys of which there are no pixels, by index; the last of several samples of one file."""
        last = {key or str(index): index for index, key in enumerate(keys)}
        has, kind = self._cache.store.has, self._grid.kind
        return {index: keys[index] for key, index in last.items() if not has(kind, key)}

    def _read(self, indices: Sequence[int], pixels: Pixels) -> set[int]:
        """Fill a batch; returns the indices of what is damaged or gone."""
        lost = set()
        keys = self._prepare(indices, None, silent=True)
        for position, (index, key) in enumerate(zip(indices, keys, strict=True)):
            value = self._cache.store.get(self._grid.kind, key)
            if value is None:
                lost.add(index)
            else:
                arrays = (each[position] for each in pixels if each is not None)
                self._grid.unpack(value, *arrays)
        return lost


def _problem(sample: Sample) -> str:
    """The sentence with which reading a sample fails."""
    try:
        raise_unreadable(sample)
    except HumansegError as error:
        return str(error)
