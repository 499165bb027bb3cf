"""Find images that show the same: the one search for copies.

Found are copies that were saved again, resized, squeezed, mirrored, turned by quarters, cropped by
up to 15 % of each side, brightened, darkened, made grey or framed; see docs/duplicates.md for how
many of each. Scenes photographed twice are not copies.

The cost grows with the number of images looked for, and slowly with the number of pairs: candidates
come from tables of 16-bit keys. Thousands of frames of one scene are all candidates of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from humanseg.data.signatures import (
    BITS,
    ORIENTATIONS,
    ImageBits,
    Signature,
    close_frequencies,
    image_bits,
    is_plain,
    oriented,
    turned,
    window_frequencies,
)

CopyKind = Literal["exact", "near", "mirrored", "turned"]
"""`exact`: the same pixels. `turned`: by quarters or upside down, mirrored or not. `near`: any
other change."""

MIN_AGREEMENT = 0.955
"""Share of a copy's frequencies, weighted by their magnitude, that agree in sign. Strangers have
up to 0.95 among the pairs of docs/duplicates.md."""

_MAX_DIFFERING = 28
"""Frequencies of the same 119 that may differ in sign, whatever their magnitude. Where a dozen
frequencies hold nearly all of it, as in drawings of large plain areas, these agree by chance with
one of thousands of images: of two such pairs, 38 and 47 differ; of copies of photographs, up to 23
do."""

MAX_PLAIN_DIFFERENCE = 4.0
"""Mean difference of the thumbnails of copies that show little, grey levels of 255."""

_WORTH_A_LOOK = 0.88  # agreement at the nearest of all windows, before those close to it are tried
_KEY_BITS = 16
_KEYS = tuple(np.arange(start, start + 2 * _KEY_BITS, 2) for start in (0, 1, 12))
_MAX_DISTANCE = 37  # of 119 bits, between a copy and the window that it is nearest to
_TURNS = len(ORIENTATIONS)
_KINDS: dict[str, CopyKind] = {"as it is": "near", "mirrored": "mirrored"}
_PAIRS_AT_ONCE = 1 << 20


class Duplicate(NamedTuple):
    """Two images, by position, that show the same."""

    first: int
    second: int
    kind: CopyKind


class CopyIndex:
    """Images among which copies are looked for."""

    def __init__(
        self, images: ImageBits, thumbnails: Sequence[NDArray[np.uint8]] | None = None
    ) -> None:
        """Sort the bits of images, in all orientations, by parts of them.

        Without their thumbnails a plain image (`is_plain`) is only known by its pixels.
        """
        self._thumbnails = thumbnails
        self._plain = images.plain
        self._digests: dict[bytes, list[int]] = {}
        for position, digest in enumerate(images.digests):
            self._digests.setdefault(digest.tobytes(), []).append(position)
        self._signs = oriented(images.signs).reshape(-1, BITS)
        self._packed = _packed(self._signs)
        self._orders = [np.argsort(_numbers(self._signs[:, key]), kind="stable") for key in _KEYS]
        self._sorted = [
            _numbers(self._signs[order][:, key])
            for key, order in zip(_KEYS, self._orders, strict=True)
        ]

    def copies(self, image: Signature) -> dict[int, CopyKind]:
        """Positions of images that show the same as this one, and how they are alike."""
        best: dict[int, tuple[float, int]] = {}
        for entry, agreement in self._matches(image):
            position, turn = divmod(entry, _TURNS)
            best[position] = max((agreement, -turn), best.get(position, (0.0, 0)))
        kinds: dict[int, CopyKind] = {
            position: _KINDS.get(ORIENTATIONS[-turn], "turned")
            for position, (_, turn) in best.items()
        }
        for position in self._digests.get(bytes.fromhex(image.exact[:16]), ()):
            kinds[position] = "exact"
        return kinds

    def _matches(self, image: Signature) -> Iterator[tuple[int, float]]:
        """Oriented images that an image is a copy of, and how alike they are, up to 1."""
        if is_plain(image):
            yield from self._plain_matches(image)
            return
        frequencies = window_frequencies(image)
        entries = self._candidates(frequencies > 0, plain=False)
        signs = np.where(self._signs[entries], np.float32(1), np.float32(-1))
        agreements = (1 + frequencies @ signs.T) / 2
        for column, entry in enumerate(entries.tolist()):
            window = int(agreements[:, column].argmax())
            if agreements[window, column] >= _WORTH_A_LOOK:
                close = close_frequencies(image, window)
                closer = close @ signs[column]
                agreement = float((1 + closer.max()) / 2)
                differing = np.count_nonzero((close[closer.argmax()] > 0) != self._signs[entry])
                if agreement >= MIN_AGREEMENT and differing <= _MAX_DIFFERING:
                    yield entry, agreement

    def _plain_matches(self, image: Signature) -> Iterator[tuple[int, float]]:
        """The same of an image that shows little: nothing may be cropped."""
        if self._thumbnails is None:
            return
        for entry in self._candidates(window_frequencies(image) > 0, plain=True).tolist():
            position, turn = divmod(entry, _TURNS)
            other = turned(self._thumbnails[position], turn)
            difference = float(np.abs(other.astype(np.float32) - image.thumbnail).mean())
            if difference <= MAX_PLAIN_DIFFERENCE:
                yield entry, 1 - difference / 255

    def _candidates(self, windows: NDArray[np.bool_], *, plain: bool) -> NDArray[np.intp]:
        """Oriented images of which some window has few other bits; bool (windows, BITS).

        Compared are only those that have one of three parts of the bits in common with it.
        """
        packed = _packed(windows)
        near = [np.empty(0, dtype=np.intp)]
        for key, order, ordered in zip(_KEYS, self._orders, self._sorted, strict=True):
            numbers = _numbers(windows[:, key])
            begins, ends = (np.searchsorted(ordered, numbers, side) for side in ("left", "right"))
            for window in _batches(ends - begins):
                counts = ends[window] - begins[window]
                which = np.repeat(np.arange(len(windows))[window], counts)
                offsets = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
                entries = order[np.repeat(begins[window], counts) + offsets]
                distances = np.bitwise_count(packed[which] ^ self._packed[entries]).sum(axis=1)
                near.append(np.unique(entries[distances <= _MAX_DISTANCE]))
        entries = np.unique(np.concatenate(near))
        return np.asarray(entries[self._plain[entries // _TURNS] == plain])


def _batches(counts: NDArray[np.intp]) -> Iterator[slice]:
    """Consecutive rows with about a million pairs: many images that are alike fill the memory."""
    batch = np.cumsum(counts) // _PAIRS_AT_ONCE
    bounds = [0, *(np.flatnonzero(np.diff(batch)) + 1).tolist(), len(counts)]
    for begin, end in pairwise(bounds):
        yield slice(begin, end)


def find_duplicates(signatures: Sequence[Signature]) -> list[Duplicate]:
    """All pairs of positions that show the same, each pair once, `first` < `second`, in order."""
    pairs: dict[tuple[int, int], CopyKind] = {}
    for (position, other), kind in _copies(signatures, signatures).items():
        if other != position:
            pairs.setdefault((min(position, other), max(position, other)), kind)
    return [Duplicate(*pair, kind) for pair, kind in sorted(pairs.items())]


def find_shared(first: Sequence[Signature], second: Sequence[Signature]) -> list[Duplicate]:
    """Pairs of an image of each of two sets that show the same, by position in them, in order."""
    backwards = {(one, two): kind for (two, one), kind in _copies(second, first).items()}
    pairs = backwards | _copies(first, second)
    return [Duplicate(*pair, kind) for pair, kind in sorted(pairs.items())]


def _copies(
    images: Sequence[Signature], among: Sequence[Signature]
) -> dict[tuple[int, int], CopyKind]:
    """What `CopyIndex.copies` finds for each image, by the positions of both."""
    index = CopyIndex(image_bits(among), [image.thumbnail for image in among])
    return {
        (position, other): kind
        for position, image in enumerate(images)
        for other, kind in index.copies(image).items()
    }


def _numbers(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of bits as numbers."""
    return np.asarray(bits @ (1 << np.arange(bits.shape[1])), dtype=np.int64)


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Rows of up to 128 bits as two words: uint64 (rows, 2)."""
    packed = np.zeros((len(bits), 16), dtype=np.uint8)
    packed[:, : -(-bits.shape[1] // 8)] = np.packbits(bits, axis=1)
    return packed.view(np.uint64)


def group_ids(ids: Sequence[str], pairs: Iterable[tuple[int, int]]) -> dict[str, str]:
    """Join pairs of positions into groups: alike to alike is the same group.

    The name of the group of every image, by id, is the first id of the group in string order.
    """
    first, second = np.array([*pairs], dtype=np.intp).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(ids), len(ids)))
    groups = connected_components(graph, directed=False)[1].tolist()
    leaders: dict[int, str] = {}
    for name, group in sorted(zip(ids, groups, strict=True)):
        leaders.setdefault(group, name)
    return {name: leaders[group] for name, group in zip(ids, groups, strict=True)}
