"""Whatever a user calls a picture, as RGB that lines up with the original to the pixel."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images.colour import to_rgb
from humanseg.images.files import (
    MAX_BYTES,
    Quiet,
    check_pixels,
    decode,
    open_source,
    read_orientation,
    sentences,
    turn_upright,
)
from humanseg.system.errors import ImageError

ImageLike = str | Path | bytes | BinaryIO | NDArray[np.uint8] | Image.Image
"""A path, a file's bytes, a file object, an array or a picture of Pillow; see `load`."""

_KINDS = (
    "a path, the bytes of a file, a file opened with mode 'rb', a uint8 array or a PIL image is "
    "needed"
)
_LAYOUTS = "(height, width, 3) RGB, (height, width, 4) RGBA or (height, width) grey is needed"


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """An image to find people in."""

    pixels: NDArray[np.uint8]
    """(height, width, 3), sRGB, 0 to 255, upright; what is transparent is laid on white."""
    size: tuple[int, int]
    """(height, width) of the upright original: larger than `pixels` if `reduced`."""
    alpha: NDArray[np.uint8] | None
    """(height, width) as `pixels`, 0 transparent to 255 opaque; None if nothing is transparent."""
    notes: tuple[str, ...]
    """What a user may want to know, such as `animated: first of 12 frames`."""
    reduced: bool
    """Whether the file was decoded at a fraction of its size; both cover exactly the same area."""
    source: ImageLike | None = None
    """What was given to `load`."""
    version: tuple[int, int] | None = None
    """Of a file that was named: when it was last written to, in ns, and its length in bytes."""

    def straight(self) -> NDArray[np.uint8]:
        """The colours before transparency was laid on white.

        Returns:
            uint8 (height, width, 3): laid on white with `alpha` they give `pixels` again within one
            level. White where nothing is opaque. `pixels` itself if nothing is transparent.
        """
        if self.alpha is None:
            return self.pixels
        straight = np.empty_like(self.pixels)
        step = max(1, 1_000_000 // self.pixels.shape[1])
        for start in range(0, len(straight), step):
            rows = slice(start, start + step)
            # On white, pixels = 255 - opacity * (255 - colours), solved for the colours.
            opacity = np.maximum(self.alpha[rows, :, None], 1).astype(np.float32) / 255.0
            colours = 255.0 - (255.0 - self.pixels[rows]) / opacity
            straight[rows] = np.clip(np.rint(colours), 0, 255)
        return straight


def load(source: ImageLike, *, at_least: int | None = None) -> LoadedImage:
    """Read a picture from wherever it is.

    EXIF orientation is applied; grey, 16-bit, palette, CMYK, Lab and transparent pictures are
    converted; colour profiles are converted to sRGB; animated files give their first frame. What
    was done beyond the ordinary stands in `LoadedImage.notes`.

    Args:
        source: a path; the bytes of a file; a file object in binary mode (read from its beginning
            if it can seek, to its end otherwise, as standard input); an array, uint8, (H, W, 3)
            RGB, (H, W, 4) RGBA or (H, W) grey, taken as it is; or a PIL image, at its current
            frame, its EXIF orientation applied. Arrays and PIL images are copied, never changed.
        at_least: if only a mask is wanted, the shortest side in pixels that is needed, such as
            the longer side of the network's grid: JPEG files are then decoded at 1/2, 1/4 or 1/8
            of their size, several times as fast, as long as both sides stay at least so long.

    Returns:
        The picture, in memory of its own.

    Raises:
        ImageError: nothing there, a folder, no permission, not a picture in a known format, damaged
            or cut short, empty, of more than `MAX_PIXELS` pixels or `MAX_BYTES` bytes, or an array
            of the wrong type or layout. One sentence.
    """
    if isinstance(source, np.ndarray):
        return replace(_from_array(source), source=source)
    if isinstance(source, Image.Image):
        return replace(_from_pillow(source), source=source)
    source = rereadable(source)
    with open_source(_file_of(source)) as (stream, name):
        version = _version(stream)
        opened = decode(stream, name, at_least=at_least)
        size, reduced, notes = opened.size, opened.reduced, opened.notes
        with sentences(name), Quiet():
            pixels, alpha = to_rgb(opened.image, name, notes)
    return LoadedImage(pixels, size, alpha, tuple(notes), reduced, source, version)


def rereadable(image: ImageLike) -> ImageLike:
    """A file object's content, from its beginning if it can seek; everything else as it is.

    Raises:
        ImageError: a file object that cannot be read, or that gives text.
    """
    if not hasattr(image, "read"):
        return image
    stream = cast("BinaryIO", image)
    try:
        if hasattr(stream, "seekable") and stream.seekable():
            stream.seek(0)
        content: object = stream.read(MAX_BYTES + 1)  # one more than `load` allows
    except (OSError, ValueError) as error:
        raise ImageError(f"picture: the file object cannot be read ({error}).") from error
    if not isinstance(content, bytes):
        raise ImageError("picture: the file object gives text; open it with mode 'rb'.")
    return content


def _file_of(source: object) -> str | bytes:
    """The path or the bytes of a file; everything else is refused."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        if str(source).startswith(("http://", "https://")):
            raise ImageError(f"{source}: is an address; download the image, and give its file.")
        return os.fspath(source)
    tensor = type(source).__module__.partition(".")[0] == "torch"
    hint = (
        " Of a tensor (3, height, width) from 0 to 1: "
        "(255 * tensor).round().byte().permute(1, 2, 0).cpu().numpy()."
    )
    raise ImageError(f"{type(source).__name__} is not a picture: {_KINDS}.{hint if tensor else ''}")


def _version(stream: BinaryIO) -> tuple[int, int] | None:
    """See `LoadedImage`."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # in memory
        return None
    return status.st_mtime_ns, status.st_size


def _from_pillow(image: Image.Image) -> LoadedImage:
    name = getattr(image, "filename", "") or "picture"
    notes: list[str] = []
    with sentences(str(name)), Quiet():
        check_pixels(image.size, str(name))
        image.load()
        orientation, problem = read_orientation(image)
        notes += problem
        if orientation != 1:
            notes.append(f"turned upright (EXIF orientation {orientation})")
        upright = turn_upright(image, orientation)
        pixels, alpha = to_rgb(upright, str(name), notes)
    return LoadedImage(
        pixels, (pixels.shape[0], pixels.shape[1]), alpha, tuple(notes), reduced=False
    )


def _from_array(array: NDArray[np.generic]) -> LoadedImage:
    if array.dtype != np.uint8:
        nan = array.dtype.kind == "f" and bool(np.isnan(array).any())
        scale = "; for values from 0 to 1: (255 * array).round().astype(np.uint8)"
        raise ImageError(
            f"array of {array.dtype}{' with NaN' if nan else ''}: uint8, 0 to 255, is needed"
            f"{scale if array.dtype.kind == 'f' and not nan else ''}."
        )
    shape = array.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (3, 4)):
        first = len(shape) == 3 and shape[0] in (3, 4)
        hint = "; move the channels to the end" if first else ""
        hint = "; give array[:, :, 0]" if len(shape) == 3 and shape[2] == 1 else hint
        hint = "; give one picture at a time" if len(shape) == 4 else hint
        raise ImageError(f"array of shape {shape}: {_LAYOUTS}{hint}.")
    if array.size == 0:
        raise ImageError(f"array of shape {shape}: it holds no pixels.")
    check_pixels((shape[1], shape[0]), "array")
    plain = np.asarray(array, dtype=np.uint8)
    if plain.ndim == 3 and plain.shape[2] == 4:
        pixels, alpha = to_rgb(Image.fromarray(plain), "array")
        return LoadedImage(pixels, (shape[0], shape[1]), alpha, (), reduced=False)
    pixels = np.empty((shape[0], shape[1], 3), dtype=np.uint8)
    pixels[...] = plain if plain.ndim == 3 else plain[:, :, None]
    return LoadedImage(pixels, (shape[0], shape[1]), None, (), reduced=False)
