"""When each frame is shown, counted from the file's beginning, and whether the file is whole."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_DECLARED = {"mov", "matroska", "webm", "avi"}
"""Formats whose header states the true length."""
_FROM_ZERO = {"matroska", "webm"}
"""Formats whose stated length counts from time zero, not from the first frame or sound: a part that
was cut from a recording starts late in them, and its length includes what came before."""
_MICROSECONDS = 1_000_000
_DEFAULT_RATE = Fraction(25)


class Timeline:
    """Times of frames, growing from 0 at the file's first frame or sound, whichever is earlier."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, first: VideoFrame, *, live: bool
    ) -> None:
        """Take from the header, and the first frame, what they say about times.

        A camera is `live`: its clock may start anywhere and has no end.
        """
        self.time_base = first.time_base or stream.time_base or Fraction(1, 1000)
        rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        self.rate: Fraction = next((rate for rate in rates if rate), _DEFAULT_RATE)
        self.begin = Fraction(0) if first.pts is None else first.pts * self.time_base
        """The file's first time in seconds, which all others count from."""
        if container.start_time is not None and not live:
            self.begin = Fraction(container.start_time, _MICROSECONDS)
        self._formats = set() if live else set(container.format.name.split(","))
        self._duration = None if live else self._from_begin(container)
        self._stream_duration: Fraction | None = None
        if stream.duration is not None and stream.time_base is not None:
            self._stream_duration = stream.duration * stream.time_base
        self.total: int | None = stream.frames or None
        """Frames, as far as the header tells."""
        if self.total is None and self._duration:
            self.total = max(1, round(self._duration * self.rate))
        self._first = self._last = -1
        self._end = self._sound_end = Fraction(0)

    def _from_begin(self, container: InputContainer) -> Fraction | None:
        """Seconds from the file's first time to its last, as the header states it."""
        if container.duration is None:
            return None
        stated = Fraction(container.duration, _MICROSECONDS)
        # Some writers leave out what came before; then less is promised than is there.
        from_zero = bool(self._formats & _FROM_ZERO) and 0 < self.begin < stated
        return stated - self.begin if from_zero else stated

    def add(self, frame: VideoFrame) -> tuple[int, bool]:
        """The next frame's time, and whether its own was not later than the one before.

        In `time_base` from the file's beginning; always growing.
        """
        step = frame.duration or max(1, round(1 / (self.rate * self.time_base)))
        if frame.pts is not None:
            pts = frame.pts - round(self.begin / self.time_base)
        else:
            pts = self._last + step if self._last >= 0 else 0
        backwards = pts <= self._last
        self._last = max(pts, self._last + 1, 0)
        if self._first < 0:
            self._first = self._last
        self._end = (self._last + step) * self.time_base
        return self._last, backwards

    def add_sound(self, end: Fraction) -> None:
        """Take in when a packet of sound ends, in seconds of the file's own clock."""
        self._sound_end = max(self._sound_end, end - self.begin)

    def missing(self, *, silent_streams: bool) -> tuple[float, float] | None:
        """Seconds that were read of a file that was cut short, and those that its header promises.

        Once all of it is read; None if the file is whole, within half a second and 5 %, or if
        nobody can tell. With `silent_streams` beside video and sound, such as subtitles, the stated
        length may be that of theirs.
        """
        if not self._formats & _DECLARED or not self._duration:
            return None
        if self._stream_duration is not None:  # from the video's own first frame
            read, promised = self._end - self._first * self.time_base, self._stream_duration
        elif silent_streams:
            return None
        else:
            read, promised = max(self._end, self._sound_end), self._duration
        if read < promised * Fraction(95, 100) - Fraction(1, 2):
            return float(read), float(promised)
        return None
