"""Write a video file: codec and pixel format by the file's suffix, sound copied where it can be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size
from humanseg.system.errors import HumansegError, UsageError
from humanseg.video.container import reason
from humanseg.video.frame_colour import Colour, matrix_of, range_of
from humanseg.video.reader import VideoSource

if TYPE_CHECKING:
    from av import AudioFrame, Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

Channels = Literal["rgb24", "rgba", "gray"]
"""FFmpeg's name for what is written: uint8 (H, W, 3), (H, W, 4) or (H, W)."""

_MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_TRANSPARENT = (".webm", ".mov")
_H264 = ("libx264", "libopenh264")
"""In order of preference: FFmpeg is built without the first where the GPL is not wanted."""
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "20", "preset": "veryfast"},
    "libvpx-vp9": {
        "crf": "30",
        "b": "0",  # quality rules, not a bit rate
        "deadline": "realtime",
        "cpu-used": "6",
        "row-mt": "1",
        "auto-alt-ref": "0",  # impossible with transparency
    },
    "prores_ks": {"profile": "4444", "alpha_bits": "8", "vendor": "apl0"},
}
_BITS_PER_PIXEL = Fraction(1, 8)
"""For encoders that take a bit rate instead of a quality."""
_SOUND_RATE = 48_000
"""Of Opus, and at most of AAC."""
_METADATA = {"title", "artist", "comment", "date", "creation_time", "copyright", "description"}

SoundMode = Literal["copy", "encode", "drop"]


def check_suffix(target: Path, *, transparent: bool) -> None:
    """Raise a UsageError where a file of this suffix cannot hold what is asked for."""
    suffix = target.suffix.lower()
    if transparent and suffix not in _TRANSPARENT:
        raise UsageError(
            f"{target}: cannot hold a transparent video; name it .webm (VP9, for browsers) or .mov "
            "(ProRes 4444, for editing)."
        )
    if suffix not in _MUXERS:
        raise UsageError(f"{target}: is not the name of a video; allowed are {', '.join(_MUXERS)}.")


@dataclass(frozen=True)
class _Coding:
    """How the frames are coded."""

    codec: str
    pixel_format: str
    colour: Colour
    notes: tuple[str, ...] = ()


def _available(codecs: Iterable[str]) -> str:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    for name in codecs:
        try:
            Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    raise HumansegError(f"this PyAV has no encoder for it (looked for {', '.join(codecs)}).")


def _coding(suffix: str, channels: Channels, size: Size, colour: Colour) -> _Coding:
    height, width = size
    if channels == "gray":  # no colour to keep; 16 to 235, which every player shows alike
        colour = colour._replace(full_range=False, tagged=True)
    if suffix == ".webm":
        pixels = "yuva420p" if channels == "rgba" else "yuv420p"
        return _Coding(_available(("libvpx-vp9",)), pixels, colour)
    if channels == "rgba":
        colour = colour._replace(full_range=False)
        return _Coding(_available(("prores_ks",)), "yuva444p10le", colour)
    codec = _available(_H264)
    notes = () if codec == "libx264" else (f"written with {codec}, for want of libx264",)
    if height % 2 == 0 and width % 2 == 0:
        return _Coding(codec, "yuv420p", colour, notes)
    if codec != "libx264":
        raise UsageError(
            f"{width}x{height} pixels: {codec} needs an even width and height; write .webm instead."
        )
    odd = (
        f"{width}x{height} is odd and kept by H.264 4:4:4, which QuickTime, Safari and many "
        "televisions do not play; .webm does"
    )
    return _Coding(codec, "yuv444p", colour, (*notes, odd))


