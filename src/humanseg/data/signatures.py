"""What is kept of an image to recognise it again, however it was changed.

A `Signature` is a small grey thumbnail without uniform borders. What is compared are the signs of
low frequencies (`ImageBits`) of the thumbnail's middle: they hardly move when an image is
saved again, resized, brightened or made grey, and turning an image only permutes and flips them.
A copy that was cropped still shows the middle, somewhere in it: hence `window_frequencies`.

Perceptual hashes from the signs of low frequencies: Zauner, "Implementation and benchmarking of
perceptual image hash functions", 2010.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.data.samples import Sample
from humanseg.system.threads import ordered_map

MAX_CROP = 0.15
"""What may be cut off each side of an image; its middle is what is left then."""

_SIDE = 32  # of a thumbnail
_WORKING_SIDE = 128  # at which uniform borders are looked for
_REDUCING_GAP = 2.0  # Pillow's "almost like" the whole filter, at a fifth of its time
_MAX_BORDER = 0.45  # of a side: what is left between two such borders is still an image
_BORDER_SPREAD = 3.0  # grey levels by which the pixels of a uniform border deviate from their mean
_BORDER_STEP = 12.0  # grey levels by which one differs from its row's mean, or a row from the edge
_ORDER = 15  # frequencies u + v from 1 to 14 are compared
_STEP = 0.052  # of a side, between windows: half of it moves no frequency by a quarter wave
_FINER = 5  # places tried within a step
_STRUCTURE = 0.29  # share of a thumbnail's cells with an edge, below which it shows too little
_EDGE = 0.1  # of a thumbnail's range, between cells of two by two pixels

_U, _V = (
    index.astype(np.intp)
    for index in np.array(
        sorted(
            ((u, v) for u, v in product(range(_ORDER), repeat=2) if 0 < u + v < _ORDER),
            key=lambda frequency: (frequency[0] ** 2 + frequency[1] ** 2, frequency),
        )
    ).T
)
BITS = len(_U)
"""Frequencies that are compared, lowest first."""
_WEIGHTS = np.hypot(_U, _V).astype(np.float32)  # images have amplitudes of one over frequency
_FREQUENCIES = list(zip(_U.tolist(), _V.tolist(), strict=True))
_TRANSPOSED = np.array([_FREQUENCIES.index((v, u)) for u, v in _FREQUENCIES])

ORIENTATIONS = (
    "as it is", "upside down", "mirrored", "turned by 180",
    "transposed", "turned by 90", "turned by 270", "transversed",
)  # fmt: skip
"""In the order in which `oriented` gives them."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What is kept of an image to compare it with others; about a kilobyte."""

    exact: str
    """SHA-256 of shape and decoded pixels."""
    thumbnail: NDArray[np.uint8]
    """uint8 (32, 32), grey, without uniform borders, squeezed to a square."""


@dataclass(frozen=True, slots=True)
class ImageBits:
    """What is kept of many images to recognise copies of them; shows none of them."""

    digests: NDArray[np.uint8]
    """uint8 (images, 8): the beginning of `Signature.exact`."""
    signs: NDArray[np.bool_]
    """bool (images, BITS): whether a frequency of the middle is positive."""
    plain: NDArray[np.bool_]
    """bool (images,): `is_plain` of each."""

    def __len__(self) -> int:
        return len(self.digests)


