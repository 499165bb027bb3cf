"""Files of rows of one length: a picture and its truth on the network's grid.

A row holds the picture's bytes (RGB, row by row), then the truth, eight pixels to a byte as
`numpy.packbits` packs them. Rows are written once and never again: who reads one that the index
names reads what was written, whatever other processes add.
"""

from __future__ import annotations

import os
import zlib
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humanseg.data.resized import Pixels
from humanseg.images.resize import Size

FILE_BYTES = 1 << 28
"""About so long a file becomes."""


class RowDamaged(Exception):
    """A row does not hold what was written to it."""


@dataclass(frozen=True, slots=True)
class RowFiles:
    """The files of one grid. Reading opens and closes: nothing is shared by threads or forks."""

    folder: Path
    size: Size
    """(height, width)."""
    mask_resize: str

    @property
    def row_bytes(self) -> int:
        """Length of a row."""
        return _pixels(self.size) * 3 + (_pixels(self.size) + 7) // 8

    @property
    def rows_per_file(self) -> int:
        """Rows in a file that is full."""
        return max(1, FILE_BYTES // self.row_bytes)

    def path(self, row: int) -> Path:
        """The file that a row is in."""
        return self.folder / f"{row // self.rows_per_file:06d}.rows"

    def offset(self, row: int) -> int:
        """Where in its file a row begins."""
        return row % self.rows_per_file * self.row_bytes

    def incomplete(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each row lies in a file that is missing or too short to hold it."""
        files, which = np.unique(rows // self.rows_per_file, return_inverse=True)
        lengths = np.zeros(len(files), dtype=np.int64)
        for position, file in enumerate(files.tolist()):
            with suppress(OSError):
                lengths[position] = self.path(file * self.rows_per_file).stat().st_size
        ends = (rows % self.rows_per_file + 1) * self.row_bytes
        return np.asarray(ends > lengths[which])

    def read(
        self, row: int, checksum: int, image: NDArray[np.uint8], mask: NDArray[np.bool_]
    ) -> None:
        """Read a row into a picture, uint8 (*size, 3), and a truth, bool (*size), both contiguous.

        Raises:
            RowDamaged: it is not there, not whole, or not what was written.
            OSError: the disk does not give it.
        """
        path = self.path(row)
        packed = np.empty((mask.size + 7) // 8, dtype=np.uint8)
        try:
            # Not mapped: mapped pages count as this process's memory, and a file cut short while
            # it is read would end the process instead of giving a sentence.
            with path.open("rb", buffering=0) as stream:
                stream.seek(self.offset(row))
                whole = _fill(stream, image.reshape(-1)) and _fill(stream, packed)
        except FileNotFoundError as error:
            raise RowDamaged from error
        if not whole or _checksum(image, packed) != checksum:
            raise RowDamaged
        bits = np.unpackbits(packed, count=mask.size).view(np.bool_)
        mask[...] = bits.reshape(mask.shape)


@dataclass(frozen=True, slots=True)
class PackedRow:
    """A row as it will be written."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    """Packed."""
    checksum: int
    """CRC-32 of both."""


def pack(pixels: Pixels) -> PackedRow:
    """Prepare a picture, uint8 (height, width, 3), and its truth, bool (height, width)."""
    image, mask = np.ascontiguousarray(pixels[0]), np.packbits(pixels[1])
    return PackedRow(image, mask, _checksum(image, mask))


@dataclass
class RowWriter:
    """Writes rows of one grid; only what was synchronised may be named in the index."""

    files: RowFiles
    _open: dict[Path, FileIO] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def write(self, row: int, packed: PackedRow) -> None:
        """Write one row where nothing is named yet.

        Raises:
            OSError: the disk is full or refuses; names the file.
        """
        path = self.files.path(row)
        try:
            stream = self._stream(path)
            stream.seek(self.files.offset(row))
            for part in (packed.image.reshape(-1), packed.mask):
                _write(stream, part)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def synchronise(self) -> None:
        """Return once everything written is on the disk."""
        for stream in self._open.values():
            os.fsync(stream.fileno())
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        self._open.clear()
        self._stack.close()

    def _stream(self, path: Path) -> FileIO:
        if path not in self._open:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
            handle = os.open(path, flags, 0o666)
            self._open[path] = self._stack.enter_context(os.fdopen(handle, "r+b", buffering=0))
        return self._open[path]


def _pixels(size: Size) -> int:
    return size[0] * size[1]


def _checksum(image: NDArray[np.uint8], packed: NDArray[np.uint8]) -> int:
    return zlib.crc32(packed.data, zlib.crc32(image.data))


def _fill(stream: FileIO, target: NDArray[np.uint8]) -> bool:
    """Read until `target` is full; False if the file ends before."""
    rest = target.data
    while rest:
        count = stream.readinto(rest)
        if not count:
            return False
        rest = rest[count:]
    return True


def _write(stream: FileIO, values: NDArray[np.uint8]) -> None:
    """Write all of `values`, however little the system takes at a time."""
    rest = values.data
    while rest:
        rest = rest[stream.write(rest) :]