class VideoTarget:
    """A video file being written under a temporary name. Call `close` or `abandon` in the end.

    All methods but `abandon` raise an OSError if the disk is full or gone, and a HumansegError if
    the encoder or container refuses.
    """

    def __init__(
        self, temporary: Path, target: Path, source: VideoSource, *, channels: Channels
    ) -> None:
        """Write the header to `temporary`: size, times, colour, sound as in `source`.

        The suffix of `target` chooses the format; `channels` are those that `write` will be given.

        Raises:
            UsageError: no encoder here can write this size.
        """
        self._temporary, self._target, self._source = temporary, target, source
        self._channels: Channels = channels
        self._suffix = target.suffix.lower()
        self._coding = _coding(self._suffix, channels, source.size, source.colour)
        self.encoder = f"{self._coding.codec} {self._coding.pixel_format}"
        self.notes = list(self._coding.notes)
        self._begin(source)

    def _begin(self, source: VideoSource) -> None:
        """Open with the sound copied; where the container refuses that, encoded; else without."""
        import av

        modes: tuple[SoundMode, ...] = ("copy", "encode", "drop") if source.sounds else ("drop",)
        for mode in modes:
            try:
                self._open(source, mode)
            except (av.FFmpegError, ValueError) as error:
                self.abandon()
                if isinstance(error, OSError):
                    raise self._system_error(error) from error
                if mode == "drop":
                    raise HumansegError(
                        f"{self._target}: cannot be written as {self.encoder} ({error})."
                    ) from error
                continue
            self.sound: SoundMode | None = mode if source.sounds else None
            break
        if self.sound == "encode":
            self.notes.append(f"sound was encoded anew: {self._suffix} cannot hold it as it is")
        elif self.sound == "drop":
            self.notes.append(f"sound was left out: {self._suffix} cannot hold it")

    def _open(self, source: VideoSource, mode: SoundMode) -> None:
        import av

        options = {"movflags": "+faststart"} if self._suffix in (".mp4", ".mov") else {}
        self._container: OutputContainer = av.open(
            str(self._temporary.resolve()), "w", format=_MUXERS[self._suffix], options=options
        )
        shared = {k: v for k, v in source.metadata.items() if k.lower() in _METADATA}
        self._container.metadata.update(shared)
        self._video = self._add_video(source)
        self._sounds: list[AudioStream] = []
        if mode != "drop":
            add = self._copied if mode == "copy" else self._encoded
            self._sounds = [add(stream) for stream in source.sounds]
            for ours, theirs in zip(self._sounds, source.sounds, strict=True):
                if theirs.language:
                    ours.metadata["language"] = theirs.language
        self._container.start_encoding()

    def _add_video(self, source: VideoSource) -> VideoStream:
        coding, (height, width) = self._coding, source.size
        rate, bits = source.timeline.rate, width * height * _BITS_PER_PIXEL
        options = _OPTIONS.get(coding.codec, {"b": str(int(bits * rate))})
        stream = cast(
            "VideoStream",
            self._container.add_stream(
                coding.codec,
                rate=rate,
                options=dict(options),
                width=width,
                height=height,
                time_base=source.timeline.time_base,
            ),
        )
        stream.pix_fmt = coding.pixel_format
        context = stream.codec_context
        if source.pixel_aspect:
            context.sample_aspect_ratio = source.pixel_aspect
        context.color_range = range_of(coding.colour)
        context.color_primaries = coding.colour.primaries
        context.color_trc = coding.colour.transfer
        if coding.colour.tagged:
            context.colorspace = coding.colour.matrix
        return stream

    def _copied(self, stream: AudioStream) -> AudioStream:
        return self._container.add_stream_from_template(stream)

    def _encoded(self, stream: AudioStream) -> AudioStream:
        codec = "libopus" if self._suffix == ".webm" else "aac"
        rate = min(stream.rate, _SOUND_RATE) if codec == "aac" else _SOUND_RATE
        ours = cast("AudioStream", self._container.add_stream(codec, rate=rate))
        ours.layout = stream.layout.name
        return ours

    def write(self, image: NDArray[np.uint8], *, pts: int, duration: int) -> None:
        """Encode an image, uint8 (H, W, 3), (H, W, 4) or (H, W) as promised, of the source's size.

        Times are in the source's time base; the duration is 0 where unknown.
        """
        from av import VideoFrame

        array = np.ascontiguousarray(image)
        with self._sentences():
            coded = self._coded(VideoFrame.from_ndarray(array, format=self._channels))
            coded.pts, coded.duration = pts, duration
            coded.time_base = self._source.timeline.time_base
            self._mux(self._video.encode(coded))

    def _coded(self, frame: VideoFrame) -> VideoFrame:
        """In the encoder's pixel format and the source's colours."""
        colour = self._coding.colour
        return frame.reformat(
            format=self._coding.pixel_format,
            src_color_range=2 if self._channels == "gray" else None,
            dst_colorspace=matrix_of(colour),
            dst_color_range=range_of(colour),
        )

    def write_sound(self, sound: Iterable[tuple[int, Packet[AudioStream] | AudioFrame]]) -> None:
        """Copy packets of sound, or encode its frames, with the source's times."""
        if self.sound == "drop":
            return
        with self._sentences():
            for number, piece in sound:
                self._write_piece(self._sounds[number], piece)

    def _write_piece(self, stream: AudioStream, piece: Packet[AudioStream] | AudioFrame) -> None:
        import av

        assert piece.time_base is not None
        shift = round(self._source.timeline.begin / piece.time_base)
        if piece.pts is not None:
            piece.pts -= shift
        if isinstance(piece, av.AudioFrame):
            self._mux(stream.encode(piece))
            return
        if piece.dts is not None:
            piece.dts -= shift
        piece.stream = stream
        self._mux([piece])

    def _mux(self, packets: Iterable[Packet[VideoStream] | Packet[AudioStream]]) -> None:
        for packet in packets:
            self._container.mux(packet)

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        """What FFmpeg raises while coding and writing, as errors that name the target."""
        import av

        try:
            yield
        except OSError as error:
            raise self._system_error(error) from error
        except (av.FFmpegError, ValueError) as error:
            raise HumansegError(
                f"{self._target}: could not be written ({reason(error)})."
            ) from error

    def _system_error(self, error: OSError) -> OSError:
        number = error.errno or 0
        return OSError(number, os.strerror(number), str(self._target))

    def close(self) -> None:
        """Write what the encoders still hold, and the index."""
        with self._sentences():
            self._mux(self._video.encode(None))
            if self.sound == "encode":
                for stream in self._sounds:
                    self._mux(stream.encode(None))
            self._container.close()

    def abandon(self) -> None:
        """Let go of the file, as far as it is not closed; what is in it then is worthless."""
        with contextlib.suppress(Exception):
            self._container.close()
