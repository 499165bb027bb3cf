"""The cache that a user names: what is known of pictures, and their rows, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from humanseg.data.cache.filling import Done, Target, Task, check_room, fill
from humanseg.data.cache.index import Index, IndexDamaged, OtherMaker, Place
from humanseg.data.cache.rows import RowFiles
from humanseg.data.cache.stamps import Stamp, stamp_all
from humanseg.data.inspection import InspectedSample
from humanseg.data.resized import refuse
from humanseg.data.samples import Sample
from humanseg.errors import DataError, UsageError
from humanseg.system.atomic import write_bytes
from humanseg.system.lock import held

R = TypeVar("R")
Progress = Callable[[int, int], None]

_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by humanseg: backups may leave this folder out.
# For information about cache directory tags see https://bford.info/cachedir/
"""
_NOT_COUNTED = {"lost+found"}  # of a disk's own top folder


class Store:
    """What `humanseg.data.cache.Cache` and `CachedImages` ask; every method may fill the cache."""

    def __init__(self, folder: Path, *, note: Callable[[str], None]) -> None:
        """See `humanseg.data.cache.Cache`."""
        self.folder = folder
        self._note = note
        self._index = Index(folder / "index.sqlite")
        _make_folder(folder)
        try:
            if self._index.path.exists():
                self._index.check()
                return
        except (IndexDamaged, OtherMaker):
            pass
        self._make_index()

    def say(self, text: str) -> None:
        """Tell the user about this cache: a sentence without its subject."""
        self._note(f"cache {self.folder}: {text}")

    def row_files(self, size: tuple[int, int], mask_resize: str) -> RowFiles:
        """Where the rows of a grid are."""
        name = f"{size[0]}x{size[1]}-{mask_resize}"
        return RowFiles(self.folder / "rows" / name, size, mask_resize)

    def seen(self, samples: Sequence[Sample], progress: Progress | None) -> list[InspectedSample]:
        """What is known of each sample; looks at those that are new or have changed."""
        return self._repairing(lambda: self._seen(samples, progress))

    def digests(self, samples: Sequence[Sample]) -> dict[str, tuple[str, str]]:
        """Digests by id, of the samples that are known and have not changed."""
        found = self._repairing(lambda: self._index.digests(stamp_all(samples)))
        return {
            sample.id: pair for sample, pair in zip(samples, found, strict=True) if pair is not None
        }

    def places(
        self,
        samples: Sequence[Sample],
        files: RowFiles,
        *,
        damaged: Collection[int],
        quiet: bool,
        progress: Progress | None,
    ) -> list[Place]:
        """Where the row of each sample is; makes those that are not there.

        Args:
            samples: pictures.
            files: which rows.
            damaged: rows that the index may name but that were found not to hold what they should.
            quiet: say nothing of rows that are made.
            progress: called with (samples done, all samples).

        Raises:
            DataError: samples that cannot be read, or no room on the disk.
            OSError: the disk is full or fails.
        """
        return self._repairing(lambda: self._places(samples, files, damaged, quiet, progress))

    def _seen(self, samples: Sequence[Sample], progress: Progress | None) -> list[InspectedSample]:
        stamps = stamp_all(samples)
        seen = self._index.seen(stamps)
        lacking = [position for position, one in enumerate(seen) if one is None]
        if not lacking:
            return [one for one in seen if one is not None]

        def still(positions: Sequence[int]) -> list[tuple[int, bool]]:
            found = self._index.digests([stamps[position] for position in positions])
            pairs = zip(positions, found, strict=True)
            return [(position, False) for position, one in pairs if one is None]

        work = _Work(samples, stamps, None, progress)
        kept_apart = self._fill(work, lacking, still, "new or changed")
        fresh = self._index.seen([stamps[position] for position in lacking])
        for position, one in zip(lacking, fresh, strict=True):
            apart = kept_apart.get(stamps[position].key)
            seen[position] = apart.seen if one is None and apart is not None else one
        return [_known(sample, one) for sample, one in zip(samples, seen, strict=True)]

    def _places(
        self,
        samples: Sequence[Sample],
        files: RowFiles,
        damaged: Collection[int],
        quiet: bool,
        progress: Progress | None,
    ) -> list[Place]:
        stamps = stamp_all(samples)
        grid = self._index.grid(files.size, files.mask_resize)

        def look(positions: Sequence[int]) -> list[tuple[bool, Place | None]]:
            found = self._index.places([stamps[position] for position in positions], grid)
            return _usable(found, files, damaged)

        def still(positions: Sequence[int]) -> list[tuple[int, bool]]:
            pairs = zip(positions, look(positions), strict=True)
            return [(position, known) for position, (known, place) in pairs if place is None]

        found = [place for _, place in look(range(len(samples)))]
        lacking = [position for position, place in enumerate(found) if place is None]
        if lacking:
            size = "x".join(map(str, files.size))
            what = "" if quiet else f"new, changed or not yet there at {size}"
            work = _Work(samples, stamps, Target(grid, files), progress)
            failed = self._fill(work, lacking, still, what)
            refuse([done.problem for done in failed.values() if done.problem], len(samples))
            # What was just written is not checked here: a disk that lost it is found by reading.
            fresh = self._index.places([stamps[position] for position in lacking], grid)
            for position, (_, place) in zip(lacking, fresh, strict=True):
                found[position] = place
        return [_known(sample, place) for sample, place in zip(samples, found, strict=True)]

    def _fill(
        self,
        work: _Work,
        lacking: Sequence[int],
        still: Callable[[Sequence[int]], list[tuple[int, bool]]],
        what: str,
    ) -> dict[tuple[bytes, bytes], Done]:
        """Inspection at what is lacking and keep it.

        Args:
            work: what for.
            lacking: positions of samples.
            still: which of these positions are lacking, and whether only their rows are: another
                process may have filled while this one waited.
            what: what is lacking in words; nothing is said without.

        Returns:
            By the files' key, what could not be kept.
        """
        total = len(work.samples)
        with self._locked():
            tasks = {
                work.stamps[position].key: Task(
                    work.samples[position], work.stamps[position], known
                )
                for position, known in still(lacking)
            }
            check_room(self._index, work.target, len(tasks))
            if what and tasks:
                left = total - len(tasks)
                self.say(
                    f"{len(tasks)} of {total} pictures are {what}; {left} are taken as they are."
                )
            apart: dict[tuple[bytes, bytes], Done] = {}
            with closing(fill(list(tasks.values()), self._index, work.target)) as results:
                for count, (task, done) in enumerate(results, start=1 + total - len(tasks)):
                    if done.problem is not None or task.stamp.stats is None:
                        apart[task.stamp.key] = done
                    if work.progress is not None:
                        work.progress(count, total)
            return apart

    def _locked(self) -> AbstractContextManager[None]:
        return held(
            self.folder / "lock",
            waiting=lambda: self.say("waiting for another process that fills it."),
        )

    def _repairing(self, work: Callable[[], R]) -> R:
        """Do something; if the index turns out to be damaged, do it again with a new one."""
        try:
            return work()
        except IndexDamaged:
            self._make_index()
            return work()
        except OtherMaker as error:
            raise DataError(
                f"cache {self.folder}: another version of humanseg or Pillow has built it anew "
                f"meanwhile ({error}); give each version a folder of its own and run again."
            ) from error

    def _make_index(self) -> None:
        """Make an index where there is none that can be used; rows that none names go."""
        with self._locked():
            path = self._index.path
            if not path.exists() or not path.stat().st_size:
                shutil.rmtree(self.folder / "rows", ignore_errors=True)
            try:
                self._index.create()
            except IndexDamaged:
                self._remake_index("its index is damaged; it is built anew.")
            except OtherMaker as error:
                self._remake_index(
                    f"was made by another version of humanseg or Pillow ({error}); it is built "
                    "anew."
                )

    def _remake_index(self, text: str) -> None:
        self.say(text)
        journal = self._index.path.with_name(f"{self._index.path.name}-journal")
        for path in (self._index.path, journal):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "rows", ignore_errors=True)
        self._index.create()


