"""By what a cache recognises a picture and its truth, and sees that they have changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from humanseg.data.fingerprint import annotations_digest
from humanseg.data.samples import Sample

_THREADS = 16  # on a network's disk, most of the time is waiting
_AT_A_TIME = 1024

_Stat = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Two files, as they were when they were looked up."""

    image: bytes
    """Absolute path."""
    truth: bytes
    """Absolute path, or for outlines a NUL, which no path holds, and their digest."""
    stats: tuple[int, int, int, int] | None
    """Bytes and time of the last change (ns) of picture and truth; None if one is missing."""

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Which picture with which truth this is, whatever is in the files."""
        return self.image, self.truth


def stamp_all(samples: Sequence[Sample]) -> list[Stamp]:
    """Inspection up the files of samples."""

    @cache
    def absolute(folder: Path) -> Path:
        return folder.resolve()

    def stamp(sample: Sample) -> Stamp:
        image = absolute(sample.image.parent) / sample.image.name
        first = _stat(image)
        if sample.mask is None:
            truth = b"\0" + annotations_digest(sample).encode()
            second: _Stat | None = (0, 0)
        else:
            path = absolute(sample.mask.parent) / sample.mask.name
            truth, second = os.fsencode(path), _stat(path)
        stats = None if first is None or second is None else (*first, *second)
        return Stamp(os.fsencode(image), truth, stats)

    def stamp_some(start: int) -> list[Stamp]:
        return [stamp(sample) for sample in samples[start : start + _AT_A_TIME]]

    with ThreadPoolExecutor(_THREADS) as pool:
        parts = pool.map(stamp_some, range(0, len(samples), _AT_A_TIME))
        return [one for part in parts for one in part]


def _stat(path: Path) -> _Stat | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
