"""Frames without a container, as pipes carry them: raw RGB, and y4m (YUV4MPEG2).

Raw frames are rows of pixels and nothing else: FFmpeg's `rgb24`, `rgba` or `gray`. y4m says its own
size, rate and pixel format in a line of text. It does not say its matrix, which is taken as players
take it: BT.709 above 576 lines, BT.601 below; levels from 16 to 235 unless `XCOLORRANGE=FULL`. What
is read but is none of these, or ends within a frame, raises an ImageError.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images.resize import Size
from humanseg.system.errors import ImageError
from humanseg.video.container import check_pixels
from humanseg.video.frame_colour import HD_LINES

_LONGEST_LINE = 4096
_DIVISORS = {"420": 2, "420jpeg": 2, "420mpeg2": 2, "420paldv": 2, "444": 1, "mono": 0}
"""By pixel format, how many pixels of the image share one of the colour planes; 0: no such planes.
Where in their square colours were sampled is not told apart."""
_SOURCE = "standard input"


@dataclass(frozen=True)
class FrameStream:
    """What is known of frames before the first one."""

    size: Size
    """(height, width)."""
    rate: Fraction
    """Frames per second."""
    pixels: str = "rgb24"
    """y4m's name for how pixels are stored; `rgb24` of raw frames."""
    full_range: bool = False
    """0 to 255 rather than 16 to 235; of y4m."""

    @property
    def planes(self) -> tuple[Size, ...]:
        """(height, width) of each plane of bytes in a frame."""
        height, width = self.size
        if self.pixels == "rgb24":
            return ((height, 3 * width),)
        divisor = _DIVISORS[self.pixels]
        colour = (math.ceil(height / divisor), math.ceil(width / divisor)) if divisor else None
        return ((height, width), colour, colour) if colour else ((height, width),)


def read_header(stream: BinaryIO) -> FrameStream:
    """Read the first line of y4m."""
    line = stream.readline(_LONGEST_LINE)
    words = line.decode("ascii", "replace").split()
    if not words or words[0] != "YUV4MPEG2":
        raise ImageError(f"{_SOURCE}: is no y4m; pipe it from `ffmpeg ... -f yuv4mpegpipe -`.")
    values = {word[0]: word[1:] for word in words[1:] if word[0] != "X"}
    try:
        size = int(values["H"]), int(values["W"])
        rate = Fraction(values.get("F", "25:1").replace(":", "/"))
        if min(size) < 1 or rate <= 0:
            raise ValueError
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise ImageError(f"{_SOURCE}: its y4m header gives no size or no rate.") from error
    check_pixels(size[1], size[0], _SOURCE)
    pixels = values.get("C", "420")
    if pixels not in _DIVISORS:
        raise ImageError(
            f"{_SOURCE}: y4m in {pixels}, which is not read here; convert it with "
            "`ffmpeg ... -pix_fmt yuv420p -f yuv4mpegpipe -`."
        )
    return FrameStream(size, rate, pixels, "XCOLORRANGE=FULL" in words)


def read_frames(stream: BinaryIO, about: FrameStream) -> Iterator[NDArray[np.uint8]]:
    """Read frames to the end, after the header of y4m: uint8 (height, width, 3), RGB."""
    number = 0
    while True:
        number += 1
        if about.pixels != "rgb24":
            line = stream.readline(_LONGEST_LINE)
            if not line:
                return
            if line.split(maxsplit=1)[:1] != [b"FRAME"]:
                raise ImageError(f"{_SOURCE}: frame {number} does not begin as a frame of y4m.")
        wanted = sum(height * width for height, width in about.planes)
        content = stream.read(wanted)
        if not content and about.pixels == "rgb24":
            return
        if len(content) < wanted:
            raise ImageError(
                f"{_SOURCE}: ends within frame {number}, after {len(content)} of {wanted} bytes; "
                "check the size, or what writes into the pipe."
            )
        yield _to_rgb(np.frombuffer(content, np.uint8), about)


def write_header(stream: BinaryIO, about: FrameStream) -> None:
    """Write the first line of y4m: progressive, square pixels."""
    height, width = about.size
    rate = f"{about.rate.numerator}:{about.rate.denominator}"
    levels = " XCOLORRANGE=FULL" if about.full_range else ""
    line = f"YUV4MPEG2 W{width} H{height} F{rate} Ip A1:1 C{about.pixels}{levels}\n"
    stream.write(line.encode("ascii"))


def write_frame(stream: BinaryIO, image: NDArray[np.uint8], about: FrameStream) -> None:
    """Write one frame, uint8 (height, width, 3) RGB or (height, width) grey.

    y4m is in 420jpeg of colours and in mono of grey; raw may also be (height, width, 4).

    Raises:
        OSError: whoever reads the pipe has gone.
    """
    if about.pixels != "rgb24":
        stream.write(b"FRAME\n")
    if about.pixels in ("rgb24", "mono"):
        stream.write(np.ascontiguousarray(image).data)
        return
    coded = Image.fromarray(image).convert("RGB", _inverse(_matrix(about)))
    brightness, *colours = coded.split()
    for plane in (brightness, *(colour.reduce(_DIVISORS[about.pixels]) for colour in colours)):
        stream.write(plane.tobytes())


def _to_rgb(content: NDArray[np.uint8], about: FrameStream) -> NDArray[np.uint8]:
    height, width = about.size
    if about.pixels == "rgb24":
        return content.reshape(height, width, 3)
    planes = []
    for plane in about.planes:
        area = plane[0] * plane[1]
        planes.append(Image.fromarray(content[:area].reshape(plane)))
        content = content[area:]
    if len(planes) == 1:  # without colour both differences are nil
        planes += [Image.new("L", (width, height), 128)] * 2
    brightness, *colours = planes
    divisor = _DIVISORS[about.pixels] or 1
    box = (0, 0, width / divisor, height / divisor)  # an odd size has half a pixel too many
    colours = [
        colour.resize((width, height), Image.Resampling.BILINEAR, box=box) for colour in colours
    ]
    merged = Image.merge("RGB", (brightness, *colours))
    return np.asarray(merged.convert("RGB", _matrix(about)))


def _matrix(about: FrameStream) -> tuple[float, ...]:
    """From Y, Cb and Cr, 0 to 255, to R, G and B: for each three factors and an offset."""
    red, blue = (0.2126, 0.0722) if min(about.size) > HD_LINES else (0.299, 0.114)
    green = 1.0 - red - blue
    light, colour = (1.0, 1.0) if about.full_range else (255 / 219, 255 / 224)
    to_red, to_blue = 2 * (1 - red) * colour, 2 * (1 - blue) * colour
    rows = np.array(
        [
            [light, 0.0, to_red],
            [light, -to_blue * blue / green, -to_red * red / green],
            [light, to_blue, 0.0],
        ]
    )
    black = [0.0 if about.full_range else 16.0, 128.0, 128.0]
    return tuple(np.column_stack([rows, -rows @ black]).ravel().tolist())


def _inverse(matrix: tuple[float, ...]) -> tuple[float, ...]:
    affine = np.vstack([np.reshape(matrix, (3, 4)), [0.0, 0.0, 0.0, 1.0]])
    return tuple(np.linalg.inv(affine)[:3].ravel().tolist())
