"""Find pictures that show the same: exact copies, and resized, recompressed or mirrored ones.

Each picture becomes a few kilobytes (`Signature`), so a data set of any size fits in memory. Scenes
photographed twice are not found: perceptual hashes see copies, not places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
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

_THUMBNAIL = 32  # pHash's own working size: hash_size 8 x highfreq_factor 4
_REDUCING_GAP = 3.0  # Pillow's "almost like" the whole filter, at a fifth of its time
_BANDS = MAX_HASH_DISTANCE + 1  # hashes of that distance are equal in one of so many parts
_TILE = 1 << 20  # distances held at a time


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
    small = Image.fromarray(image).resize(
        (_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP
    )
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
    """All pairs of positions that show the same, each pair once, `first` < `second`, in order."""
    hashes = np.array([signature.hash for signature in signatures], dtype=np.uint64)
    mirrored = np.array([signature.mirrored for signature in signatures], dtype=np.uint64)
    straight, flipped = _close_pairs(hashes, hashes), _close_pairs(hashes, mirrored)
    either = np.union1d(straight, flipped)
    count = max(1, len(signatures))
    pairs: list[Duplicate] = []
    for code, is_straight, is_flipped in zip(
        either.tolist(), np.isin(either, straight), np.isin(either, flipped), strict=True
    ):
        first, second = divmod(code, count)
        kind = _compare(signatures[first], signatures[second], bool(is_straight), bool(is_flipped))
        if kind is not None:
            pairs.append(Duplicate(first, second, kind))
    return pairs


def _close_pairs(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs first < second whose hashes left[first] and right[second] are close.

    Hashes that differ in at most 6 bits are equal in one of 7 parts, so only those that share a
    part are compared (Norouzi, Punjani and Fleet, "Fast search in Hamming space with multi-index
    hashing", CVPR 2012). Every seventh bit makes a part: neighbouring frequencies are alike.

    Returns:
        first * number of hashes + second, sorted, each once; int64.
    """
    bits = [
        np.unpackbits(some.astype(">u8").view(np.uint8)).reshape(-1, 64) for some in (left, right)
    ]
    codes = [np.empty(0, dtype=np.int64)]
    for band in range(_BANDS):
        keys = [_numbers(some[:, band::_BANDS]) for some in bits]
        orders = [np.argsort(key, kind="stable") for key in keys]
        parts = np.arange((1 << 64 // _BANDS + 1) + 1)
        ends = [np.searchsorted(key[order], parts) for key, order in zip(keys, orders, strict=True)]
        for part in np.flatnonzero((np.diff(ends[0]) > 0) & (np.diff(ends[1]) > 0)):
            firsts, seconds = (
                order[end[part] : end[part + 1]] for order, end in zip(orders, ends, strict=True)
            )
            codes += _close_within(left, right, firsts, seconds)
    return np.unique(np.concatenate(codes))


def _numbers(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of bits as numbers."""
    return np.asarray(bits @ (1 << np.arange(bits.shape[1])[::-1]), dtype=np.int64)


def _close_within(
    left: NDArray[np.uint64],
    right: NDArray[np.uint64],
    firsts: NDArray[np.intp],
    seconds: NDArray[np.intp],
) -> list[NDArray[np.int64]]:
    """`_close_pairs` of some positions with some others, compared one by one."""
    codes = []
    # All against all would take rows * len(seconds) numbers at once; a few rows keep it small.
    rows = max(1, _TILE // len(seconds))
    for start in range(0, len(firsts), rows):
        some = firsts[start : start + rows, None]
        close = np.bitwise_count(left[some] ^ right[seconds]) <= MAX_HASH_DISTANCE
        first, second = np.nonzero(close & (some < seconds))
        if len(first):
            codes.append(some[first, 0].astype(np.int64) * len(left) + seconds[second])
    return codes


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

    def lead(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]  # shorter for the next one
            index = leader[index]
        return index

    for pair in pairs:
        first, second = lead(pair[0]), lead(pair[1])
        if ids[first] <= ids[second]:
            leader[second] = first
        else:
            leader[first] = second
    return {name: ids[lead(index)] for index, name in enumerate(ids)}
