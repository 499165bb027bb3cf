"""Small videos, drawn and read back: a bright square moves over a dark background."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av")

BRIGHT, DARK = 220, 40
RATE = Fraction(10)


def drawn(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A red strip at the left edge, and a bright square that goes right."""
    height, width = size
    image = np.full((height, width, 3), DARK, dtype=np.uint8)
    image[:, : width // 8] = (200, 0, 0)
    left = width // 4 + number % (width // 4)
    image[height // 4 : 3 * height // 4, left : left + width // 3] = BRIGHT
    return image


def write_clip(
    path: Path,
    *,
    frames: int = 10,
    size: tuple[int, int] = (48, 64),
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    rate: Fraction = RATE,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: str | None = None,
    sound_at: int = 0,
    languages: Sequence[str] = ("eng",),
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    container_format: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip of `frames` pictures at 10 a second, or at `pts`, with a tone in stereo.

    The tone begins at `sound_at` milliseconds.
    """
    height, width = size
    times = list(pts) if pts is not None else [100 * number for number in range(frames)]
    settings = options if options is not None else {"crf": "8"} if codec == "libx264" else {}
    container = av.open(str(path), "w", format=container_format, options=container_options or {})
    with container as output:
        stream = output.add_stream(
            codec, rate=rate, width=width, height=height, time_base=time_base, options=settings
        )
        stream.pix_fmt = pix_fmt
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        tones = [output.add_stream(sound, rate=48_000) for _ in languages] if sound else []
        for tone, language in zip(tones, languages, strict=False):
            tone.metadata["language"] = language
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(drawn(number, size), format="rgb24")
            wanted = tags or {}
            frame = frame.reformat(
                format=pix_fmt,
                dst_colorspace=wanted.get("colorspace"),
                dst_color_range=wanted.get("color_range"),
            )
            frame.pts, frame.time_base = time, time_base
            output.mux(stream.encode(frame))
            for tone in tones:
                output.mux(tone.encode(_tone(number, sound_at)))
        output.mux(stream.encode(None))
        for tone in tones:
            output.mux(tone.encode(None))
    return path


def _tone(number: int, begin: int) -> Any:  # noqa: ANN401  PyAV comes by importorskip
    """A tenth of a second at 440 Hz."""
    samples = np.arange(4800) + 4800 * number
    wave = (8000 * np.sin(2 * np.pi * 440 * samples / 48_000)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
    frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
    frame.pts = 4800 * number + 48 * begin
    return frame


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write the display matrix (a, b, c, d) into the header of the first track of an MP4 file."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version 0: flags to volume, then nine numbers
    a, b, c, d = (65_536 * value for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@dataclass(frozen=True)
class Clip:
    """What a video file holds."""

    pixels: list[NDArray[np.uint8]]
    times: list[float]
    rate: Fraction | None
    codec: str
    pix_fmt: str
    rotation: int
    sounds: int


def read_clip(path: Path, *, decoder: str | None = None, pixels: str = "rgb24") -> Clip:
    """Decode all frames; times count from the first."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = av.CodecContext.create(decoder, "r") if decoder else None
        frames = []
        for packet in container.demux(stream):
            frames += (
                context.decode(packet)
                if context and packet.size
                else (packet.decode() if context is None else context.decode(None))
            )
        times = [float((f.pts - frames[0].pts) * stream.time_base) for f in frames]
        return Clip(
            pixels=[frame.to_ndarray(format=pixels) for frame in frames],
            times=times,
            rate=stream.average_rate,
            codec=stream.codec_context.name,
            pix_fmt=frames[0].format.name,
            rotation=frames[0].rotation,
            sounds=len(container.streams.audio),
        )


def sound_packets(path: Path, number: int = 0) -> list[tuple[float, bytes]]:
    """Times in seconds and bytes of all packets of one stream of sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]
