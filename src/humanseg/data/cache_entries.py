"""What a cache keeps of a sample, under which keys, and in which files.

A file is written at once or not at all, so that a process that is killed leaves whole ones. It ends
in a checksum: a damaged one is as good as none.
"""

from __future__ import annotations

import json
import os
import zlib
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
from humanseg.system.atomic import remove_leftovers, write_bytes
from humanseg.system.errors import UsageError
from humanseg.system.threads import ordered_map

FORMAT = 8
_STAT_THREADS = 16  # on a network's disk, most of the time is waiting
_STAT_AT_ONCE = 1024
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by humanseg: backups may leave this folder out.
# For information about cache directory tags see https://bford.info/cachedir/
"""


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


class CacheFolder:
    """Values of several kinds, each under a key that may be part of a file's name.

    Nothing stays open: threads and processes may share it. Every method raises an OSError if the
    disk is full or fails.
    """

    def __init__(self, root: Path) -> None:
        """Make a folder a cache, or raise a UsageError where it is something else."""
        self.root = root
        advice = "give --cache a new or empty folder, or one that humanseg made"
        if root.exists() and not root.is_dir():
            raise UsageError(f"cache {root}: is a file; {advice}.")
        paths = list(root.iterdir()) if root.is_dir() else []
        tag = root / _TAG
        if tag.is_file() and "humanseg" in tag.read_text(encoding="utf-8", errors="replace"):
            remove_leftovers([root, *(path for path in paths if path.is_dir())])
            return
        # Hidden files: another process that makes this very cache may be writing its tag. A disk's
        # own top folder holds lost+found.
        if any(not path.name.startswith(".") and path.name != "lost+found" for path in paths):
            raise UsageError(f"cache {root}: is not empty and no cache; {advice}.")
        write_bytes(tag, _TAG_TEXT.encode())

    def has(self, kind: str, key: str) -> bool:
        """Whether there is a value, which is not read."""
        return (self.root / kind / key).is_file()

    def get(self, kind: str, key: str) -> bytes | None:
        """A value; None where there is none. What is not as it was put there is removed."""
        file = self.root / kind / key
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return None
        value, checksum = content[:-4], content[-4:]
        if value and zlib.crc32(value).to_bytes(4, "little") == checksum:
            return value
        file.unlink(missing_ok=True)
        return None

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Keep a value, in place of one that was there."""
        content = value + zlib.crc32(value).to_bytes(4, "little")
        write_bytes(self.root / kind / key, content)
