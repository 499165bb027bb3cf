from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.builders.clips import BRIGHT, DARK, av, drawn, read_clip, write_clip
from tests.builders.video_runs import CUTOUT, GREEN, MASK, REPLACE, Stub, names, run

from humanseg.effects.effect import CutoutEffect, Effect, MaskEffect, ProbabilityEffect, effect_of
from humanseg.system.errors import HumansegError, UsageError
from humanseg.system.threads import ordered_map
from humanseg.video import container, pipeline, reader, writer
from humanseg.video.pipeline import process_video
from humanseg.video.smoothing import Smoother


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_process_video__keeps_frames_size_rate_and_irregular_times(
    suffix: str, tmp_path: Path
) -> None:
    pts = [0, 100, 150, 400, 500, 600, 620, 900, 1000, 1300]
    source = write_clip(tmp_path / "clip.mp4", pts=pts)
    target = tmp_path / f"out{suffix}"

    report = run(source, target)

    result = read_clip(target)
    assert result.times == pytest.approx([time / 1000 for time in pts], abs=1e-3)
    assert result.pixels[0].shape == (48, 64, 3)
    assert (report.frames, report.size, report.sound) == (10, (48, 64), None)


def test_process_video__a_steady_rate_stays_exact(tmp_path: Path) -> None:
    base = Fraction(1001, 30_000)
    source = write_clip(
        tmp_path / "clip.mp4",
        pts=range(0, 10 * 1001, 1001),
        time_base=Fraction(1, 30_000),
        rate=1 / base,
    )

    run(source, tmp_path / "out.mp4")

    times = read_clip(tmp_path / "out.mp4").times
    assert times == pytest.approx([float(number * base) for number in range(10)], abs=1e-9)
    assert read_clip(tmp_path / "out.mp4").rate == Fraction(30_000, 1001)


def test_process_video__the_mask_is_where_the_person_is(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "out.mp4")

    masks = read_clip(tmp_path / "out.mp4").pixels
    for number, mask in enumerate(masks):
        truth = drawn(number, (48, 64)).min(axis=2) == BRIGHT
        predicted = mask[..., 0] >= 128
        assert (predicted & truth).sum() / (predicted | truth).sum() > 0.85
        assert mask.max() > 245
        assert mask.min() < 10
    assert report.coverage == pytest.approx(1 / 6, abs=0.03)
    assert report.frames_with_people == 10


def test_process_video__replaces_the_background(clip: Path, tmp_path: Path) -> None:
    run(clip, tmp_path / "out.mp4", REPLACE)

    last = read_clip(tmp_path / "out.mp4").pixels[9]
    np.testing.assert_allclose(last[24, 35], (BRIGHT,) * 3, atol=12)
    np.testing.assert_allclose(last[24, 3], GREEN, atol=12)
    np.testing.assert_allclose(last[3, 60], GREEN, atol=12)


def test_process_video__sixteen_bit_probabilities_become_grey(clip: Path, tmp_path: Path) -> None:
    run(clip, tmp_path / "out.mp4", ProbabilityEffect(threshold=0.5))

    last = read_clip(tmp_path / "out.mp4").pixels[9]
    assert last[24, 35].min() > 235
    assert last[3, 60].max() < 20


@pytest.mark.parametrize(
    ("name", "effect", "sentence"),
    [
        ("out.mp4", CUTOUT, "cannot hold a transparent video; name it .webm"),
        ("out.mkv", CUTOUT, "cannot hold a transparent video"),
        ("out.avi", MASK, "allowed are .mp4, .mov, .mkv, .webm"),
        ("out", MASK, "is not the name of a video"),
    ],
)
def test_target__a_suffix_that_cannot_hold_it_is_refused(
    name: str, effect: Effect, sentence: str, clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=sentence):
        run(clip, tmp_path / name, effect)
    assert names(tmp_path) == ["clip.mp4"]


def test_target__that_exists_is_refused_unless_overwritten(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"mine")

    with pytest.raises(UsageError, match="exists already"):
        run(clip, target)
    assert target.read_bytes() == b"mine"

    run(clip, target, overwrite=True)
    assert len(read_clip(target).times) == 10


def test_target__the_input_is_never_overwritten(clip: Path, tmp_path: Path) -> None:
    before = clip.read_bytes()
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)

    for target in (clip, link):
        with pytest.raises(UsageError, match="is the input itself"):
            run(clip, target, overwrite=True)
    assert clip.read_bytes() == before


