"""One SQLite file of values under 16-byte keys: what a cache keeps, and how it survives mishaps.

SQLite sees to processes that are killed, full disks and several processes at once. A checksum of
each value, and a new file in place of one that SQLite cannot read, see to the rest.
"""

from __future__ import annotations

import errno
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from humanseg.system.atomic import remove_leftovers, write_bytes
from humanseg.system.errors import DataError, UsageError

__all__ = ["CacheFile", "Key", "make_folder"]

T = TypeVar("T")
Key = bytes

_PAGE_BYTES = 1 << 14
_PATIENCE = 600.0  # seconds to wait for another process's commit
_SYSTEM = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""The last because nothing is wrong with the statements: a table must be another one than ours."""
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by humanseg: backups may leave this folder out.
# For information about cache directory tags see https://bford.info/cachedir/
"""


class CacheFile:
    """Values under keys; a file that is damaged or gone is made anew, whatever is asked of it.

    Every method opens and closes: nothing is shared by threads or forks. Each raises an OSError if
    the disk is full or fails, and a DataError if another process keeps the file locked.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None]) -> None:
        """Open the file in a folder that exists; `say` is told if it is damaged."""
        self.path = folder / "cache.sqlite"
        self._say = say
        self.has([b""])

    def get(self, keys: Sequence[Key]) -> list[bytes | None]:
        """The value of each key; None where there is none, or not what was put there."""
        return [None if row is None else _unsealed(row[0]) for row in self._rows("value", keys)]

    def has(self, keys: Sequence[Key]) -> list[bool]:
        """Whether there is a value for each key; reads none."""
        return [row is not None for row in self._rows("1", keys)]

    def put(self, entries: Iterable[tuple[Key, bytes]]) -> None:
        """Keep values, all or none, in place of those that were there."""
        sealed = [(key, _sealed(value)) for key, value in entries]

        def work(database: sqlite3.Connection) -> None:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", sealed)
            database.execute("COMMIT")

        self._run(work)

    def _rows(self, column: str, keys: Sequence[Key]) -> list[tuple[object] | None]:
        query = f"SELECT {column} FROM entries WHERE key = ?"
        return self._run(lambda database: [database.execute(query, (k,)).fetchone() for k in keys])

    def _run(self, work: Callable[[sqlite3.Connection], T], *, mend: bool = True) -> T:
        """Do something with the file; if it turns out to be damaged, again with a new one."""
        try:
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            connection.text_factory = bytes  # a flipped bit makes a text of a value
            with closing(connection) as database:
                # Neither writes where the table is there, so a cache may be read-only.
                database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY NOT NULL, value BLOB)"
                )
                return work(database)
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise DataError(
                    f"{self.path}: another process has kept it locked for {_PATIENCE:.0f} s; end "
                    "that process or give --cache another folder."
                ) from error
            if not mend or code not in _DAMAGE:
                raise OSError(_SYSTEM.get(code, errno.EIO), str(error), str(self.path)) from error
        self._say("it is damaged; it is built anew.")
        for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
            path.unlink(missing_ok=True)
        return self._run(work, mend=False)


def _sealed(value: bytes) -> bytes:
    """A value with its checksum before it."""
    return zlib.crc32(value).to_bytes(4, "little") + value


def _unsealed(value: object) -> bytes | None:
    """What was sealed; None if it is not that, be it of another type."""
    return value[4:] if isinstance(value, bytes) and value == _sealed(value[4:]) else None


def make_folder(folder: Path) -> None:
    """See that a folder is a cache, or make it one.

    Raises:
        UsageError: it is something else.
    """
    tag = folder / _TAG
    remove_leftovers([folder])
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
