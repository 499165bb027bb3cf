"""`humanseg predict - -o -` for frames: raw or y4m from standard input, and to standard output."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal, TypeAlias

from cyclopts import Group, Parameter

from humanseg.cli.predict_flags import PIPE, Request, refuse_flags
from humanseg.system.errors import ImageError, UsageError

_Frames: TypeAlias = Literal["raw", "y4m"]
_PIPES = Group("Frames through pipes", sort_key=4)


@Parameter(name="*", group=_PIPES)
@dataclass(frozen=True)
class FrameFlags:
    """Frames on standard input and output, for ffmpeg and the like."""

    input_format: _Frames | None = None
    """Standard input is a film: raw (rgb24) or y4m. A picture if not given."""
    output_format: Annotated[
        _Frames | None,
        Parameter(
            help="What goes to standard output, as --input-format if not given. raw: rgb24, of "
            "cut-outs rgba, of masks and probabilities gray; y4m: 4:2:0, of masks and "
            "probabilities mono."
        ),
    ] = None
    size: str | None = None
    """Of raw frames, WIDTHxHEIGHT as ffmpeg has it: 1280x720."""
    rate: str | None = None
    """Raw frames per second, such as 30 or 30000/1001; 25 if not given."""

    def check(self, request: Request) -> bool:
        """Whether frames are to be predicted; refuses flags that do not go together."""
        if self.input_format is None:
            refuse_flags(self, "without --input-format", "output_format", "size", "rate")
            return False
        if request.inputs != (PIPE,) or request.output != PIPE:
            raise UsageError(
                "--input-format: frames go from standard input to standard output; give - -o -."
            )
        if self.input_format == "raw" and self.size is None:
            raise UsageError("--size is missing; give that of the raw frames, such as 1280x720.")
        if self.input_format == "y4m" and (self.size or self.rate):
            raise UsageError("--size and --rate have no effect on y4m, which says them itself.")
        refuse_flags(request.files, "on frames", "format", "quality", "keep_metadata")
        if request.effect.output == "cutout" and self.written == "y4m":
            raise UsageError("y4m holds no transparency; give --output-format raw, which is rgba.")
        return True

    @property
    def written(self) -> str | None:
        """The format of standard output."""
        return self.output_format or self.input_format


def predict_frames(request: Request, given: FrameFlags) -> int:
    """Predict frames until standard input ends."""
    from humanseg.video.pipeline import process_frames
    from humanseg.video.raw_frames import (
        FrameStream,
        read_frames,
        read_header,
        write_frame,
        write_header,
    )
    from humanseg.video.smoothing import Smoother

    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("standard input is no pipe; pipe frames into it.")
    if sys.stdout.isatty():
        raise UsageError("frames would go to the terminal; pipe them on, or redirect them.")
    source, target = sys.stdin.buffer, sys.stdout.buffer
    if given.input_format == "y4m":
        about = read_header(source)
    else:
        about = FrameStream(_parsed_size(given.size or ""), _parsed_rate(given.rate or "25"))
    grey = request.effect.output in ("mask", "probability")
    made = FrameStream(about.size, about.rate)
    if given.written == "y4m":
        pixels = "mono" if grey else "420jpeg"
        made = FrameStream(about.size, about.rate, pixels, full_range=grey or about.full_range)
        write_header(target, made)
    frames = process_frames(
        request.network.open(),
        read_frames(source, about),
        size=about.size,
        rate=about.rate,
        effect=request.effect,
        smoothing=None if request.files.smoothing is False else Smoother(),
    )
    with closing(frames):
        for frame in frames:
            write_frame(target, frame, made)
            target.flush()
    return 0


def _parsed_size(text: str) -> tuple[int, int]:
    numbers = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    if numbers is None or not int(numbers[1]) * int(numbers[2]):
        raise UsageError(f"--size: got {text!r}; give WIDTHxHEIGHT, such as 1280x720.")
    from humanseg.video.container import check_pixels

    try:
        check_pixels(int(numbers[1]), int(numbers[2]), "--size")
    except ImageError as error:
        raise UsageError(str(error)) from error
    return int(numbers[2]), int(numbers[1])


def _parsed_rate(text: str) -> Fraction:
    numbers = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?|\d{1,9}/\d{1,9})", text.strip())
    try:
        rate = Fraction(text) if numbers else Fraction(0)
    except ZeroDivisionError:
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"--rate: got {text!r}; give frames per second, such as 30 or 30000/1001.")
    return rate
