from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.builders.clips import av, drawn, read_clip, set_matrix, write_clip
from tests.builders.video_runs import REPLACE, Everyone, names, run

from humanseg.system.errors import ImageError
from humanseg.video import container, reader
from humanseg.video.frame_colour import Turner


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
