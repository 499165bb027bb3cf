"""What a cache knows, in SQLite: pictures by their files, and where their rows are."""

from __future__ import annotations

import errno
import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from humanseg.data.cache.stamps import Stamp
from humanseg.data.duplicates import Signature
from humanseg.data.inspection import InspectedSample, Remark
from humanseg.errors import DataError
from humanseg.images.resize import Size

FORMAT = 2
"""Changes with whatever is in a cache: how pictures are decoded, looked at, stretched or stored."""

_SCHEMA = (
    "CREATE TABLE maker (name TEXT NOT NULL)",
    """CREATE TABLE pictures (
        id INTEGER PRIMARY KEY, image BLOB NOT NULL, truth BLOB NOT NULL,
        image_bytes INTEGER NOT NULL, image_time INTEGER NOT NULL,
        truth_bytes INTEGER NOT NULL, truth_time INTEGER NOT NULL,
        image_digest TEXT NOT NULL, truth_digest TEXT NOT NULL,
        height INTEGER NOT NULL, width INTEGER NOT NULL, share REAL NOT NULL,
        remarks TEXT NOT NULL, signature BLOB NOT NULL, UNIQUE (image, truth))""",
    """CREATE TABLE resized (
        id INTEGER PRIMARY KEY, height INTEGER NOT NULL, width INTEGER NOT NULL,
        mask_resize TEXT NOT NULL, next INTEGER NOT NULL, UNIQUE (height, width, mask_resize))""",
    """CREATE TABLE rows (
        grid INTEGER NOT NULL, picture INTEGER NOT NULL, row INTEGER NOT NULL,
        checksum INTEGER NOT NULL, PRIMARY KEY (grid, picture)) WITHOUT ROWID""",
)
_KEY = "image = ? AND truth = ?"
_SAME = f"{_KEY} AND image_bytes = ? AND image_time = ? AND truth_bytes = ? AND truth_time = ?"
_SIGNATURE = struct.Struct(">32sQQ3072s")
_PATIENCE = 60.0  # seconds that another process may take for one commit
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SYSTEM = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}


class IndexDamaged(Exception):
    """The file is no index, or not a whole one."""


class OtherMaker(Exception):
    """Another version wrote the index; the argument says which, and which this is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row is."""

    row: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What was found out about a picture, to be stored."""

    stamp: Stamp
    seen: InspectedSample | None
    """None where it is known already."""
    place: Place | None
    """None where no row was made."""


def maker() -> str:
    """What decides on the content of a cache; another Pillow may decode to other pixels."""
    return f"format {FORMAT}, Pillow {PIL.__version__}"


class Index:
    """One file. Every method opens and closes it, so that threads and forks share nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the tables if there are none yet.

        Raises:
            IndexDamaged, OtherMaker: what is there cannot be used.
            OSError: the disk refuses.
        """
        with self._open(check=False) as database, _transaction(database):
            if database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                for statement in _SCHEMA:
                    database.execute(statement)
                database.execute("INSERT INTO maker VALUES (?)", (maker(),))
            _check_maker(database)

    def check(self) -> None:
        """See that the file can be used.

        Raises:
            IndexDamaged, OtherMaker: it cannot.
        """
        with self._open():
            pass

    def seen(self, stamps: Iterable[Stamp]) -> list[InspectedSample | None]:
        """What is known of pictures; None for those that are new or have changed."""
        columns = "height, width, share, remarks, signature, image_digest, truth_digest"
        with self._open() as database:
            found = (_one(database, columns, stamp) for stamp in stamps)
            return [None if row is None else _unpack_seen(*row) for row in found]

    def places(self, stamps: Iterable[Stamp], grid: int) -> list[tuple[bool, Place | None]]:
        """For each picture whether it is known as it is now, and where its row is, if any."""
        columns = "id, row, checksum"
        with self._open() as database:
            found = (_one(database, columns, stamp, grid) for stamp in stamps)
            return [
                (False, None)
                if row is None
                else (True, None if row[1] is None else Place(row[1], row[2]))
                for row in found
            ]

    def digests(self, stamps: Iterable[Stamp]) -> list[tuple[str, str] | None]:
        """The digests of pictures; None for those that are new or have changed."""
        with self._open() as database:
            return [_one(database, "image_digest, truth_digest", stamp) for stamp in stamps]

    def grid(self, size: Size, mask_resize: str) -> int:
        """The number of a grid, which gets one if it has none."""
        key = (*size, mask_resize)
        query = "SELECT id FROM resized WHERE height = ? AND width = ? AND mask_resize = ?"
        with self._open() as database:
            found = database.execute(query, key).fetchone()
            if found is None:
                with _transaction(database):
                    database.execute(
                        "INSERT OR IGNORE INTO resized (height, width, mask_resize, next) "
                        "VALUES (?, ?, ?, 0)",
                        key,
                    )
                found = database.execute(query, key).fetchone()
            return int(found[0])

    def reserve(self, grid: int, count: int) -> range:
        """Rows that nobody else will ever write, even where the file system has no locks."""
        with self._open() as database, _transaction(database):
            query = "UPDATE resized SET next = next + ? WHERE id = ? RETURNING next"
            (end,) = database.execute(query, (count, grid)).fetchone()
            return range(end - count, end)

    def store(self, entries: Sequence[Entry], grid: int | None) -> None:
        """Remember pictures and, once the data is on the disk, their rows: all or none of them."""
        with self._open() as database, _transaction(database):
            for entry in entries:
                if entry.seen is not None:
                    _store_seen(database, entry.stamp, entry.seen)
                if entry.place is not None:
                    database.execute(
                        "INSERT OR REPLACE INTO rows (grid, picture, row, checksum) "
                        f"SELECT ?, id, ?, ? FROM pictures WHERE {_SAME}",
                        (grid, *astuple(entry.place), *_values(entry.stamp)),
                    )

    @contextmanager
    def _open(self, *, check: bool = True) -> Iterator[sqlite3.Connection]:
        with _translated(self.path):
            database = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            with closing(database):
                if check:
                    _check_maker(database)
                yield database


def _check_maker(database: sqlite3.Connection) -> None:
    try:
        row = database.execute("SELECT name FROM maker").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        row = None  # no such table
    if row is None:
        raise IndexDamaged
    if row[0] != maker():
        raise OtherMaker(f"{row[0]}; this is {maker()}")


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing. Closing the connection undoes what an exception left."""
    database.execute("BEGIN IMMEDIATE")
    yield
    database.execute("COMMIT")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into those that others know what to do about."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DAMAGED:
            raise IndexDamaged from error
        if code in _SYSTEM:
            raise OSError(_SYSTEM[code], str(error), str(path)) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise DataError(
                f"{path}: another process has kept it locked for {_PATIENCE:.0f} s; end that "
                "process or give --cache another folder."
            ) from error
        raise


