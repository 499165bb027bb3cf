"""Open a stranger's file, whatever it holds: a decoded, upright picture or one sentence."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from humanseg.system.errors import ImageError, ImageFormatError, ImageSizeError

# Without a handler of its own Python would print Pillow's log of damaged files to stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded."""
MAX_BYTES = 1 << 30
"""Larger files are refused; 100 million pixels of 16 bits in three channels take 0.6 GB."""

SUFFIXES = frozenset(
    {
        ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jp2", ".jpe",
        ".jpeg", ".jpg", ".jpx", ".mpo", ".pbm", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".tif",
        ".tiff", ".webp",
    }
)  # fmt: skip
"""Endings, in small letters, of the files in a folder that are taken for pictures."""

# What cameras, phones, scanners and the web write. Left out on purpose: PostScript, PDF and WMF,
# which run programs, and formats that Pillow guesses without a signature or that nobody sends.
_PLUGINS = {
    "JPEG": "JpegImagePlugin",  # and MPO, which several phones write
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "TIFF": "TiffImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "PPM": "PpmImagePlugin",
}
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)

# EXIF orientation: how to turn what is stored so that it stands upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Quiet(contextlib.AbstractContextManager[None]):
    """Context in which Pillow gives no warnings, in any number of threads at once.

    `warnings.catch_warnings` alone puts back, when threads overlap, what another thread had set,
    and may leave warnings off for good. Here the first one in switches them off and the last one
    out switches them on again. Only warnings that come from Pillow's modules are meant.
    """

    _lock = threading.Lock()
    _inside = 0
    _saved: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with Quiet._lock:
            if Quiet._inside == 0:
                Quiet._saved = warnings.catch_warnings()
                Quiet._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)(\.|$)")
            Quiet._inside += 1

    def __exit__(self, *_: object) -> None:
        with Quiet._lock:
            Quiet._inside -= 1
            if Quiet._inside == 0 and Quiet._saved is not None:
                Quiet._saved.__exit__(None, None, None)
                Quiet._saved = None


@dataclass
class Opened:
    """A decoded picture in its own mode."""

    image: Image.Image
    """Upright."""
    size: tuple[int, int]
    """(height, width) of the upright original; larger than `image` where that is `reduced`."""
    reduced: bool = False
    notes: list[str] = field(default_factory=list)


def decode(stream: BinaryIO, name: str, *, at_least: int | None = None) -> Opened:
    """Decode a picture from the beginning of a stream that can seek, upright.

    JPEG files may be decoded at 1/2, 1/4 or 1/8 of their size as long as both sides stay `at_least`
    so long. Errors call it by `name`.

    Raises:
        ImageError: not a picture, truncated, or more than `MAX_PIXELS` pixels.
    """
    with sentences(name), Quiet():
        _check_bytes(stream, name)
        file = identify(stream, name)
        check_pixels(file.size, name)
        whole = file.size
        if at_least is not None and file.format in ("JPEG", "MPO"):
            image = _load_reduced(file, max(1, at_least))
        else:
            file.load()
            image = file
            whole = file.size  # TIFF files are turned, HEIC corrected, only now
            check_pixels(whole, name)
        reduced = image.size != whole
        notes = _frames(file, stream)
        orientation, problem = read_orientation(image)
        size = whole if orientation >= 5 else whole[::-1]
        return Opened(turn_upright(image, orientation), size, reduced, [*notes, *problem])


def read_orientation(image: Image.Image) -> tuple[int, list[str]]:
    """The EXIF orientation, 1 to 8, and a note if it cannot be read."""
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001  damaged EXIF data raises many kinds; the pixels are sound
        return 1, ["damaged EXIF data: taken as upright"]
    return (orientation if orientation in _UPRIGHT else 1), []


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """A new picture that stands upright; the given one, untouched, if it does already."""
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; `ImageError` with one sentence where that fails."""
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file.") from error
    except (IsADirectoryError, PermissionError) as error:
        # Windows calls a folder a matter of permission; `Path.is_dir` may itself be refused.
        if os.path.isdir(path):  # noqa: PTH112
            raise ImageError(f"{path}: is a folder, not a picture.") from error
        raise ImageError(f"{path}: may not be read (permission denied).") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be opened ({_reason(error)}).") from error
    with stream:
        yield stream


@contextlib.contextmanager
def open_source(source: str | Path | bytes) -> Iterator[tuple[BinaryIO, str]]:
    """A file, or its content, as a stream that can seek; and what errors call it."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), "picture"
    else:
        with open_file(Path(source)) as stream:
            yield stream, str(source)


