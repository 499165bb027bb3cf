"""Find pictures that show the same: exact copies, and resized, recompressed or mirrored ones.

Each picture becomes a few kilobytes (`Signature`), so a data set of any size fits in memory. Scenes
photographed twice are not found: perceptual hashes see copies, not places.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_HASH_DISTANCE = 6
"""Bits of 64 in which the perceptual hashes of near duplicates may differ."""
MAX_THUMBNAIL_DIFFERENCE = 12.0
"""Mean difference of near duplicates' thumbnails, grey levels of 255. Flat and simple pictures
share perceptual hashes without being alike; their thumbnails tell them apart."""

WORKERS = max(1, min(4, os.cpu_count() or 1))
"""Threads that decode pictures."""

_THUMBNAIL = 32  # pHash's own working size: hash_size 8 x highfreq_factor 4
_ROWS = 256  # rows of the distance matrix at a time


@dataclass(frozen=True, slots=True)
class Signature:
    """What is kept of a picture to compare it with others."""

    exact: str
    """SHA-256 of shape and decoded pixels."""
    hash: int
    """64-bit perceptual hash (pHash)."""
    mirrored: int
    """The same of the picture mirrored left to right."""
    thumbnail: NDArray[np.uint8]
    """uint8 (32, 32, 3), RGB."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two pictures, by position, that show the same."""

    first: int
    second: int
    kind: Literal["exact", "near", "mirrored"]


def signature(image: NDArray[np.uint8]) -> Signature:
    """Summarise a picture.

    Args:
        image: uint8 (height, width, 3), RGB.
    """
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    small = Image.fromarray(image).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    return Signature(
        exact=digest.hexdigest(),
        hash=_perceptual_hash(small),
        mirrored=_perceptual_hash(small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        thumbnail=np.asarray(small),
    )


def _perceptual_hash(image: Image.Image) -> int:
    import imagehash  # kept out of the import of the package: needs an extra

    bits = np.asarray(imagehash.phash(image).hash, dtype=np.bool_)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def find_duplicates(signatures: Sequence[Signature]) -> list[Duplicate]:
    """All pairs of positions that show the same, each pair once, `first` < `second`."""
    if not signatures:
        return []
    hashes = np.array([s.hash for s in signatures], dtype=np.uint64)
    mirrored = np.array([s.mirrored for s in signatures], dtype=np.uint64)
    pairs: list[Duplicate] = []
    for start in range(0, len(signatures), _ROWS):
        rows = hashes[start : start + _ROWS, None]
        straight = np.bitwise_count(rows ^ hashes[None]) <= MAX_HASH_DISTANCE
        flipped = np.bitwise_count(rows ^ mirrored[None]) <= MAX_HASH_DISTANCE
        for row, column in np.argwhere(straight | flipped):
            first, second = start + int(row), int(column)
            if first < second:
                kind = _compare(
                    signatures[first],
                    signatures[second],
                    bool(straight[row, column]),
                    bool(flipped[row, column]),
                )
                if kind is not None:
                    pairs.append(Duplicate(first, second, kind))
    return pairs


def _compare(
    first: Signature, second: Signature, straight: bool, flipped: bool
) -> Literal["exact", "near", "mirrored"] | None:
    """How two pictures whose hashes are close are alike, if they are."""
    if first.exact == second.exact:
        return "exact"
    if straight and _difference(first.thumbnail, second.thumbnail) <= MAX_THUMBNAIL_DIFFERENCE:
        return "near"
    other = second.thumbnail[:, ::-1]
    if flipped and _difference(first.thumbnail, other) <= MAX_THUMBNAIL_DIFFERENCE:
        return "mirrored"
    return None


def _difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


def group_ids(ids: Sequence[str], pairs: Iterable[tuple[int, int]]) -> dict[str, str]:
    """Join pairs of positions into groups: alike to alike is the same group.

    Returns:
        Name of the group of every picture by id: the first id of the group, in string order.
    """
    leader = list(range(len(ids)))

    def chain(index: int) -> Iterator[int]:
        while leader[index] != index:
            yield index
            index = leader[index]
        yield index

    for pair in pairs:
        first, second = (list(chain(index))[-1] for index in pair)
        if ids[first] <= ids[second]:
            leader[second] = first
        else:
            leader[first] = second
    return {name: ids[list(chain(index))[-1]] for index, name in enumerate(ids)}