def test_target__a_folder_is_refused(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        run(clip, tmp_path / "folder.mp4", overwrite=True)


def test_pyav__is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, humanseg.video.pipeline; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pyav__missing_is_said_with_the_cure(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"humanseg\[video\]"):
        run(clip, tmp_path / "out.mp4")


class Failing(Stub):
    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.seen == 5:
            raise RuntimeError("the network failed")
        return super().find(image)


def test_atomic__an_error_on_the_way_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"mine")
    threads = threading.active_count()

    with pytest.raises(RuntimeError, match="the network failed"):
        run(clip, target, segmenter=Failing(), overwrite=True)

    assert names(tmp_path) == ["clip.mp4", "out.mp4"]
    assert target.read_bytes() == b"mine"
    assert threading.active_count() == threads


class Refusing:
    """An encoder that takes no frame, or breaks when it should give what it holds."""

    def __init__(self, stream: Any, *, at_the_end: bool) -> None:  # noqa: ANN401
        self._stream, self._at_the_end = stream, at_the_end

    def encode(self, frame: object) -> object:
        if self._at_the_end and frame is not None:
            return self._stream.encode(frame)
        raise av.error.ExternalError(542398533, "Generic error in an external library")


@pytest.mark.parametrize("at_the_end", [False, True])
def test_atomic__an_encoder_that_fails_is_a_sentence_and_leaves_nothing(
    at_the_end: bool, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = writer.VideoTarget._begin

    def broken(self: Any, source: reader.VideoSource) -> None:  # noqa: ANN401
        begin(self, source)
        self._video = Refusing(self._video, at_the_end=at_the_end)

    monkeypatch.setattr(writer.VideoTarget, "_begin", broken)
    with pytest.raises(HumansegError, match=r"out\.mp4: could not be written \(Generic error"):
        run(clip, tmp_path / "out.mp4")
    assert names(tmp_path) == ["clip.mp4"]


def test_atomic__a_picture_that_cannot_be_coded_is_a_sentence(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(writer.VideoTarget, "_coded", refuse)
    with pytest.raises(HumansegError, match=r"out\.mp4: could not be written \(Invalid argument"):
        run(clip, tmp_path / "out.mp4")
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="rights differ")
def test_target__has_the_rights_of_the_umask_or_of_the_file_before(
    clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    before = os.umask(0o077)
    try:
        run(clip, target)
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o600
    target.chmod(0o440)
    run(clip, target, overwrite=True)
    assert target.stat().st_mode & 0o777 == 0o440


def arrives(number: int) -> None:
    """What Python does when a signal arrives; real ones are sent to processes of their own."""
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)


def test_atomic__ctrl_c_on_a_file_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done == 3:
            arrives(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        process_video(
            Stub(), clip, tmp_path / "out.mp4", effect=MASK, smoothing=None, progress=interrupt
        )
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_atomic__a_full_disk_leaves_nothing_and_names_the_file(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", frames=30, size=(240, 320))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # stands in for the end of the disk
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            run(source, tmp_path / "out.mov", CUTOUT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(tmp_path / "out.mov")
    assert names(tmp_path) == ["clip.mp4"]


def test_memory__frames_in_flight_do_not_grow_with_the_length(tmp_path: Path) -> None:
    def most_at_once(frames: int) -> int:
        source = write_clip(tmp_path / f"{frames}.mp4", frames=frames, size=(16, 16))
        most = 0

        def count(done: int, total: int | None) -> None:
            nonlocal most
            if done % 10 == 0:
                alive = sum(type(thing) is reader.Frame for thing in gc.get_objects())
                most = max(most, alive)

        process_video(
            Stub(),
            source,
            tmp_path / f"out-{frames}.mp4",
            effect=MASK,
            smoothing=Smoother(),
            progress=count,
        )
        return most

    # Two queues of 2, effects under way (at most 4 threads and 1), and what each stage holds.
    limit = 2 * 2 + 5 + 7
    assert 0 < most_at_once(20) <= limit
    assert most_at_once(70) <= limit


def test_progress__counts_every_frame_up_to_the_total(clip: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    process_video(
        Stub(),
        clip,
        tmp_path / "out.mp4",
        effect=MASK,
        smoothing=None,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(number, 10) for number in range(1, 11)]


class Recording(Smoother):
    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def update(
        self,
        probability: NDArray[np.float32],
        image: NDArray[np.uint8],
        *,
        seconds: float = 1 / 30,
    ) -> NDArray[np.float32]:
        self.seconds.append(seconds)
        return np.zeros_like(probability)


def test_smoothing__gets_every_frame_with_its_time_and_decides_the_result(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", pts=[0, 100, 150, 400])
    smoother = Recording()

    report = run(source, tmp_path / "out.mp4", smoothing=smoother)

    assert smoother.seconds == pytest.approx([0.0, 0.1, 0.05, 0.25])
    assert report.coverage == 0
    assert report.frames_with_people == 0


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> int:
    """An endless test picture in the place of a camera."""
    monkeypatch.setattr(
        container, "camera_address", lambda number: ("testsrc=size=64x48:rate=30", "lavfi", {})
    )
    return 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_camera__ctrl_c_ends_the_recording_and_keeps_it(
    number: signal.Signals, camera: int, tmp_path: Path
) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]

    def interrupt(done: int, total: int | None) -> None:
        assert total is None
        if done == 12:
            arrives(number)

    report = process_video(
        Stub(), camera, tmp_path / "out.mp4", effect=MASK, smoothing=None, progress=interrupt
    )

    result = read_clip(tmp_path / "out.mp4")
    assert 12 <= report.frames < 60
    assert len(result.times) == report.frames
    assert result.times[1] == pytest.approx(1 / 30, abs=2e-3)
    assert report.source == "camera 0"
    assert [signal.getsignal(number) for number in numbers] == before


def test_camera__stops_when_told_by_another_thread(camera: int, tmp_path: Path) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    report = process_video(
        Stub(), camera, tmp_path / "out.mp4", effect=MASK, smoothing=None, stop=stop
    )
    timer.join()
    assert len(read_clip(tmp_path / "out.mp4").times) == report.frames


class _Slow(Stub):
    """Takes 0.1 s, three times what passes between the frames of `camera`."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(0.1)
        return super().find(image)


@pytest.mark.parametrize("smoothing", [None, Smoother()])
def test_camera__too_fast_for_a_network_gets_the_faster_one(
    smoothing: Smoother | None, camera: int, tmp_path: Path
) -> None:
    slow, fast, stop = _Slow(), Stub(), threading.Event()
    fast.image_size = (16, 16)

    report = process_video(
        slow,
        camera,
        tmp_path / "out.mp4",
        effect=MASK,
        smoothing=smoothing,
        faster=lambda: fast,
        progress=lambda done, _: stop.set() if done == 40 else None,
        stop=stop,
    )

    assert slow.seen == 31  # the first, whose time is not known, and thirty
    assert fast.seen >= 9
    assert len(read_clip(tmp_path / "out.mp4").times) == report.frames >= 40
    assert report.notes[-1].endswith("too long for this camera: a faster one took over")


def test_file__waits_for_its_network(clip: Path, tmp_path: Path) -> None:
    def never() -> Stub:
        raise AssertionError

    report = process_video(
        Stub(), clip, tmp_path / "out.mp4", effect=MASK, smoothing=None, faster=never
    )
    assert report.notes == ()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other sentences elsewhere")
def test_camera__one_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no camera 97"):
        run(97, tmp_path / "out.mp4")
    assert names(tmp_path) == []


@pytest.mark.parametrize("output", ["mask", "overlay"])
def test_regions__that_are_dropped_do_not_count(
    output: Any,  # noqa: ANN401
    clip: Path,
    tmp_path: Path,
) -> None:
    effect = effect_of(output, threshold=0.5, smallest_region=0.9)
    report = run(clip, tmp_path / "out.mp4", effect)
    assert report.coverage == 0
    assert report.frames_with_people == 0


def test_threads__are_as_many_as_the_cores_that_may_be_used(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers: list[int] = []

    def watched(*arguments: Any, threads: int, depth: int) -> Any:  # noqa: ANN401
        workers.append(threads)
        return ordered_map(*arguments, threads=threads, depth=depth)

    monkeypatch.setattr(pipeline, "ordered_map", watched)
    for cores in (1, 3, 64):
        monkeypatch.setattr(pipeline, "usable_cores", lambda cores=cores: cores)
        run(clip, tmp_path / "out.mp4", overwrite=True)
    assert workers == [1, 3, 4]


def test_effect__settings_reach_the_frames(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "out.mp4", MaskEffect(threshold=0.99))
    assert report.coverage == 0
    assert max(mask.max() for mask in read_clip(tmp_path / "out.mp4").pixels) < 10
    assert DARK < 130 < BRIGHT


def test_process_video__trimmed_frames_are_refused(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.webm"
    with pytest.raises(UsageError, match="--trim: the frames of a video are of one size"):
        process_video(Stub(), clip, target, effect=CutoutEffect(trim=True), smoothing=None)
    assert not target.exists()