@contextlib.contextmanager
def sentences(name: str) -> Iterator[None]:
    """Everything that decoders raise, as `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageFormatError(f"{name}: not a picture in a known format.") from error
    except Image.DecompressionBombError as error:
        raise ImageSizeError(
            f"{name}: too many pixels; at most {MAX_PIXELS // 1_000_000} million are allowed."
        ) from error
    except MemoryError as error:
        raise ImageSizeError(f"{name}: too large for the memory of this machine.") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise ImageError(f"{name}: damaged or cut short ({_reason(error)}).") from error


def _reason(error: Exception) -> str:
    """What a library says, on one short line."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(error))
    return " ".join(text.split())[:200] or type(error).__name__


def _check_bytes(stream: BinaryIO, name: str) -> None:
    stream.seek(0, os.SEEK_END)
    length = stream.tell()
    stream.seek(0)
    if length == 0:
        raise ImageFormatError(f"{name}: not a picture, the file is empty (0 bytes).")
    if length > MAX_BYTES:
        raise ImageSizeError(
            f"{name}: {length / 1e9:.1f} GB; files of at most {MAX_BYTES / 1e9:.1f} GB are read."
        )


def check_pixels(size: tuple[int, int], name: str) -> None:
    """Refuse a picture of more than `MAX_PIXELS`; `size` is (width, height)."""
    width, height = size
    if height * width > MAX_PIXELS:
        raise ImageSizeError(
            f"{name}: {width}x{height} pixels; at most {MAX_PIXELS // 1_000_000} million are "
            "allowed. Make it smaller first."
        )
    if height < 1 or width < 1:
        raise ImageError(f"{name}: {width}x{height} pixels; it holds no picture.")


@functools.cache
def _formats() -> tuple[str, ...]:
    """The allowed formats; importing their plugins by name keeps Pillow from importing all."""
    for plugin in _PLUGINS.values():
        importlib.import_module(f"PIL.{plugin}")
    return tuple(_PLUGINS)


def identify(stream: BinaryIO, name: str) -> ImageFile.ImageFile:
    """Read the header of an opened picture file; nothing is decoded.

    Raises:
        ImageError: a HEIC picture, and its reader is not installed.
        UnidentifiedImageError: no picture in a known format.
    """
    prefix = stream.read(12)
    stream.seek(0)
    if prefix[4:8] != b"ftyp" or prefix[8:12] not in _HEIF_BRANDS:
        return Image.open(stream, formats=_formats())
    with contextlib.suppress(UnidentifiedImageError):  # AVIF files share two of the brands
        return Image.open(stream, formats=_formats())
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ImageFormatError(
            f'{name}: HEIC pictures need the optional reader: pip install "humanseg[heic]".'
        ) from error
    stream.seek(0)
    image: ImageFile.ImageFile = HeifImageFile(stream)  # type: ignore[no-untyped-call]
    return image


def _load_reduced(image: ImageFile.ImageFile, at_least: int) -> Image.Image:
    """Decode a JPEG file at the smallest scale that keeps both sides at least `at_least`.

    libjpeg rounds the reduced sides up, so the last row and column reach beyond the picture; what
    is beyond is cut off, to the fraction of a pixel.
    """
    drafted = image.draft(None, (at_least, at_least))
    image.load()
    if drafted is None:
        return image
    _, inner = drafted
    size = (int(inner[2]), int(inner[3]))
    if size == (inner[2], inner[3]):
        return image
    return image.resize(size, Image.Resampling.BILINEAR, box=inner)


def _frames(image: ImageFile.ImageFile, stream: BinaryIO) -> list[str]:
    """A note where a file holds several pictures.

    They are counted only where the header says how many there are: a made-up GIF or TIFF file can
    hold millions.
    """
    try:
        match image.format:
            case "PNG" | "WEBP" | "AVIF":
                count = getattr(image, "n_frames", 1)
                return [f"animated: first of {count} frames"] if count > 1 else []
            case "GIF":  # looking for a second frame would lose the first one's pixels
                animated = bool(getattr(Image.open(stream, formats=("GIF",)), "is_animated", False))
                return ["animated: first frame"] if animated else []
            case "TIFF":
                return ["several pages: the first"] if getattr(image, "is_animated", False) else []
            case "HEIF":
                count = getattr(image, "n_frames", 1)
                return [f"several pictures: the main one of {count}"] if count > 1 else []
    except Exception:  # noqa: BLE001  damage beyond the first frame does not matter
        return []
    return []  # MPO: one photo with previews or a depth map
