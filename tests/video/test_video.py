"""Videos through a stub segmenter: a bright square moves over a dark ground."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av")

from tests.builders.clips import (  # noqa: E402
    BRIGHT,
    DARK,
    drawn,
    read_clip,
    set_matrix,
    sound_packets,
    write_clip,
)
from tests.builders.segmenters import BrightIsPerson  # noqa: E402

from humanseg.effects.effect import Effect  # noqa: E402
from humanseg.errors import HumansegError, ImageError, UsageError  # noqa: E402
from humanseg.system.threads import ordered_map  # noqa: E402
from humanseg.video import container, pipeline, reader, writer  # noqa: E402
from humanseg.video.frame_colour import Turner  # noqa: E402
from humanseg.video.pipeline import VideoReport, process_video  # noqa: E402
from humanseg.video.smoothing import Smoother  # noqa: E402

GREEN = (0, 255, 0)
MASK = Effect(output="mask", threshold=0.5)
REPLACE = Effect(output="replace", background=GREEN, threshold=0.5, decontaminate=False)
CUTOUT = Effect(output="cutout", threshold=0.5, decontaminate=False)


class Stub(BrightIsPerson):
    """Takes bright pixels for people; remembers how many pictures it saw."""

    def __init__(self) -> None:
        super().__init__((32, 32))
        self.seen = 0

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += 1
        return np.where(image.min(axis=2) > 130, 0.98, 0.02).astype(np.float32)


class Everyone(Stub):
    """Takes everything for people, so that `replace` leaves pictures as they are."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.ones(image.shape[:2], np.float32)