@dataclass(frozen=True, slots=True)
class _Work:
    samples: Sequence[Sample]
    stamps: Sequence[Stamp]
    target: Target | None
    progress: Progress | None


def _known(sample: Sample, what: R | None) -> R:
    if what is None:
        raise DataError(f"{sample.image}: changed while it was read; run again.")
    return what


def _usable(
    found: Sequence[tuple[bool, Place | None]], files: RowFiles, damaged: Collection[int]
) -> list[tuple[bool, Place | None]]:
    """The same without places whose rows are damaged, or whose files are missing or too short."""
    rows = np.array([place.row for _, place in found if place is not None], dtype=np.int64)
    incomplete = set(rows[files.incomplete(rows)].tolist())
    return [
        (known, None if place is None or place.row in damaged or place.row in incomplete else place)
        for known, place in found
    ]


def _make_folder(folder: Path) -> None:
    """See that a folder is a cache, or make it one.

    Raises:
        UsageError: it is something else.
    """
    tag = folder / _TAG
    advice = "give --cache a new or empty folder, or one that humanseg made"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"cache {folder}: is a file; {advice}.")
    if tag.is_file() and "humanseg" in tag.read_text(encoding="utf-8", errors="replace"):
        return
    # Hidden files: another process that makes this very cache may be writing its tag.
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if any(not name.startswith(".") and name not in _NOT_COUNTED for name in names):
        raise UsageError(f"cache {folder}: is not empty and no cache; {advice}.")
    write_bytes(tag, _TAG_TEXT.encode())
