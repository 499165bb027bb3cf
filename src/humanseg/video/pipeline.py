"""Video in, video out: decode, segment, apply an effect and encode, at the same time.

Decoding, the network, the effect and the encoder each work in a thread of their own, a few frames
apart, so that all cores are busy and memory does not depend on the length of the video.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from humanseg.effects.effect import CutoutEffect, Effect
from humanseg.images import LoadedImage
from humanseg.images.resize import Size, resize_image
from humanseg.inference.prediction import Prediction
from humanseg.inference.segmenter import Segmenter
from humanseg.system.atomic import replacing
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import UsageError
from humanseg.system.threads import ordered_map, read_ahead
from humanseg.video.container import require_av
from humanseg.video.pace import Pace
from humanseg.video.reader import Frame, Step, VideoSource
from humanseg.video.smoothing import Smoother
from humanseg.video.writer import Channels, VideoTarget, check_suffix

_DEPTH = 2
"""Frames that may wait between two threads."""
_EFFECT_THREADS = 4
"""At most; effects leave Python's lock to others nearly always."""
_CHANNELS: dict[str, Channels] = {"cutout": "rgba", "mask": "gray", "probability": "gray"}


@dataclass(frozen=True)
class VideoReport:
    """What became of a video."""

    source: str
    target: Path
    frames: int
    size: Size
    """(height, width) of the result; the upright source's own."""
    seconds: float
    """Time that the work took."""
    encoder: str
    """Codec and pixel format of the result."""
    sound: str | None
    """`copy`, `encode` or `drop`; None where the source has none."""
    coverage: float
    """Mean share of the picture that is a person, 0 to 1; regions that were dropped do not count.
    """
    frames_with_people: int
    """Frames in which somebody is found; see `Prediction.found`."""
    notes: tuple[str, ...] = ()
    """What was changed or left out, a phrase each."""


def process_video(
    segmenter: Segmenter,
    source: Path | int,
    target: Path,
    *,
    effect: Effect,
    smoothing: Smoother | None,
    overwrite: bool = False,
    faster: Callable[[], Segmenter] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    stop: threading.Event | None = None,
) -> VideoReport:
    """Apply an effect to every frame of a video or a camera's pictures.

    Size, times of the frames, sound, language and title are the source's; a turned video is stored
    upright. The target is written under another name and renamed when it is whole. A file that is
    interrupted leaves nothing; a camera is recorded until Ctrl-C, `stop`, or its end.

    Args:
        segmenter: finds the people.
        source: a video file, or a camera's number from 0.
        target: file to write; the suffix chooses the format, see docs/video.md.
        effect: what to do with the frames. `cutout` gives a transparent video, `mask` and
            `probability` a grey one.
        smoothing: averages the probability over time; it is reset first. None takes every frame
            for itself.
        overwrite: replace an existing target.
        faster: opens the network that takes over where the first cannot follow a camera; None
            stays with the first.
        progress: called after every frame with the frames done and, where known, their number.
        stop: once set, the source ends there and the result is completed.

    Raises:
        UsageError: PyAV is missing, the target exists, is the source, or its suffix cannot hold
            the result; no such camera.
        ImageError: the source is missing, not a video, without pictures, of too many pixels,
            damaged, or cut short.
        HumansegError: the encoder or container refuses.
        OSError: the target cannot be written, or the disk is full.
    """
    _refuse_trim(effect)
    require_av()
    check_suffix(target, transparent=effect.output == "cutout")
    _check_target(source, target, overwrite)
    channels = _CHANNELS.get(effect.output, "rgb24")
    stop = stop or threading.Event()
    pace = Pace(faster) if faster is not None and isinstance(source, int) else None
    begin = time.perf_counter()
    with VideoSource(source, stopped=stop) as opened, replacing(target) as temporary:
        writer = VideoTarget(temporary, target, opened, channels=channels)
        try:
            with _ctrl_c_sets(stop) if opened.live else nullcontext():
                work = _Work(segmenter, effect.sized(opened.size), smoothing, pace)
                tally = _run(work, opened, writer, progress)
            writer.close()
        finally:
            writer.abandon()
        exchanged = () if pace is None or pace.note is None else (pace.note,)
        return VideoReport(
            source=opened.name,
            target=target,
            frames=tally.frames,
            size=opened.size,
            seconds=time.perf_counter() - begin,
            encoder=writer.encoder,
            sound=writer.sound,
            coverage=tally.coverage / tally.frames,
            frames_with_people=tally.with_people,
            notes=(*opened.notes, *writer.notes, *exchanged),
        )


def _refuse_trim(effect: Effect) -> None:
    if isinstance(effect, CutoutEffect) and effect.trim:
        raise UsageError("--trim: the frames of a video are of one size; leave it out.")