class Nobody(Stub):
    """Finds nobody."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.zeros(image.shape[:2], np.float32)


def run(
    source: Path | int,
    target: Path,
    effect: Effect = MASK,
    *,
    segmenter: Stub | None = None,
    smoothing: Smoother | None = None,
    overwrite: bool = False,
) -> VideoReport:
    return process_video(
        segmenter or Stub(), source, target, effect=effect, smoothing=smoothing, overwrite=overwrite
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", sound="aac")


# --- what is kept ---------------------------------------------------------------------------------


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
    run(clip, tmp_path / "out.mp4", Effect(output="probability", threshold=0.5))

    last = read_clip(tmp_path / "out.mp4").pixels[9]
    assert last[24, 35].min() > 235
    assert last[3, 60].max() < 20


# --- sound ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound__is_copied_packet_by_packet(suffix: str, clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / f"out{suffix}")

    before, after = sound_packets(clip), sound_packets(tmp_path / f"out{suffix}")
    assert report.sound == "copy"
    assert [data for _, data in after] == [data for _, data in before]
    first = after[0][0] - before[0][0]  # Matroska has no times below zero and moves everything
    moved = [late - early for (early, _), (late, _) in zip(before, after, strict=True)]
    assert moved == pytest.approx([first] * len(before), abs=1.1e-3)


def test_sound__is_encoded_anew_where_the_container_cannot_hold_it(
    clip: Path, tmp_path: Path
) -> None:
    report = run(clip, tmp_path / "out.webm")

    with av.open(str(tmp_path / "out.webm")) as result:
        stream = result.streams.audio[0]
        frames = list(result.decode(stream))
        heard = sum(frame.samples for frame in frames) / 48_000
        loud = max(float(np.abs(frame.to_ndarray()).max()) for frame in frames)
        assert stream.codec_context.name in ("opus", "libopus")
    assert report.sound == "encode"
    assert any("encoded anew" in note for note in report.notes)
    assert heard == pytest.approx(1.0, abs=0.05)
    assert loud == pytest.approx(8000 / 32_768, rel=0.2)


def test_sound__is_left_out_with_a_word_where_nothing_fits(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(writer.VideoTarget, "_copied", refuse)
    monkeypatch.setattr(writer.VideoTarget, "_encoded", refuse)

    report = run(clip, tmp_path / "out.mp4")

    assert read_clip(tmp_path / "out.mp4").sounds == 0
    assert report.sound == "drop"
    assert any("sound was left out" in note for note in report.notes)


def test_sound__every_track_keeps_its_language(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", sound="aac", languages=("eng", "deu"))

    run(source, tmp_path / "out.mkv")

    with av.open(str(tmp_path / "out.mkv")) as result:
        languages = [stream.metadata.get("language") for stream in result.streams.audio]
    assert languages == ["eng", "deu"]


def test_sound__stays_in_step_when_the_file_begins_late(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "clip.ts", sound="aac", container_options={"output_ts_offset": "5"}
    )

    run(source, tmp_path / "out.mp4")

    def offset(path: Path) -> float:
        with av.open(str(path)) as container:
            pipeline = next(container.decode(container.streams.video[0]))
            return float(pipeline.time) - sound_packets(path)[0][0]

    assert offset(source) == pytest.approx(offset(tmp_path / "out.mp4"), abs=0.03)
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        assert before.start_time > 1_000_000
        assert after.start_time < 100_000


def test_metadata__title_and_date_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "clip.mkv"
    with av.open(str(source), "w") as output:
        output.metadata.update({"title": "A walk", "encoder_settings": "secret"})
        stream = output.add_stream("libx264", rate=10, width=64, height=48)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(drawn(0, (48, 64)), format="rgb24")))
        output.mux(stream.encode(None))

    run(source, tmp_path / "out.mkv")

    with av.open(str(tmp_path / "out.mkv")) as result:
        assert result.metadata["title"] == "A walk"
        assert "secret" not in result.metadata.values()


# --- rotation -------------------------------------------------------------------------------------


def as_shown(image: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """What a player makes of a picture: (x, y) goes to (a x + c y, b x + d y), then to zero."""
    a, b, c, d = matrix
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]]
    new_x, new_y = a * xs + c * ys, b * xs + d * ys
    new_x, new_y = new_x - new_x.min(), new_y - new_y.min()
    shown = np.zeros((int(new_y.max()) + 1, int(new_x.max()) + 1, 3), dtype=np.uint8)
    shown[new_y, new_x] = image
    return shown


@pytest.mark.parametrize(
    "matrix",
    [
        (0, 1, -1, 0),
        (-1, 0, 0, -1),
        (0, -1, 1, 0),
        (-1, 0, 0, 1),
        (1, 0, 0, -1),
        (0, 1, 1, 0),
        (0, -1, -1, 0),
    ],
)
def test_rotation__the_result_is_stored_upright(
    matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "clip.mp4", sound="aac")
    set_matrix(source, matrix)
    expected = as_shown(drawn(3, (48, 64)), matrix).astype(int)

    report = run(source, tmp_path / "out.mp4", REPLACE, segmenter=Everyone())

    result = read_clip(tmp_path / "out.mp4")
    assert read_clip(source).rotation != 0 or matrix[0] * matrix[3] <= 0
    assert result.rotation == 0
    assert report.size == expected.shape[:2]
    assert result.pixels[3].shape == expected.shape
    assert np.abs(result.pixels[3] - expected).mean() < 4
    assert len(result.times) == 10


# --- sizes and colours ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "pix_fmt", "said"), [(".mp4", "yuv444p", True), (".webm", "yuv420p", False)]
)
def test_odd_sizes__are_kept(suffix: str, pix_fmt: str, said: bool, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", size=(49, 65), codec="ffv1")

    report = run(source, tmp_path / f"out{suffix}")

    result = read_clip(tmp_path / f"out{suffix}")
    assert result.pixels[0].shape == (49, 65, 3)
    assert result.pix_fmt == pix_fmt
    assert any("65x49 is odd" in note for note in report.notes) == said


def test_sizes_that_change__are_brought_to_the_first(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{name}.h264", frames=4, size=size, container_format="h264")
        for name, size in (("a", (48, 64)), ("b", (96, 128)))
    ]
    source = tmp_path / "clip.h264"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))

    report = run(source, tmp_path / "out.mp4", REPLACE, segmenter=Everyone())

    result = read_clip(tmp_path / "out.mp4")
    assert len(result.pixels) == 8
    np.testing.assert_allclose(result.pixels[7][24, 2], (200, 0, 0), atol=16)
    assert any("other sizes" in note for note in report.notes)
    assert np.diff(result.times).min() > 0


BT709, BT601, LIMITED, FULL = 1, 6, 1, 2


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"colorspace": BT709, "color_range": LIMITED, "color_primaries": 1, "color_trc": 1},
        {"colorspace": 5, "color_range": FULL},
    ],
)
def test_colours__and_their_tags_stay(tags: dict[str, int], tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", tags=tags)

    run(source, tmp_path / "out.mp4", REPLACE, segmenter=Everyone())

    def planes(path: Path) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            tagged = (frame.colorspace, frame.color_primaries, frame.color_trc)
            return frame.to_ndarray(), (*tagged, max(frame.color_range, LIMITED))

    before, tags_before = planes(source)
    after, tags_after = planes(tmp_path / "out.mp4")
    assert tags_after == tags_before
    # As stored, whatever any player makes of it.
    assert np.abs(after.astype(int) - before).mean() < 3


def test_colours__ten_bits_become_eight_with_a_word(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", pix_fmt="yuv420p10le")

    report = run(source, tmp_path / "out.mp4", REPLACE, segmenter=Everyone())

    result = read_clip(tmp_path / "out.mp4")
    assert result.pix_fmt == "yuv420p"
    assert np.abs(result.pixels[9].astype(int) - drawn(9, (48, 64))).mean() < 4
    assert any("more than 8 bits" in note for note in report.notes)


def test_pixel_aspect__is_kept(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", tags={"sample_aspect_ratio": Fraction(4, 3)})  # type: ignore[dict-item]

    run(source, tmp_path / "out.mp4")

    with av.open(str(tmp_path / "out.mp4")) as result:
        assert result.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


# --- transparency ---------------------------------------------------------------------------------


def test_cutout__webm_carries_transparency(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "out.webm", CUTOUT)

    last = read_clip(tmp_path / "out.webm", decoder="libvpx-vp9", pixels="rgba").pixels[9]
    assert "yuva420p" in report.encoder
    assert last[24, 35, 3] > 235
    assert last[3, 60, 3] < 20


def test_cutout__mov_carries_transparency_and_colour(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "out.mov", CUTOUT)

    last = read_clip(tmp_path / "out.mov", pixels="rgba").pixels[9]
    assert report.encoder.startswith("prores")
    np.testing.assert_allclose(last[24, 35], (BRIGHT, BRIGHT, BRIGHT, 255), atol=12)
    assert last[3, 60, 3] < 20


def test_cutout__transparency_of_the_source_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "clip.mov"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("png", rate=10, width=64, height=48)
        stream.pix_fmt = "rgba"
        rgba = np.full((48, 64, 4), BRIGHT, dtype=np.uint8)
        rgba[..., 3] = 255
        rgba[:, :32, 3] = 0
        for _ in range(3):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")))
        output.mux(stream.encode(None))

    run(source, tmp_path / "out.mov", CUTOUT, segmenter=Everyone())

    result = read_clip(tmp_path / "out.mov", pixels="rgba").pixels[0]
    assert result[:, :28, 3].max() < 20
    assert result[:, 36:, 3].min() > 235
    np.testing.assert_allclose(result[24, 50, :3], (BRIGHT,) * 3, atol=12)

    run(source, tmp_path / "tinted.mp4", Effect(output="overlay"), segmenter=Nobody())
    opaque = read_clip(tmp_path / "tinted.mp4").pixels[0]
    np.testing.assert_allclose(opaque[24, 10], (255,) * 3, atol=12)


def test_cutout__transparency_of_a_webm_is_not_read_which_is_said(
    clip: Path, tmp_path: Path
) -> None:
    first = run(clip, tmp_path / "once.webm", CUTOUT)
    second = run(tmp_path / "once.webm", tmp_path / "twice.mp4")
    assert "transparency is not read" not in first.notes
    assert "transparency is not read" in second.notes


# --- refusals -------------------------------------------------------------------------------------


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


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48_000)
        samples = np.zeros((1, 9600), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _without_index(path: Path) -> None:
    whole = write_clip(path.with_name("whole.mp4")).read_bytes()
    path.with_name("whole.mp4").unlink()
    path.write_bytes(whole[: whole.index(b"moov")])


def _no_frames(path: Path) -> None:
    with av.open(str(path), "w", format="matroska") as output:
        output.add_stream("libx264", rate=10, width=64, height=48)
        output.start_encoding()


def _playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


def _still(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 48)).save(path, format="PNG")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "not a video"),
        (lambda path: path.write_text("Dear diary,\n" * 200), "not a video"),
        (lambda path: path.write_bytes(np.random.default_rng(0).bytes(40_000)), "not a video"),
        (_without_index, "cut short"),
        (_no_frames, "holds no picture|not a video"),
        (_sound_only, "no pictures, only sound"),
        (_playlist, "not a video"),
        (_still, "not a video"),
    ],
    ids=[
        "missing", "folder", "empty", "text", "noise", "index", "frames", "sound", "playlist",
        "still",
    ],
)  # fmt: skip
def test_source__that_is_no_video_gets_one_sentence(
    make: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    source = tmp_path / "clip.mp4"
    make(source)
    before = names(tmp_path)

    with pytest.raises(ImageError, match=sentence) as caught:
        run(source, tmp_path / "out.mp4")

    assert str(caught.value).startswith(str(source))
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == before


@pytest.mark.parametrize("sound", [None, "aac"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_source__cut_short_in_the_middle_is_refused(
    suffix: str, sound: str | None, tmp_path: Path
) -> None:
    source = write_clip(
        tmp_path / f"clip{suffix}",
        frames=60,
        sound=sound,
        options={"crf": "0", "g": "5"},
        container_options={"movflags": "+faststart"} if suffix == ".mp4" else {},
    )
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])

    with pytest.raises(ImageError, match=r"cut short|damaged"):
        run(source, tmp_path / "out.mp4")
    assert names(tmp_path) == [source.name]


@pytest.mark.parametrize("name", ["turn", "matrix"])
def test_source__frames_that_cannot_be_converted_are_said(
    name: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    if name == "turn":
        monkeypatch.setattr(Turner, "turn", refuse)
    else:
        monkeypatch.setattr(reader, "matrix_of", refuse)
    with pytest.raises(ImageError, match=r"clip\.mp4: holds a frame of 64x48 yuv420p that cannot"):
        run(clip, tmp_path / "out.mp4")
    assert names(tmp_path) == ["clip.mp4"]


def test_source__too_many_pixels_are_refused_before_they_are_decoded(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a frame was decoded")

    monkeypatch.setattr(container, "MAX_PIXELS", 3000)
    monkeypatch.setattr(reader.VideoSource, "_decode", refuse)
    with pytest.raises(ImageError, match=r"clip\.mp4: 64x48 pixels; at most"):
        run(clip, tmp_path / "out.mp4")
    assert names(tmp_path) == ["clip.mp4"]


def test_source__that_grows_beyond_the_limit_is_not_decoded_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [
        write_clip(tmp_path / f"{name}.h264", frames=4, size=size, container_format="h264")
        for name, size in (("a", (48, 64)), ("b", (96, 128)))
    ]
    source = tmp_path / "clip.h264"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    monkeypatch.setattr(container, "MAX_PIXELS", 10_000)
    with pytest.raises(ImageError, match=r"clip\.h264: 128x96 pixels; at most"):
        run(source, tmp_path / "out.mp4")
    assert "out.mp4" not in names(tmp_path)


def test_source__damage_in_the_middle_costs_no_more_than_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", frames=40, codec="ffv1", size=(96, 128))
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    source.write_bytes(data)

    report = run(source, tmp_path / "out.mp4")

    assert 30 <= report.frames <= 40
    assert len(read_clip(tmp_path / "out.mp4").times) == report.frames


def test_pyav__is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, humanseg.video.pipeline; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pyav__missing_is_said_with_the_cure(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"humanseg\[video\]"):
        run(clip, tmp_path / "out.mp4")


def test_encoder__another_one_is_used_and_named_without_libx264(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_clip(tmp_path / "clip.mp4")
    monkeypatch.setattr(writer, "_H264", ("nothing", "mpeg4"))  # stands in for libopenh264

    report = run(source, tmp_path / "out.mp4")

    result = read_clip(tmp_path / "out.mp4")
    assert result.codec == "mpeg4"
    assert "written with mpeg4, for want of libx264" in report.notes
    assert len(result.times) == 10
    odd = write_clip(tmp_path / "odd.mkv", size=(49, 65), codec="ffv1")
    with pytest.raises(UsageError, match=r"65x49 pixels: mpeg4 needs an even .* write \.webm"):
        run(odd, tmp_path / "odd.mp4")


# --- all or nothing -------------------------------------------------------------------------------


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


# --- constant memory, order, progress -------------------------------------------------------------


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
    assert most_at_once(150) <= limit


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


# --- cameras --------------------------------------------------------------------------------------


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
    effect = Effect(output=output, threshold=0.5, smallest_region=0.9)
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
    report = run(clip, tmp_path / "out.mp4", replace(MASK, threshold=0.99))
    assert report.coverage == 0
    assert max(mask.max() for mask in read_clip(tmp_path / "out.mp4").pixels) < 10
    assert DARK < 130 < BRIGHT
