"""Inspection at pictures and put what was found into a cache, a few hundred at a time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace

from humanseg.data.cache.index import Entry, Index, Place
from humanseg.data.cache.rows import PackedRow, RowFiles, RowWriter, pack
from humanseg.data.cache.stamps import Stamp
from humanseg.data.fingerprint import sample_digests
from humanseg.data.inspection import InspectedSample, inspect
from humanseg.data.resized import stretch
from humanseg.data.samples import Sample
from humanseg.errors import DataError, HumansegError
from humanseg.system.malloc import keep_freed_memory
from humanseg.system.threads import ordered_map

COMMIT_PICTURES = 256
COMMIT_SECONDS = 5.0
"""What was found is kept after so many pictures or so much time, whichever is first."""

INDEX_BYTES = 4500
"""About what the index takes for a picture."""


@dataclass(frozen=True, slots=True)
class Task:
    """A picture to look at."""

    sample: Sample
    stamp: Stamp
    known: bool
    """Whether only its row is lacking."""


@dataclass(frozen=True, slots=True)
class Target:
    """The grid whose rows are made."""

    number: int
    """In the index."""
    files: RowFiles


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task."""

    seen: InspectedSample | None
    """None if it was known."""
    problem: str | None = None
    """Why there is nothing to keep: a sentence."""


@dataclass(frozen=True, slots=True)
class _Result:
    task: Task
    seen: InspectedSample | None = None
    row: PackedRow | None = None
    problem: str | None = None


def check_room(index: Index, target: Target | None, count: int) -> None:
    """See that the disk has room for so many more pictures.

    Raises:
        DataError: it has not.
    """
    needed = count * (INDEX_BYTES + (target.files.row_bytes if target else 0))
    free = shutil.disk_usage(index.path.parent).free
    if needed > free:
        size = "x".join(map(str, target.files.size)) if target else ""
        raise DataError(
            f"cache {index.path.parent}: {count} pictures{f' at {size}' if size else ''} need "
            f"{needed / 1e9:.1f} GB, but its disk has {free / 1e9:.1f} GB free; make room or give "
            "--cache a folder on another disk."
        )


def fill(
    tasks: Sequence[Task], index: Index, target: Target | None
) -> Generator[tuple[Task, Done], None, None]:
    """Inspection at pictures in threads, and keep what was found, in order.

    Rows are on the disk before the index names them, so a process that is killed at any moment
    loses what it did since the last commit and nothing else. Closing this, or an exception, keeps
    all that was done.

    Args:
        tasks: pictures, each once.
        index: where findings go.
        target: the grid to make rows for; None makes none.

    Yields:
        Each task and what became of it. A picture that cannot be read is not kept.

    Raises:
        OSError: the disk is full or fails; what was kept before stays.
    """
    writer = _Writer(index, target)

    def work(task: Task) -> _Result:
        return _look(task, target)

    try:
        with keep_freed_memory(), closing(ordered_map(work, tasks)) as results:
            for result in results:
                writer.keep(result)
                yield result.task, Done(result.seen, result.problem)
        writer.commit()
    except BaseException:
        with suppress(Exception):  # the first error says more
            writer.commit()
        raise
    finally:
        writer.close()


def _look(task: Task, target: Target | None) -> _Result:
    """Decode a picture once, for its row and for what is not yet known of it."""
    if task.known and target is not None:
        return _only_row(task, target.files)
    try:
        digests = sample_digests(task.sample)
    except DataError as error:
        return _Result(task, inspect(task.sample).result, problem=str(error))
    look = inspect(task.sample)
    if look.image is None or look.mask is None:
        return _Result(task, look.result, problem=_problem(task.sample))
    seen = replace(look.result, digests=digests)
    if target is None:
        return _Result(task, seen)
    pixels = stretch(look.image, look.mask, target.files.size, target.files.mask_resize)
    return _Result(task, seen, pack(pixels))


def _only_row(task: Task, files: RowFiles) -> _Result:
    sample = task.sample
    try:
        image, mask = sample.read_image(), sample.read_mask()
    except HumansegError as error:
        return _Result(task, problem=str(error))
    return _Result(task, row=pack(stretch(image, mask, files.size, files.mask_resize)))


def _problem(sample: Sample) -> str:
    """The sentence with which reading a sample fails."""
    try:
        sample.read_image()
        sample.read_mask()
    except HumansegError as error:
        return str(error)
    return f"{sample.image}: changed while it was read; run again."


class _Writer:
    """Gathers what was found, and commits it from time to time."""

    def __init__(self, index: Index, target: Target | None) -> None:
        self._index = index
        self._target = target
        self._rows = None if target is None else RowWriter(target.files)
        self._free: Iterator[int] = iter(())
        self._entries: list[Entry] = []
        self._last = time.monotonic()

    def keep(self, result: _Result) -> None:
        if result.problem is None and result.task.stamp.stats is not None:
            place = None if result.row is None else self._write(result.row)
            self._entries.append(Entry(result.task.stamp, result.seen, place))
        late = time.monotonic() - self._last > COMMIT_SECONDS
        if len(self._entries) >= COMMIT_PICTURES or (self._entries and late):
            self.commit()

    def commit(self) -> None:
        entries, self._entries = self._entries, []
        if self._rows is not None:
            self._rows.synchronise()
        if entries:
            self._index.store(entries, None if self._target is None else self._target.number)
        self._last = time.monotonic()

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()

    def _write(self, row: PackedRow) -> Place | None:
        if self._rows is None or self._target is None:
            return None
        number = next(self._free, None)
        if number is None:
            self._free = iter(self._index.reserve(self._target.number, COMMIT_PICTURES))
            number = next(self._free)
        self._rows.write(number, row)
        return Place(number, row.checksum)
