"""Run lengths of masks, as COCO has them: column by column, background first, packed into text."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from humanseg.effects.regions import row_runs
from humanseg.images import MAX_PIXELS
from humanseg.images.resize import Size

RunLengths: TypeAlias = dict[str, Any]
"""`{"size": [height, width], "counts": text}`, as pycocotools writes it into JSON."""

_BITS = 5  # of a number in one character
_MORE, _SIGN, _LOW = 0x20, 0x10, 0x1F
_LONGEST = 7  # characters of a number; 34 bits are more than any picture has pixels
_ZERO = 48


def encode_mask(
    mask: NDArray[np.bool_], *, size: Size | None = None, corner: tuple[int, int] = (0, 0)
) -> RunLengths:
    """A mask, bool (height, width), or a part of one, as compressed run lengths.

    `size` is that of the whole picture if the mask is a part, whose top left pixel is at `corner`,
    (row, column).

    Raises:
        ValueError: the mask reaches beyond the picture, or that is too large.
    """
    height, width = size or mask.shape
    top, left = corner
    if height * width > MAX_PIXELS:
        raise ValueError(f"a mask is of a picture of {width}x{height} pixels, which is too large")
    if min(top, left) < 0 or top + mask.shape[0] > height or left + mask.shape[1] > width:
        raise ValueError(
            f"a mask of {mask.shape[1]}x{mask.shape[0]} pixels at column {left}, row {top} reaches "
            f"beyond its picture of {width}x{height}"
        )
    starts, ends, stride = row_runs(mask.T)
    shift = (left + starts // stride) * height + top - starts // stride * stride
    starts, ends = starts + shift, ends + shift
    apart = starts[1:] != ends[:-1]  # a run may go on at the top of the next column
    starts, ends = starts[np.r_[True, apart][: len(starts)]], ends[np.r_[apart, True][: len(ends)]]
    borders = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(borders, prepend=0, append=height * width)
    return {"size": [height, width], "counts": compress(counts if counts[-1] else counts[:-1])}


def decode_mask(counts: NDArray[np.int64], size: Size) -> NDArray[np.bool_]:
    """The mask, bool (height, width), of run lengths that add up to its pixels."""
    values = np.arange(len(counts)) % 2 == 1  # background and person in turn
    return np.repeat(values, counts).reshape(size[1], size[0]).T


def compress(counts: NDArray[np.int64]) -> str:
    """Run lengths as COCO's text, as `rleToString` in pycocotools' maskApi.c.

    Five bits per character, lowest first; from the fourth number on, differences to the last but
    one.
    """
    rest = counts.astype(np.int64)
    rest[3:] -= counts[1:-2]
    characters = np.zeros((len(rest), _LONGEST), dtype=np.uint8)
    used = np.zeros(characters.shape, dtype=np.bool_)
    going = np.ones(len(rest), dtype=np.bool_)
    for column in range(_LONGEST):
        low, rest = rest & _LOW, rest >> _BITS
        more = rest != np.where(low & _SIGN, -1, 0)
        characters[:, column] = low + _MORE * more + _ZERO
        used[:, column] = going
        going &= more
        if not going.any():
            break
    return characters[used].tobytes().decode("ascii")


def decompress(text: str) -> NDArray[np.int64] | None:
    """Run lengths of COCO's text; None if it is damaged.

    As `rleFrString` in pycocotools' maskApi.c, which trusts its input. The numbers need not add up.
    """
    signs = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8).astype(np.int64) - _ZERO
    last = np.flatnonzero((signs & _MORE) == 0)
    if not len(last) or last[-1] != len(signs) - 1 or signs.min() < 0 or signs.max() >= 2 * _MORE:
        return None
    lengths = np.diff(last, prepend=-1)
    starts = last - lengths + 1
    if lengths.max() > _LONGEST:
        return None
    places = np.arange(len(signs)) - np.repeat(starts, lengths)
    counts = np.add.reduceat((signs & _LOW) << (_BITS * places), starts)
    counts -= np.where(signs[last] & _SIGN, 1 << (_BITS * lengths), 0)
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts
