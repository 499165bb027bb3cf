"""Files whose first time is not zero, and files that end too early."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.builders.clips import av, read_clip, sound_packets, write_clip

from humanseg.system.errors import ImageError
from humanseg.video.reader import VideoSource
from humanseg.video.writer import VideoTarget

SUFFIXES = [".mp4", ".mov", ".mkv", ".webm", ".ts"]
FRAMES = 20


def clip(path: Path, *, at: int, sound_at: int | None = None) -> Path:
    """Two seconds of video from `at` milliseconds, with sound from `sound_at`."""
    webm = path.suffix == ".webm"
    write_clip(
        path,
        pts=[at + 100 * number for number in range(FRAMES)],
        codec="libvpx-vp9" if webm else "libx264",
        options={} if webm else {"crf": "0", "g": "5"},
        sound=None if sound_at is None else "libopus" if webm else "aac",
        sound_at=sound_at or 0,
        container_options={"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {},
    )
    return path


def cut(path: Path) -> Path:
    """Cut a file off in the middle of its frames."""
    with av.open(str(path)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: positions[FRAMES // 2]])
    return path


def times(path: Path) -> tuple[list[float], int | None]:
    """Seconds of all frames from the file's beginning, and how many there should be."""
    with VideoSource(path, stopped=threading.Event()) as source:
        base = source.timeline.time_base
        frames = [step.frame for step in source.steps()]
        return [float(frame.pts * base) for frame in frames if frame], source.timeline.total


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("at", [0, 5000, 100_000])
def test_timeline__a_file_that_begins_late_is_whole_and_counts_from_its_beginning(
    at: int, suffix: str, tmp_path: Path
) -> None:
    seconds, total = times(clip(tmp_path / f"clip{suffix}", at=at))
    assert seconds == pytest.approx([0.1 * number for number in range(FRAMES)], abs=2e-3)
    assert total == FRAMES


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("at", "sound_at"), [(6000, 0), (0, 6000), (9000, 5000), (5000, 9000)])
def test_timeline__sound_may_begin_at_another_time(
    at: int, sound_at: int, suffix: str, tmp_path: Path
) -> None:
    seconds, _ = times(clip(tmp_path / f"clip{suffix}", at=at, sound_at=sound_at))
    first = max(0, at - sound_at) / 1000
    expected = [first + 0.1 * number for number in range(FRAMES)]
    assert seconds == pytest.approx(expected, abs=0.025)  # sound is padded by a packet


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(("at", "sound_at"), [(5000, 9000), (9000, 5000)])
def test_timeline__the_result_keeps_sound_and_video_in_step(
    at: int, sound_at: int, suffix: str, tmp_path: Path
) -> None:
    source = clip(tmp_path / f"clip{suffix}", at=at, sound_at=sound_at)
    target = tmp_path / f"out{suffix}"
    with VideoSource(source, stopped=threading.Event()) as opened:
        writer = VideoTarget(target, target, opened, channels="rgb24")
        for step in opened.steps():
            writer.write_sound(step.sound)
            if step.frame is not None:
                frame = step.frame
                writer.write(frame.pixels, pts=frame.pts, duration=frame.duration)
        writer.close()

    def offset(path: Path) -> float:
        with av.open(str(path)) as container:
            first = next(container.decode(container.streams.video[0]))
            return float(first.time) - sound_packets(path)[0][0]

    assert offset(target) == pytest.approx((at - sound_at) / 1000, abs=0.03)
    assert len(read_clip(target).times) == FRAMES


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(
    ("at", "sound_at"), [(0, None), (5000, None), (100_000, None), (9000, 5000), (5000, 0)]
)
def test_timeline__a_file_that_begins_late_and_is_cut_short_is_refused(
    at: int, sound_at: int | None, suffix: str, tmp_path: Path
) -> None:
    source = cut(clip(tmp_path / f"clip{suffix}", at=at, sound_at=sound_at))
    with pytest.raises(ImageError, match=r"cut short: \d"):
        times(source)