def _one(
    database: sqlite3.Connection, columns: str, stamp: Stamp, grid: int | None = None
) -> tuple[Any, ...] | None:
    """Columns of the picture that has not changed since; None if there is none."""
    if stamp.stats is None:
        return None
    join = "" if grid is None else "LEFT JOIN rows ON rows.picture = id AND rows.grid = ?"
    values = _values(stamp) if grid is None else (grid, *_values(stamp))
    query = f"SELECT {columns} FROM pictures {join} WHERE {_SAME}"
    row: tuple[Any, ...] | None = database.execute(query, values).fetchone()
    return row


def _values(stamp: Stamp) -> tuple[bytes | int, ...]:
    return (*stamp.key, *(stamp.stats or ()))


def _store_seen(database: sqlite3.Connection, stamp: Stamp, seen: InspectedSample) -> None:
    """Remember a picture; what was known of the same file before it changed goes, rows included."""
    database.execute(
        f"DELETE FROM rows WHERE picture IN (SELECT id FROM pictures WHERE {_KEY})", stamp.key
    )
    remarks = json.dumps([astuple(remark) for remark in seen.remarks])
    database.execute(
        "INSERT OR REPLACE INTO pictures (image, truth, image_bytes, image_time, truth_bytes, "
        "truth_time, image_digest, truth_digest, height, width, share, remarks, signature) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *_values(stamp),
            *(seen.digests or ()),
            *(seen.size or ()),
            seen.share,
            remarks,
            _pack_signature(seen.signature),
        ),
    )


def _pack_signature(signature: Signature | None) -> bytes:
    if signature is None:
        raise ValueError("a picture without a signature cannot be stored")
    exact, thumbnail = bytes.fromhex(signature.exact), signature.thumbnail.tobytes()
    return _SIGNATURE.pack(exact, signature.hash, signature.mirrored, thumbnail)


def _unpack_seen(
    height: int,
    width: int,
    share: float,
    remarks: str,
    signature: bytes,
    *digests: str,
) -> InspectedSample:
    exact, straight, mirrored, thumbnail = _SIGNATURE.unpack(signature)
    pixels = np.frombuffer(thumbnail, dtype=np.uint8).reshape(32, 32, 3)
    return InspectedSample(
        size=(height, width),
        share=share,
        signature=Signature(exact.hex(), straight, mirrored, pixels),
        remarks=tuple(Remark(*remark) for remark in json.loads(remarks)),
        digests=(digests[0], digests[1]),
    )