def signature(image: NDArray[np.uint8]) -> Signature:
    """Summarise an image, uint8 (height, width, 3) RGB."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    # Reduced before it becomes grey: that is a fraction of the pixels.
    small = Image.fromarray(image).resize(
        (_WORKING_SIDE, _WORKING_SIDE), Image.Resampling.BOX, reducing_gap=_REDUCING_GAP
    )
    grey = small.convert("L")
    top, bottom = _inside(np.asarray(grey, dtype=np.float32))
    left, right = _inside(np.asarray(grey, dtype=np.float32).T)
    exact = digest.hexdigest()
    inner = _thumbnail(grey, (left, top, right, bottom))
    # What is uniform around a disk on a wall is no frame: without it, all disks are the same.
    if is_plain(Signature(exact, inner)):
        return Signature(exact, _thumbnail(grey, (0, 0, _WORKING_SIDE, _WORKING_SIDE)))
    return Signature(exact, inner)


def _thumbnail(grey: Image.Image, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    small = grey.resize((_SIDE, _SIDE), Image.Resampling.BOX, box=box)
    return np.asarray(small, dtype=np.uint8)


def read_signatures(samples: Sequence[Sample]) -> dict[str, Signature]:
    """Signatures of images by id; decodes each once, in threads.

    Raises:
        ImageError: an image that cannot be read.
    """
    with closing(ordered_map(lambda each: signature(each.read_image()), samples)) as signatures:
        return {sample.id: each for sample, each in zip(samples, signatures, strict=True)}


def _inside(rows: NDArray[np.float32]) -> tuple[int, int]:
    """Where the rows between uniform borders begin and end; all rows if little would be left."""
    means = rows.mean(axis=1)
    even = (rows.std(axis=1) < _BORDER_SPREAD) & (
        np.abs(rows - means[:, None]).max(axis=1) < _BORDER_STEP
    )

    def border(even: NDArray[np.bool_], means: NDArray[np.float32]) -> int:
        uniform = even & (np.abs(means - means[0]) < _BORDER_STEP)
        rest = np.flatnonzero(~uniform)
        width = int(rest[0]) if len(rest) else len(uniform)
        return width if width < _MAX_BORDER * len(uniform) else 0

    return border(even, means), len(rows) - border(even[::-1], means[::-1])


def image_bits(signatures: Sequence[Signature]) -> ImageBits:
    """What is kept of images where nobody is to see them."""
    digests = b"".join(bytes.fromhex(each.exact[:16]) for each in signatures)
    middle = _basis(MAX_CROP, 1 - MAX_CROP)
    signs = np.zeros((len(signatures), BITS), dtype=np.bool_)
    for row, each in zip(signs, signatures, strict=True):
        row[:] = _frequencies(each, middle, middle)[0] > 0
    return ImageBits(
        digests=np.frombuffer(digests, dtype=np.uint8).reshape(-1, 8),
        signs=signs,
        plain=np.array([is_plain(each) for each in signatures], dtype=np.bool_),
    )


def is_plain(image: Signature) -> bool:
    """Whether an image shows too little to know parts of it again, like a disk on a wall.

    Any two disks on walls are cuttings of one another.
    """
    half = _SIDE // 2
    cells = image.thumbnail.astype(np.float32).reshape(half, 2, half, 2).mean(axis=(1, 3))
    down, across = (np.abs(np.diff(cells, axis=axis)) for axis in (0, 1))
    low, high = np.quantile(cells, (0.01, 0.99))
    edges = np.maximum(down[:, :-1], across[:-1]) > _EDGE * max(float(high - low), 1.0)
    return float(edges.mean()) < _STRUCTURE


def oriented(signs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The signs of images that were turned or mirrored, bool (images, 8, BITS); see `ORIENTATIONS`.

    A cosine of odd frequency changes its sign when its axis is turned round, and turning by a
    quarter exchanges the axes.
    """
    across, down = _U % 2 == 1, _V % 2 == 1
    flips = (np.zeros(BITS, dtype=np.bool_), down, across, across ^ down)
    return np.stack(
        [each ^ flip for each in (signs, signs[:, _TRANSPOSED]) for flip in flips], axis=1
    )


def turned(thumbnail: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A thumbnail as `oriented` turns its signs."""
    upright = thumbnail.T if orientation >= 4 else thumbnail
    down, across = orientation % 2, orientation // 2 % 2
    return upright[:: -1 if down else 1, :: -1 if across else 1]


def window_frequencies(image: Signature) -> NDArray[np.float32]:
    """Frequencies of all windows of an image in which the middle of another may lie.

    If one of two images was cut out of the other, with up to `MAX_CROP` off each side, the other's
    middle fills one of these windows of it, or nearly. float32 (windows, BITS), divided by each
    window's sum of magnitudes; zeros where it shows nothing.
    """
    bases = _window_bases()
    return _frequencies(image, bases, bases)


def close_frequencies(image: Signature, window: int) -> NDArray[np.float32]:
    """The same of windows close to a row of `window_frequencies`, to find the best place."""
    lines = _lines()
    down, across = (_close_bases(*lines[index]) for index in divmod(window, len(lines)))
    return _frequencies(image, down, across)


def _frequencies(
    image: Signature, down: NDArray[np.float32], across: NDArray[np.float32]
) -> NDArray[np.float32]:
    every = (down @ image.thumbnail.astype(np.float32) @ across.T).reshape(
        len(down) // _ORDER, _ORDER, len(across) // _ORDER, _ORDER
    )
    weighted = every.transpose(1, 3, 0, 2)[_V, _U].reshape(BITS, -1).T * _WEIGHTS
    return np.asarray(weighted / np.maximum(np.abs(weighted).sum(axis=1, keepdims=True), 1e-6))


@cache
def _lines() -> list[tuple[float, float]]:
    """Where windows begin and end along a side."""
    # The middle of an image that was cropped by 15 % on either side lies at 0.15 + 0.15 * 0.7.
    offsets = np.arange(0.0, MAX_CROP * (2 - 2 * MAX_CROP) + _STEP / 2, _STEP).tolist()
    return [(left, 1 - right) for left, right in product(offsets, repeat=2)]


@cache
def _window_bases() -> NDArray[np.float32]:
    """The cosines of all windows of a line, one below the other: float32 (windows * 15, 32)."""
    return np.concatenate([_basis(*line) for line in _lines()])


@cache
def _close_bases(begin: float, end: float) -> NDArray[np.float32]:
    """The same of windows that begin and end up to half a step before or behind."""
    moves = np.linspace(-_STEP / 2, _STEP / 2, _FINER).tolist()
    return np.concatenate(
        [
            _basis(max(begin + first, 0.0), min(end + last, 1.0))
            for first, last in product(moves, repeat=2)
        ]
    )


def _basis(begin: float, end: float) -> NDArray[np.float32]:
    """Integrals of a window's cosines over the pixels of a thumbnail's line: float32 (15, 32)."""
    edges = (np.clip(np.arange(_SIDE + 1) / _SIDE, begin, end) - begin) / (end - begin)
    order = np.arange(1, _ORDER)[:, None]
    waves = np.sin(np.pi * order * edges) / (np.pi * order)
    return np.diff(np.concatenate([edges[None], waves]), axis=1).astype(np.float32)
