from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.builders.clips import BRIGHT, av, drawn, read_clip, sound_packets, write_clip
from tests.builders.video_runs import CUTOUT, REPLACE, Everyone, Nobody, run

from humanseg.effects.effect import OverlayEffect
from humanseg.system.errors import UsageError
from humanseg.video import writer


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

    run(source, tmp_path / "tinted.mp4", OverlayEffect(), segmenter=Nobody())
    opaque = read_clip(tmp_path / "tinted.mp4").pixels[0]
    np.testing.assert_allclose(opaque[24, 10], (255,) * 3, atol=12)


def test_cutout__transparency_of_a_webm_is_not_read_which_is_said(
    clip: Path, tmp_path: Path
) -> None:
    first = run(clip, tmp_path / "once.webm", CUTOUT)
    second = run(tmp_path / "once.webm", tmp_path / "twice.mp4")
    assert "transparency is not read" not in first.notes
    assert "transparency is not read" in second.notes


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