def _check_target(source: Path | int, target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file in it.")
    if not target.exists():
        return
    if not isinstance(source, int) and source.exists() and source.samefile(target):
        raise UsageError(f"{target}: is the input itself; give the output another name.")
    if not overwrite:
        raise UsageError(f"{target}: exists already; give another name or --overwrite.")


@contextmanager
def _ctrl_c_sets(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C, or SIGTERM, ends a recording, the second one kills it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def once(*_: object) -> None:
        stop.set()
        restore()

    for number in before:
        signal.signal(number, once)
    try:
        yield
    finally:
        restore()


class _Done(NamedTuple):
    """A step that is ready to be written."""

    step: Step
    image: NDArray[np.uint8] | None = None
    coverage: float = 0.0
    people: bool = False


@dataclass
class _Tally:
    frames: int = 0
    coverage: float = 0.0
    with_people: int = 0


@dataclass(frozen=True)
class _Work:
    """What is done with every frame."""

    segmenter: Segmenter
    effect: Effect
    smoothing: Smoother | None
    pace: Pace | None = None

    def segment(
        self, steps: Iterable[Step], time_base: Fraction
    ) -> Generator[tuple[Step, NDArray[np.float32] | None], None, None]:
        """Run the network over the frames, in order."""
        if self.smoothing is not None:
            self.smoothing.reset()
        segmenter, before = self.segmenter, 0
        for step in steps:
            if step.frame is None:
                yield step, None
                continue
            start, seconds = time.perf_counter(), float((step.frame.pts - before) * time_base)
            grid = resize_image(step.frame.pixels, segmenter.image_size)
            probability = segmenter.predict(grid).grid
            spent = time.perf_counter() - start
            faster = None if self.pace is None else self.pace.after(spent, seconds)
            if self.smoothing is not None:
                probability = self.smoothing.update(probability, grid, seconds=seconds)
            before = step.frame.pts
            yield step, probability
            if faster is not None:
                segmenter = faster
                if self.smoothing is not None:  # it averages probabilities of one size
                    self.smoothing.reset()

    def render(self, seen: tuple[Step, NDArray[np.float32] | None]) -> _Done:
        """Apply the effect; from several threads at once."""
        step, probability = seen
        frame = step.frame
        if frame is None or probability is None:
            return _Done(step)
        size = (frame.pixels.shape[0], frame.pixels.shape[1])
        prediction = Prediction(
            self.segmenter.decided(probability),
            size=size,
            threshold=self.segmenter.threshold,
            source=frame.pixels,
            picture=LoadedImage(frame.pixels, size, frame.alpha, (), reduced=False),
        ).under(self.effect)
        pixels = prediction.apply(self.effect)
        if pixels.dtype == np.uint16:
            pixels = pixels // 257  # 65535 becomes 255
        eight_bits = pixels.astype(np.uint8, copy=False)
        return _Done(step, eight_bits, prediction.coverage, prediction.found)


def process_frames(
    segmenter: Segmenter,
    frames: Iterable[NDArray[np.uint8]],
    *,
    size: Size,
    rate: Fraction,
    effect: Effect,
    smoothing: Smoother | None,
) -> Generator[NDArray[np.uint8], None, None]:
    """Apply an effect to frames that come one by one, such as from a pipe; see `process_video`.

    Frames are uint8 (height, width, 3) RGB, all of `size`, `rate` of them per second, and read
    about ten ahead of what is given out: uint8, as `Prediction.apply` makes it, probabilities in 8
    bits.

    Raises:
        UsageError: a cut-out that is to be trimmed.
    """
    _refuse_trim(effect)
    steps = (Step([], Frame(frame, None, number, 1)) for number, frame in enumerate(frames))
    work = _Work(segmenter, effect.sized(size), smoothing)
    with closing(_rendered(work, steps, 1 / rate)) as rendered:
        for done in rendered:
            if done.image is not None:
                yield done.image


def _rendered(
    work: _Work, steps: Generator[Step, None, None], time_base: Fraction
) -> Generator[_Done, None, None]:
    """Keep decoder, network and effects going, each in threads of its own."""
    workers = min(_EFFECT_THREADS, usable_cores())
    steps = read_ahead(steps, depth=_DEPTH)
    seen = read_ahead(work.segment(steps, time_base), depth=_DEPTH)
    rendered = ordered_map(work.render, seen, threads=workers, depth=workers + 1)
    # Closed from the last stage to the first: each one waits for what it asked of the one before.
    with closing(steps), closing(seen), closing(rendered):
        yield from rendered


def _run(
    work: _Work,
    source: VideoSource,
    writer: VideoTarget,
    progress: Callable[[int, int | None], None] | None,
) -> _Tally:
    """Keep decoder, network, effects and, in this thread, the encoder going."""
    source.decode_sound = writer.sound == "encode"
    tally = _Tally()
    with closing(_rendered(work, source.steps(), source.timeline.time_base)) as rendered:
        for done in rendered:
            writer.write_sound(done.step.sound)
            frame = done.step.frame
            if frame is None or done.image is None:
                continue
            writer.write(done.image, pts=frame.pts, duration=frame.duration)
            tally.frames += 1
            tally.coverage += done.coverage
            tally.with_people += done.people
            if progress is not None:
                progress(tally.frames, source.timeline.total)
    return tally
