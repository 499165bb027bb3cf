"""Results as picture files: encoded in memory, then written at once or not at all."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import putchunk

from humanseg.system.errors import ImageError, UsageError

if TYPE_CHECKING:
    from humanseg.images.camera_metadata import CameraMetadata

FormatName: TypeAlias = Literal["png", "jpg", "webp", "tiff"]
"""A file format that results are written in."""

SUFFIXES: dict[str, FormatName] = {
    ".png": "png",
    ".jpg": "jpg",
    ".jpeg": "jpg",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
"""Suffixes, in lower case, by which a named output file chooses its format."""

_PNG = b"\x89PNG\r\n\x1a\n"
_DATE = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
"""Of the profile, in place of the time at which it is made."""
_ROWS = 256  # of a mask, compressed at a time: bounded memory at 100 megapixels


@dataclass(frozen=True)
class _Format:
    pillow: str
    options: dict[str, Any]
    largest: int  # pixels on a side


_FORMATS: dict[FormatName, _Format] = {
    # zlib level 2: on photographs much faster than level 6, for files that are a little larger.
    "png": _Format("PNG", {"compress_level": 2}, 2**31 - 1),
    "jpg": _Format("JPEG", {"quality": 95, "subsampling": 0}, 65_500),
    # `exact` keeps the colour of transparent pixels, without which alpha could not be edited.
    "webp": _Format("WEBP", {"lossless": True, "quality": 0, "exact": True}, 16_383),
    "tiff": _Format("TIFF", {"compression": "tiff_adobe_deflate"}, 2**31 - 1),
}
_HOLDERS: dict[str, tuple[tuple[FormatName, ...], str]] = {
    "mask": (("png", "webp", "tiff"), "would blur the edge of a mask"),
    "probability": (("png", "tiff"), "holds 8 bits, probabilities have 16"),
    "cutout": (("png", "webp", "tiff"), "holds no transparency"),
}
"""Formats by the output that not all can hold, and what the others lack."""


def formats_for(output: str) -> tuple[FormatName, ...]:
    """The formats that can hold an output."""
    return _HOLDERS[output][0] if output in _HOLDERS else tuple(_FORMATS)


def check_format(name: FormatName, output: str) -> None:
    """Refuse a format that cannot hold an output: `mask`, `probability`, `cutout` or a picture.

    Raises:
        UsageError: a mask or transparency as JPEG, or 16 bits as JPEG or WebP.
    """
    allowed = formats_for(output)
    if name not in allowed:
        raise UsageError(
            f"{name} {_HOLDERS[output][1]}; for --as {output} use {', '.join(allowed[:-1])} or "
            f"{allowed[-1]}."
        )


def usual_format(output: str) -> FormatName:
    """The format of an output if none is asked for: lossless where a loss would matter."""
    return "jpg" if output in ("blur", "replace", "overlay") else "png"


def check_encoding(
    name: FormatName, output: str, *, quality: int | None, keep_metadata: str | None
) -> None:
    """Refuse a format for an output, and settings that are impossible or of no use to it.

    Raises:
        UsageError: see `check_format`; or a wrong quality, or one that the format or the output has
            no use for; or the format takes no metadata.
    """
    check_format(name, output)
    if quality is not None:
        if not 1 <= quality <= 100:
            raise UsageError(f"--quality: got {quality}; must be at least 1 and at most 100.")
        if name not in ("jpg", "webp"):
            raise UsageError(f"--quality has no effect on {name}, which is lossless; leave it out.")
        if output == "mask":
            raise UsageError("--quality would blur the edge of a mask; leave it out.")
    if keep_metadata is not None and name == "tiff":
        raise UsageError("--keep-metadata: tiff cannot take it here; use png, jpg or webp.")


def show_mask(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A mask as it is written: uint8, 255 for a person, else 0."""
    return np.multiply(mask.view(np.uint8), np.uint8(255))


def encode(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    name: FormatName,
    *,
    quality: int | None = None,
    metadata: CameraMetadata | None = None,
) -> bytes:
    """A result as the bytes of a picture file; colours are sRGB, and said to be.

    Args:
        pixels: uint8 (H, W), uint16 (H, W), uint8 (H, W, 3) RGB or uint8 (H, W, 4) RGBA with
            straight alpha.
        name: format; all but `jpg` are lossless, `webp` as long as no quality is given.
        quality: of `jpg` and `webp`, 1 to 100; see `check_encoding`.
        metadata: of the camera, to be written too; not into `tiff`.

    Raises:
        ImageError: more pixels on a side than the format allows.
    """
    kind = _FORMATS[name]
    if max(pixels.shape[:2]) > kind.largest:
        height, width = pixels.shape[:2]
        raise ImageError(
            f"{width}x{height} pixels do not fit into {name} (at most {kind.largest} on a side); "
            "use --format png."
        )
    if name == "png" and pixels.dtype == np.uint8 and pixels.ndim == 2 and metadata is None:
        return _grey_png(np.asarray(pixels, dtype=np.uint8))
    options = dict(kind.options)
    if pixels.ndim == 3:
        options["icc_profile"] = _srgb()
    if quality is not None:
        options["quality"] = quality
        options |= {"lossless": False} if name == "webp" else {}
    if metadata is not None:
        options["exif"] = metadata.exif
        options |= {} if metadata.dpi is None else {"dpi": metadata.dpi}
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format=kind.pillow, **options)
    return stream.getvalue()


@cache
def _srgb() -> bytes:
    """The profile of sRGB: 588 bytes, the same every time."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = _DATE
    return bytes(profile)


def _grey_png(grey: NDArray[np.uint8]) -> bytes:
    """8-bit grey as PNG: faster than Pillow on masks, which tries five filters on each row.

    Every row is stored as its difference from the row above (filter 2), which of a mask is nearly
    all zeros; zlib's run-length strategy then finds all there is.
    """
    height, width = grey.shape
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    packed = []
    above = np.zeros(width, dtype=np.uint8)
    for top in range(0, height, _ROWS):
        band = grey[top : top + _ROWS]
        rows = np.full((len(band), width + 1), 2, dtype=np.uint8)
        np.subtract(band[0], above, out=rows[0, 1:])
        np.subtract(band[1:], band[:-1], out=rows[1:, 1:])
        packed.append(packer.compress(rows.data))
        above = band[-1]
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    stream = io.BytesIO(_PNG)
    stream.seek(len(_PNG))
    putchunk(stream, b"IHDR", header)
    putchunk(stream, b"IDAT", *packed)
    putchunk(stream, b"IEND")
    return stream.getvalue()
