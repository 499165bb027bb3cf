"""Read a video file or a camera: upright RGB frames with their times, and the sound beside them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.errors import ImageError, UsageError
from humanseg.images import MAX_PIXELS
from humanseg.images.resize import Size
from humanseg.video.camera import camera_address
from humanseg.video.frame_colour import Colour, Turner, colour_of, matrix_of

if TYPE_CHECKING:
    from av import AudioFrame, Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,apng,"
    "h264,hevc,m4v,ivf,mxf,dv,nut,wtv,yuv4mpegpipe,av1,obu"
)
"""What FFmpeg may take a file for. Playlists, which name other files and addresses, text and single
pictures, which it would play as well, are not among them."""
_DECLARED = {"mov", "matroska", "webm", "avi"}
"""Formats whose header states the true length."""
_SOUND_AT_ONCE = 64
"""Packets of sound that are handed on without waiting for a frame."""
_DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True, eq=False)
class Frame:
    """One upright frame."""

    pixels: NDArray[np.uint8]
    """uint8 (H, W, 3), RGB; transparency is laid on white, as `images` does."""
    alpha: NDArray[np.uint8] | None
    """uint8 (H, W), 255 opaque; None without transparency."""
    pts: int
    """When it is shown, in the source's time base from the file's beginning; always growing."""
    duration: int
    """How long, in the time base; 0 where the file does not say."""


class Step(NamedTuple):
    """What was read since the last step."""

    sound: list[tuple[int, Packet[AudioStream] | AudioFrame]]
    """Number of the stream in `VideoSource.sounds`, and a packet, or a frame where asked for."""
    frame: Frame | None


def require_av() -> None:
    """See that PyAV is there.

    Raises:
        UsageError: it is not.
    """
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise UsageError(
            'video needs PyAV, which is missing; install it with: pip install "humanseg[video]"'
        ) from error


class VideoSource:
    """An open video with at least one frame. Use it in a `with` statement, from one thread."""

    def __init__(self, source: Path | int, *, stopped: threading.Event) -> None:
        """Open a file or camera and decode its first frame.

        Args:
            source: a file's path, or a camera's number from 0.
            stopped: once set, reading ends as if the video did.

        Raises:
            ImageError: not a video, damaged, without pictures, or not to be read.
            UsageError: no such camera.
        """
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if isinstance(source, int) else str(source)
        self._stopped = stopped
        self._notes: dict[str, None] = {}
        self._damaged = 0
        self._last_pts = -1
        self._end = self._sound_end = 0.0
        self._turner = Turner()
        self._container = self._open(source)
        try:
            self._video = self._choose_stream()
            self.sounds: list[AudioStream] = list(self._container.streams.audio)
            self._note_left_out()
            self._sound: list[tuple[int, Packet[AudioStream] | AudioFrame]] = []
            self._decoded: frozenset[int] = frozenset()
            self._events = self._read()
            self._pending = self._first()
            self._describe(self._pending)
        except BaseException:
            self._container.close()
            raise

    def _open(self, source: Path | int) -> InputContainer:
        import av

        try:
            if isinstance(source, int):
                address, kind, options = camera_address(source)
                return av.open(address, format=kind, options=options, metadata_errors="replace")
            with source.open("rb"):  # the system's own words for what may not be read
                pass
            options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
            return av.open(str(source.resolve()), options=options, metadata_errors="replace")
        except FileNotFoundError as error:
            raise ImageError(f"{self.name}: no such file.") from error
        except IsADirectoryError as error:
            raise ImageError(f"{self.name}: is a folder, not a video.") from error
        except PermissionError as error:
            raise ImageError(f"{self.name}: may not be read (permission denied).") from error
        except (av.FFmpegError, OSError, ValueError) as error:
            if self.live:
                raise ImageError(f"{self.name}: cannot be opened ({words(error)}).") from error
            raise ImageError(
                f"{self.name}: not a video in a known format, or cut short."
            ) from error

    def _choose_stream(self) -> VideoStream:
        from av.stream import Disposition

        shown = [
            stream
            for stream in self._container.streams.video
            if not stream.disposition & Disposition.attached_pic
        ]
        if not shown:
            raise ImageError(f"{self.name}: has no pictures, only sound or data.")
        best = self._container.streams.best("video")
        stream = next((stream for stream in shown if stream == best), shown[0])
        if stream.codec_context is None:
            raise ImageError(f"{self.name}: its codec is unknown here; convert it to H.264 first.")
        self._check_pixels(stream.codec_context.width, stream.codec_context.height)
        stream.thread_type = "AUTO"
        self._decoder = _transparent_decoder(stream)
        context = self._decoder or stream.codec_context
        context.options = {"max_pixels": str(MAX_PIXELS)}  # the size may change on the way
        if len(shown) > 1:
            self._note(f"one of {len(shown)} video streams is used")
        return stream

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"{self.name}: {width}x{height} pixels; at most {MAX_PIXELS // 1_000_000} million "
                "are allowed. Make it smaller first."
            )

    def _note_left_out(self) -> None:
        streams = self._container.streams
        for kind, words in (
            (streams.subtitles, "subtitles are left out"),
            (streams.data, "data streams are left out"),
            (streams.attachments, "attachments are left out"),
        ):
            if kind:
                self._note(words)
        if self._container.chapters():
            self._note("chapters are left out")

    def _note(self, words: str) -> None:
        self._notes[words] = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed or left out so far, in words."""
        return tuple(self._notes)

    def _first(self) -> VideoFrame:
        for event in self._events:
            if not isinstance(event, tuple):
                return event
            self._keep(*event)
        raise ImageError(f"{self.name}: holds no picture that could be decoded.")

    def _describe(self, first: VideoFrame) -> None:
        """Everything about the video that the first frame and the header tell."""
        stream, container = self._video, self._container
        self.time_base = first.time_base or stream.time_base or Fraction(1, 1000)
        rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        self.rate: Fraction = next((rate for rate in rates if rate), _DEFAULT_RATE)
        self._check_pixels(first.width, first.height)
        self._turner.learn(first)
        width, height = self._turner.upright(first.width, first.height)
        self.size: Size = (height, width)
        aspect = stream.codec_context.sample_aspect_ratio
        self.pixel_aspect = 1 / aspect if aspect and self._turner.swaps else aspect
        self.colour: Colour = colour_of(first)
        begin = container.start_time
        self._begin = Fraction(begin, 1_000_000) if begin is not None and not self.live else None
        self.duration = None if container.duration is None else container.duration / 1e6
        self.total: int | None = stream.frames or None
        if self.total is None and self.duration and not self.live:
            self.total = max(1, round(self.duration * self.rate))
        self.metadata = dict(container.metadata)
        if any(part.bits > 8 for part in first.format.components):
            self._note("more than 8 bits per colour become 8")
        if first.interlaced_frame:
            self._note("interlaced frames are written as they are, not as fields")

    def decode_sound(self, numbers: frozenset[int]) -> None:
        """Have the sound of these streams come as frames. Call it before `steps`."""
        self._decoded = numbers

    def steps(self) -> Generator[Step, None, None]:
        """All frames in order, with the sound that lies between them; once.

        Raises:
            ImageError: the file is damaged or cut short.
        """
        held, self._sound = self._sound, []
        for number, packet in held:
            self._keep(number, packet)
        yield Step(self._taken(), self._convert(self._pending))
        for event in self._events:
            if not isinstance(event, tuple):
                yield Step(self._taken(), self._convert(event))
                continue
            self._keep(*event)
            if len(self._sound) >= _SOUND_AT_ONCE:
                yield Step(self._taken(), None)
        self._check_end()
        yield Step(self._taken(), None)

    def _taken(self) -> list[tuple[int, Packet[AudioStream] | AudioFrame]]:
        sound, self._sound = self._sound, []
        return sound

    def _keep(self, number: int, packet: Packet[AudioStream] | AudioFrame) -> None:
        """Hold a packet of sound, or its frames, until the next step."""
        import av

        if packet.pts is not None and packet.duration and packet.time_base:
            end = float((packet.pts + packet.duration) * packet.time_base)
            self._sound_end = max(self._sound_end, end)
        if isinstance(packet, av.AudioFrame):
            self._sound.append((number, packet))
            return
        if number not in self._decoded:
            if packet.dts is not None:  # what ends a stream is nothing to copy
                self._sound.append((number, packet))
            return
        try:
            self._sound.extend((number, frame) for frame in packet.decode())
        except av.FFmpegError:
            self._note("damaged sound was skipped")

    def _read(self) -> Iterator[VideoFrame | tuple[int, Packet[AudioStream]]]:
        """Decoded frames, and packets of sound with their stream's number, in the file's order."""
        import av

        numbers = {stream.index: number for number, stream in enumerate(self.sounds)}
        while not self._stopped.is_set():
            try:
                for packet in self._container.demux(self._video, *self.sounds):
                    # `packet.stream_index` is 0 in the packets that end a stream.
                    if packet.stream.index in numbers:
                        yield numbers[packet.stream.index], cast("Packet[AudioStream]", packet)
                    else:
                        yield from self._decode(cast("Packet[VideoStream]", packet))
                    if self._stopped.is_set():
                        return
                return
            except av.BlockingIOError:  # a camera that has no frame yet
                time.sleep(0.002)
            except (av.FFmpegError, OSError) as error:
                if not self.live:
                    raise ImageError(f"{self.name}: is damaged ({words(error)}).") from error
                self._note(f"the camera stopped ({words(error)})")
                return

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        import av

        try:
            if self._decoder is not None:
                return self._decoder.decode(packet if packet.size else None)
            return packet.decode()
        except av.InvalidDataError:
            context = self._decoder or self._video.codec_context
            self._check_pixels(context.width, context.height)
            self._damaged += 1
            self._note("damaged frames were skipped")
            return []

    def _convert(self, frame: VideoFrame) -> Frame:
        """Turn a decoded frame upright, into RGB, at the first frame's size, at its time."""
        import av

        self._check_pixels(frame.width, frame.height)
        pts = self._time(frame)
        try:
            return self._converted(frame, pts)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise ImageError(
                f"{self.name}: holds a frame of {frame.width}x{frame.height} {frame.format.name} "
                f"that cannot be converted ({words(error)})."
            ) from error

    def _converted(self, frame: VideoFrame, pts: int) -> Frame:
        frame = self._turner.turn(frame)
        height, width = self.size
        if (frame.width, frame.height) != (width, height):
            self._note("frames of other sizes are scaled to the first one's")
        alpha = any(part.is_alpha for part in frame.format.components)
        rgb = frame.reformat(
            width=width,
            height=height,
            format="rgba" if alpha else "rgb24",
            src_colorspace=matrix_of(self.colour),
        )
        pixels = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        if not alpha:
            return Frame(pixels, None, pts, frame.duration)
        return Frame(_on_white(pixels), pixels[..., 3], pts, frame.duration)

    def _time(self, frame: VideoFrame) -> int:
        """The frame's time from the file's beginning, later than the frame's before."""
        step = frame.duration or max(1, round(1 / (self.rate * self.time_base)))
        if frame.pts is None:
            pts = self._last_pts + step if self._last_pts >= 0 else 0
        else:
            if self._begin is None:
                self._begin = frame.pts * self.time_base
            pts = frame.pts - round(self._begin / self.time_base)
        if pts <= self._last_pts:
            pts = self._last_pts + 1
            self._note("times that run backwards were set right")
        self._last_pts = max(pts, 0)
        self._end = float((self._last_pts + step) * self.time_base)
        return self._last_pts

    @property
    def begin(self) -> Fraction:
        """The file's first time in seconds, which `Frame.pts` counts from."""
        return self._begin or Fraction(0)

    def _check_end(self) -> None:
        """A file whose header promises much more than came was cut short."""
        kinds = set(self._container.format.name.split(","))
        if self.live or self._stopped.is_set() or not self.duration or not kinds & _DECLARED:
            return
        streams = self._container.streams
        promised, end = self.duration, max(self._end, self._sound_end - float(self.begin))
        if self._video.duration is not None and self._video.time_base is not None:
            promised, end = float(self._video.duration * self._video.time_base), self._end
        elif len(streams) > 1 + len(self.sounds):
            return  # the length may be that of subtitles
        if end < 0.95 * promised - 0.5:
            raise ImageError(
                f"{self.name}: is cut short: {end:.1f} of {promised:.1f} seconds could be "
                "read; copy or download it again."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._container.close()


def _transparent_decoder(stream: VideoStream) -> VideoCodecContext | None:
    """FFmpeg's own decoder of VP8 and VP9 overlooks transparency; libvpx reads it."""
    from av import CodecContext
    from av.codec.codec import UnknownCodecError

    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return None
    try:
        return cast("VideoCodecContext", CodecContext.create(name, "r"))
    except UnknownCodecError:
        return None


def _on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(rgba)
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"))


def words(error: BaseException) -> str:
    """What FFmpeg or the system says, without numbers and places."""
    return getattr(error, "strerror", None) or str(error)
