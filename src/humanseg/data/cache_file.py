"""One SQLite file of values under 16-byte keys: what a cache keeps, and how it survives mishaps.

SQLite sees to processes that are killed, full disks and several processes at once. A checksum of
each value, and rebuilding a file that SQLite cannot read, see to the rest.
"""

from __future__ import annotations

import errno
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import PIL

from humanseg.errors import DataError, UsageError
from humanseg.system.atomic import write_bytes
from humanseg.system.lock import held

__all__ = ["CacheFile", "Key", "make_folder"]

T = TypeVar("T")
Key = bytes

FORMAT = 4

_NAME = "cache.sqlite"
_PAGE_BYTES = 1 << 14
_PATIENCE = 600.0  # seconds to wait for another process's commit
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_SYSTEM = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}


_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by humanseg: backups may leave this folder out.
# For information about cache directory tags see https://bford.info/cachedir/
"""


class _Damaged(Exception):
    """SQLite cannot read the file."""


class _OtherMaker(Exception):
    """Another version of humanseg or Pillow made the file."""


def maker() -> str:
    """What decides on the content of a cache; another Pillow may decode to other pixels."""
    return f"format {FORMAT}, Pillow {PIL.__version__}"


class CacheFile:
    """Values under keys, in a folder. A file that is damaged is emptied, whatever is asked of it.

    Every method opens and closes: nothing is shared by threads or forks.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None]) -> None:
        """Open the file, or make it; one that is damaged or of another maker is made anew.

        Args:
            folder: exists.
            say: called with what the user would not expect, a sentence without its subject.

        Raises:
            OSError: it cannot be made, read or written to.
        """
        self.path = folder / _NAME
        self._say = say
        try:
            if self.path.exists():
                with self._connection():
                    return
        except (_Damaged, _OtherMaker):
            pass
        self._create()

    def get(self, keys: Iterable[Key], use: Callable[[int, bytes | None], None]) -> None:
        """Call a function with the position of every key and its value, one after another.

        None stands for a value that is not there, or is not what was put there.

        Raises:
            DataError: another version has made the file meanwhile.
            OSError: the disk fails.
        """

        def work() -> None:
            with self._connection() as database:
                query = "SELECT value FROM entries WHERE key = ?"
                for position, key in enumerate(keys):
                    row = database.execute(query, (key,)).fetchone()
                    use(position, None if row is None else _unsealed(row[0]))

        self._repairing(work)

    def has(self, keys: Sequence[Key]) -> list[bool]:
        """Whether there is a value for each key; reads none.

        Raises:
            DataError, OSError: as `get`.
        """

        def work() -> list[bool]:
            with self._connection() as database:
                query = "SELECT 1 FROM entries WHERE key = ?"
                return [database.execute(query, (key,)).fetchone() is not None for key in keys]

        return self._repairing(work)

    def put(self, entries: Iterable[tuple[Key, bytes]]) -> None:
        """Keep values, all or none, in place of those that were there.

        Raises:
            DataError, OSError: as `get`; or the disk is full.
        """
        sealed = [(key, _sealed(value)) for key, value in entries]

        def work() -> None:
            with self._connection() as database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", sealed)
                database.execute("COMMIT")

        self._repairing(work)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that lives no longer than this block: others would not survive a fork."""
        try:
            with closing(
                sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            ) as database:
                made_by = database.execute("SELECT name FROM maker").fetchone()
                if made_by is None:
                    raise _Damaged
                if made_by[0] != maker():
                    raise _OtherMaker(f"{made_by[0]}; this is {maker()}")
                yield database
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.DatabaseError) -> Exception:
        """SQLite's errors as those that others know what to do about."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DAMAGED:
            return _Damaged()
        if code in _SYSTEM:
            return OSError(_SYSTEM[code], str(error), str(self.path))
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return DataError(
                f"{self.path}: another process has kept it locked for {_PATIENCE:.0f} s; end that "
                "process or give --cache another folder."
            )
        return error

    def _repairing(self, work: Callable[[], T]) -> T:
        """Do something; if the file turns out to be damaged, do it again with a new one."""
        try:
            return work()
        except _Damaged:
            self._create()
            return work()
        except _OtherMaker as error:
            raise DataError(
                f"cache {self.path.parent}: another version of humanseg or Pillow has built it "
                f"anew meanwhile ({error}); give each version a folder of its own and run again."
            ) from error

    def _create(self) -> None:
        """Make the file, in place of one that cannot be used."""
        with held(self.path.with_name("create-lock"), waiting=lambda: None):
            try:
                if self.path.exists() and self.path.stat().st_size:
                    with self._connection():
                        return  # another process has made it
            except _Damaged:
                self._say("it is damaged; it is built anew.")
            except _OtherMaker as error:
                self._say(
                    f"was made by another version of humanseg or Pillow ({error}); it is built "
                    "anew."
                )
            for path in (self.path, self.path.with_name(f"{_NAME}-journal")):
                path.unlink(missing_ok=True)
            with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
                database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                database.execute("BEGIN")
                database.execute("CREATE TABLE maker (name TEXT NOT NULL)")
                database.execute("INSERT INTO maker VALUES (?)", (maker(),))
                database.execute(
                    "CREATE TABLE entries (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)"
                )
                database.execute("COMMIT")


def _sealed(value: bytes) -> bytes:
    return zlib.crc32(value).to_bytes(4, "little") + value


def _unsealed(value: bytes) -> bytes | None:
    """What `_sealed` was given; None if these are not the bytes that it gave."""
    return value[4:] if zlib.crc32(value[4:]) == int.from_bytes(value[:4], "little") else None


def make_folder(folder: Path) -> None:
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
    # Hidden files: another process that makes this very cache may be writing its tag. A disk's own
    # top folder holds lost+found.
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if any(not name.startswith(".") and name != "lost+found" for name in names):
        raise UsageError(f"cache {folder}: is not empty and no cache; {advice}.")
    write_bytes(tag, _TAG_TEXT.encode())
