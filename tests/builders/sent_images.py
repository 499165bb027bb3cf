"""Pictures as a client sends them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def drawn(size: tuple[int, int] = (90, 120), *, level: int = 255) -> Image.Image:
    """A box of one level on black; `size` is (height, width)."""
    height, width = size
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[height // 4 : -height // 4, width // 3 : -width // 3] = level
    return Image.fromarray(pixels)


def packed(image: Image.Image | None = None, kind: str = "JPEG", **options: object) -> bytes:
    """The file of a picture; of `drawn()` if None."""
    stream = io.BytesIO()
    (image or drawn()).save(stream, format=kind, **options)
    return stream.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few bytes whose header promises `side` x `side` pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
