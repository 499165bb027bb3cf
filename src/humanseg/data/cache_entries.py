"""What a cache keeps of a sample, and under which keys."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from humanseg.data.fingerprint import annotations_digest
from humanseg.data.inspection import InspectedSample, Remark
from humanseg.data.resized import stretch
from humanseg.data.samples import Sample
from humanseg.data.signatures import Signature
from humanseg.images.resize import Size
from humanseg.system.threads import ordered_map

FORMAT = 8
_STAT_THREADS = 16  # on a network's disk, most of the time is waiting
_STAT_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Grid:
    """What pixels are stretched to, and how."""

    size: Size
    mask_resize: str

    def __str__(self) -> str:
        return f"{self.size[0]}x{self.size[1]}"

    @property
    def kind(self) -> str:
        """Of the values of a cache that have these pixels."""
        return f"{self}-{self.mask_resize}"

    @property
    def row_bytes(self) -> int:
        """RGB, row by row, then the mask with eight pixels to a byte."""
        return self.size[0] * self.size[1] * 3 + self.mask_bytes

    @property
    def mask_bytes(self) -> int:
        """Of a mask, and of what is ignored, which follows it where there is any."""
        return (self.size[0] * self.size[1] + 7) // 8

    def pack(
        self, image: NDArray[np.uint8], mask: NDArray[np.bool_], ignored: NDArray[np.bool_] | None
    ) -> bytes:
        """The row of an image, uint8 (height, width, 3), and its masks, bool, of any size."""
        image, *masks = stretch(image, mask, self.size, self.mask_resize, ignored)
        bits = [np.packbits(each).tobytes() for each in masks if each is not None]
        return b"".join([np.ascontiguousarray(image).tobytes(), *bits])

    def unpack(self, row: bytes, image: NDArray[np.uint8], *masks: NDArray[np.bool_]) -> None:
        """Write a row into an image, uint8 (*size, 3), and its masks, bool (*size).

        The second, of what is ignored, stays as it is where the row has none.
        """
        values = np.frombuffer(row, dtype=np.uint8)
        image[...] = values[: image.size].reshape(image.shape)
        planes = values[image.size :].reshape(-1, self.mask_bytes)
        for mask, plane in zip(masks, planes, strict=False):
            mask[...] = np.unpackbits(plane, count=mask.size).reshape(mask.shape)


def sample_keys(samples: Sequence[Sample]) -> list[str]:
    """A key for each sample as its files are now; empty where a file is missing."""
    # Another Pillow may decode to other pixels. Neither a path nor a digest holds two NULs.
    maker = f"{FORMAT} {PIL.__version__}".encode()
    absolute = cache(Path.resolve)

    def stamp(path: Path) -> bytes:
        status = path.stat()
        name = os.fsencode(absolute(path.parent) / path.name)
        return name + f"\0{status.st_size},{status.st_mtime_ns}".encode()

    def key(sample: Sample) -> str:
        try:
            truth = stamp(sample.mask) if sample.mask else annotations_digest(sample).encode()
            content = b"\0\0".join((maker, stamp(sample.image), truth))
        except OSError:
            return ""
        return blake2b(content, digest_size=16).hexdigest()

    def keys(start: int) -> list[str]:
        return [key(sample) for sample in samples[start : start + _STAT_AT_ONCE]]

    starts = range(0, len(samples), _STAT_AT_ONCE)
    with closing(ordered_map(keys, starts, threads=_STAT_THREADS)) as results:
        return [key for part in results for key in part]


def pack_facts(result: InspectedSample) -> bytes:
    """JSON on one line, then the thumbnail's bytes."""
    signature = result.signature
    assert signature is not None
    facts = {**asdict(replace(result, signature=None)), "signature": signature.exact}
    return json.dumps(facts).encode() + b"\n" + signature.thumbnail.tobytes()


def unpack_facts(value: bytes) -> InspectedSample:
    """What `pack_facts` was given."""
    text, _, thumbnail = value.partition(b"\n")
    facts = json.loads(text)
    pixels = np.frombuffer(thumbnail, dtype=np.uint8).reshape(32, 32)
    return InspectedSample(
        size=tuple(facts["size"]),
        share=facts["share"],
        signature=Signature(facts["signature"], pixels),
        remarks=tuple(Remark(**remark) for remark in facts["remarks"]),
        digests=tuple(facts["digests"]),
    )
