"""Read a video file or a camera: upright RGB frames with their times, and the sound beside them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images.colour import to_rgb
from humanseg.images.resize import Size
from humanseg.system.errors import ImageError
from humanseg.video.container import check_pixels, choose_stream, open_camera, open_file, reason
from humanseg.video.frame_colour import Colour, Turner, colour_of, matrix_of
from humanseg.video.timeline import Timeline

if TYPE_CHECKING:
    from av import AudioFrame, Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

_SOUND_AT_ONCE = 64
"""Packets of sound that are handed on without waiting for a frame."""


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


class VideoSource:
    """An open video with at least one frame. Use it in a `with` statement, from one thread."""

    def __init__(self, source: Path | int, *, stopped: threading.Event) -> None:
        """Open a file, or a camera by its number from 0, and decode its first frame.

        Once `stopped` is set, reading ends as if the video did.

        Raises:
            ImageError: not a video, damaged, without pictures, or not to be read.
            UsageError: no such camera.
        """
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if isinstance(source, int) else str(source)
        self._stopped = stopped
        self._turner = Turner()
        self._container = open_camera(source) if isinstance(source, int) else open_file(source)
        try:
            self._video, notes = choose_stream(self._container, self.name)
            self._notes = dict.fromkeys(notes)
            self.sounds: list[AudioStream] = list(self._container.streams.audio)
            self._begun: list[VideoFrame | tuple[int, Packet[AudioStream]]] = []
            self._sound: list[tuple[int, Packet[AudioStream] | AudioFrame]] = []
            self.decode_sound = False
            """Whether sound is to come as frames. Set it before `steps`."""
            self._events = self._read()
            self._describe(self._first())
        except BaseException:
            self._container.close()
            raise

    def _note(self, note: str) -> None:
        self._notes[note] = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed or left out so far, in words."""
        return tuple(self._notes)

    def _first(self) -> VideoFrame:
        """The first frame; with the sound before it, it waits in `_begun`."""
        for event in self._events:
            self._begun.append(event)
            if not isinstance(event, tuple):
                return event
        raise ImageError(f"{self.name}: holds no picture that could be decoded.")

    def _describe(self, first: VideoFrame) -> None:
        """Everything about the video that the first frame and the header tell."""
        stream = self._video
        self.timeline = Timeline(self._container, stream, first, live=self.live)
        check_pixels(first.width, first.height, self.name)
        self._turner.learn(first)
        width, height = self._turner.upright(first.width, first.height)
        self.size: Size = (height, width)
        aspect = stream.codec_context.sample_aspect_ratio
        self.pixel_aspect = 1 / aspect if aspect and self._turner.swaps else aspect
        self.colour: Colour = colour_of(first)
        self.metadata = dict(self._container.metadata)
        if any(part.bits > 8 for part in first.format.components):
            self._note("more than 8 bits per colour become 8")
        if first.interlaced_frame:
            self._note("interlaced frames are written as they are, not as fields")

    def steps(self) -> Generator[Step, None, None]:
        """All frames in order, with the sound that lies between them; once.

        Raises:
            ImageError: the file is damaged or cut short.
        """
        for event in chain(self._begun, self._events):
            if not isinstance(event, tuple):
                yield Step(self._take_sound(), self._convert(event))
                continue
            self._add_sound(*event)
            if len(self._sound) >= _SOUND_AT_ONCE:
                yield Step(self._take_sound(), None)
        self._check_end()
        yield Step(self._take_sound(), None)

    def _take_sound(self) -> list[tuple[int, Packet[AudioStream] | AudioFrame]]:
        sound, self._sound = self._sound, []
        return sound

    def _add_sound(self, number: int, packet: Packet[AudioStream]) -> None:
        """Hold a packet of sound, or its frames, until the next step."""
        import av

        if packet.pts is not None and packet.duration and packet.time_base:
            self.timeline.add_sound((packet.pts + packet.duration) * packet.time_base)
        if not self.decode_sound:
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
                    raise ImageError(f"{self.name}: is damaged ({reason(error)}).") from error
                self._note(f"the camera stopped ({reason(error)})")
                return

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        import av

        try:
            return packet.decode()
        except av.InvalidDataError:
            context = self._video.codec_context
            check_pixels(context.width, context.height, self.name)
            self._note("damaged frames were skipped")
            return []

    def _convert(self, frame: VideoFrame) -> Frame:
        """Turn a decoded frame upright, into RGB, at the first frame's size, at its time."""
        import av

        check_pixels(frame.width, frame.height, self.name)
        pts, backwards = self.timeline.add(frame)
        if backwards:
            self._note("times that run backwards were set right")
        try:
            return self._converted(frame, pts)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise ImageError(
                f"{self.name}: holds a frame of {frame.width}x{frame.height} {frame.format.name} "
                f"that cannot be converted ({reason(error)})."
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
        pixels, opacity = to_rgb(Image.fromarray(pixels), self.name)
        return Frame(pixels, opacity, pts, frame.duration)

    def _check_end(self) -> None:
        """A file whose header promises much more than came was cut short."""
        if self._stopped.is_set():
            return
        others = len(self._container.streams) > 1 + len(self.sounds)
        if (missing := self.timeline.missing(silent_streams=others)) is not None:
            raise ImageError(
                f"{self.name}: is cut short: {missing[0]:.1f} of {missing[1]:.1f} seconds could be "
                "read; copy or download it again."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._container.close()
