"""Frames without a container: bytes by hand, and PyAV as the other end."""

from __future__ import annotations

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.system.errors import ImageError
from humanseg.video.raw_frames import (
    FrameStream,
    read_frames,
    read_header,
    write_frame,
    write_header,
)

RAW = FrameStream((2, 3), Fraction(25))


def _read(content: bytes, about: FrameStream | None = None) -> list[NDArray[np.uint8]]:
    stream = io.BytesIO(content)
    return list(read_frames(stream, about or read_header(stream)))


class TestRaw:
    def test_rows_of_pixels_and_nothing_else(self) -> None:
        first, second = _read(bytes(range(36)), RAW)
        assert first[1].tolist() == [[9, 10, 11], [12, 13, 14], [15, 16, 17]]
        assert second[0, 0].tolist() == [18, 19, 20]

    def test_nothing_is_no_frame(self) -> None:
        assert _read(b"", RAW) == []

    def test_a_frame_cut_off_is_refused_after_those_before(self) -> None:
        frames = read_frames(io.BytesIO(bytes(20)), RAW)
        assert next(frames).shape == (2, 3, 3)
        with pytest.raises(ImageError, match="ends within frame 2, after 2 of 18 bytes"):
            next(frames)

    @pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (2, 3, 4)])
    def test_is_written_as_it_is(self, shape: tuple[int, ...]) -> None:
        stream = io.BytesIO()
        image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        write_frame(stream, image, RAW)
        assert stream.getvalue() == bytes(range(image.size))


class TestY4m:
    def test_header(self) -> None:
        about = read_header(io.BytesIO(b"YUV4MPEG2 W640 H480 F30000:1001 Ip A1:1 C420mpeg2\n"))
        assert about == FrameStream((480, 640), Fraction(30000, 1001), "420mpeg2")
        full = read_header(io.BytesIO(b"YUV4MPEG2 W2 H2 F25:1 C444 XYSCSS=444 XCOLORRANGE=FULL\n"))
        assert (full.pixels, full.full_range) == ("444", True)

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            (b"RIFF", "is no y4m"),
            (b"", "is no y4m"),
            (b"YUV4MPEG2 W640 F25:1\n", "gives no size or no rate"),
            (b"YUV4MPEG2 W0 H4 F25:1\n", "gives no size or no rate"),
            (b"YUV4MPEG2 W4 H4 F25:0\n", "gives no size or no rate"),
            (b"YUV4MPEG2 W4 H4 F25:1 C420p10\n", "y4m in 420p10, which is not read here"),
            (b"YUV4MPEG2 W99999 H99999 F25:1\n", "at most 100 million"),
        ],
    )
    def test_other_headers_are_refused(self, line: bytes, sentence: str) -> None:
        with pytest.raises(ImageError, match=sentence):
            read_header(io.BytesIO(line))

    def test_frame_without_its_line_is_refused(self) -> None:
        with pytest.raises(ImageError, match="frame 1 does not begin as a frame of y4m"):
            _read(b"YUV4MPEG2 W2 H2 F25:1 Cmono\nabcdef\n")

    @pytest.mark.parametrize(
        ("coded", "size", "colour"),
        [  # ITU-R BT.601 and BT.709, levels 16 to 235, by their published 8-bit values
            ((81, 90, 240), (2, 2), (255, 0, 0)),
            ((145, 54, 34), (2, 2), (0, 255, 0)),
            ((41, 240, 110), (2, 2), (0, 0, 255)),
            ((235, 128, 128), (2, 2), (255, 255, 255)),
            ((16, 128, 128), (2, 2), (0, 0, 0)),
            ((63, 102, 240), (720, 720), (255, 0, 0)),
            ((173, 42, 26), (720, 720), (0, 255, 0)),
            ((32, 240, 118), (720, 720), (0, 0, 255)),
        ],
    )
    def test_colours_are_those_of_the_standard(
        self, coded: tuple[int, int, int], size: tuple[int, int], colour: tuple[int, int, int]
    ) -> None:
        height, width = size
        planes = b"".join(
            bytes([level]) * area
            for level, area in zip(coded, (height * width, *[height * width // 4] * 2), strict=True)
        )
        header = f"YUV4MPEG2 W{width} H{height} F25:1 C420jpeg\n".encode()
        (frame,) = _read(header + b"FRAME\n" + planes)
        assert np.abs(frame.astype(int) - np.array(colour)).max() <= 2

    @pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 1)])
    @pytest.mark.parametrize("full_range", [False, True])
    def test_written_is_read_again(self, size: tuple[int, int], full_range: bool) -> None:
        about = FrameStream(size, Fraction(24), "420jpeg", full_range)
        stream = io.BytesIO()
        write_header(stream, about)
        image = np.full((*size, 3), (200, 120, 40), np.uint8)
        for _ in range(2):
            write_frame(stream, image, about)
        frames = _read(stream.getvalue())
        assert len(frames) == 2
        assert np.abs(frames[1].astype(int) - image).max() <= 2

    def test_grey_is_written_as_mono(self) -> None:
        about = FrameStream((1, 2), Fraction(25), "mono", full_range=True)
        stream = io.BytesIO()
        write_header(stream, about)
        write_frame(stream, np.array([[0, 255]], np.uint8), about)
        assert stream.getvalue() == (
            b"YUV4MPEG2 W2 H1 F25:1 Ip A1:1 Cmono XCOLORRANGE=FULL\nFRAME\n\x00\xff"
        )
        assert _read(stream.getvalue())[0].tolist() == [[[0, 0, 0], [255, 255, 255]]]


def _humanseg(content: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "humanseg", "predict", "-", "-o", "-", *words]
    return subprocess.run(command, input=content, capture_output=True, check=False, timeout=120)


@pytest.mark.command
class TestCommand:
    def test_raw_frames_in_and_masks_out(self, brightness_model: Path) -> None:
        frames = np.zeros((4, 48, 64, 3), np.uint8)
        frames[:, 8:40, 16:48] = 255
        done = _humanseg(
            frames.tobytes(), "--input-format", "raw", "--size", "64x48", "--rate", "30",
            "--model", str(brightness_model),
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        masks = np.frombuffer(done.stdout, np.uint8).reshape(4, 48, 64)
        assert set(np.unique(masks)) == {0, 255}
        assert masks[3, 20, 30] == 255
        assert masks[3, 2, 2] == 0

    def test_y4m_of_pyav_in_and_out(self, brightness_model: Path, tmp_path: Path) -> None:
        av = pytest.importorskip("av")
        film = tmp_path / "film.y4m"
        with av.open(str(film), "w", format="yuv4mpegpipe") as container:
            stream = container.add_stream("wrapped_avframe", rate=24)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            image = np.zeros((48, 64, 3), np.uint8)
            image[:, 32:] = 255
            for _ in range(3):
                frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        done = _humanseg(
            film.read_bytes(), "--input-format", "y4m", "--as", "replace", "--background",
            "#00ff00", "--model", str(brightness_model), "--no-smoothing",
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        made = tmp_path / "made.y4m"
        made.write_bytes(done.stdout)
        with av.open(str(made)) as container:
            shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert container.streams.video[0].average_rate == 24
        assert len(shown) == 3
        assert np.abs(shown[2][24, 8].astype(int) - (0, 255, 0)).max() <= 4
        assert np.abs(shown[2][24, 56].astype(int) - 255).max() <= 4

    def test_a_cut_off_pipe_fails_with_a_sentence(self, brightness_model: Path) -> None:
        done = _humanseg(
            bytes(64 * 48 * 3 + 5), "--input-format", "raw", "--size", "64x48",
            "--model", str(brightness_model),
        )  # fmt: skip
        assert done.returncode == 1
        assert b"standard input: ends within frame 2, after 5 of 9216 bytes" in done.stderr
        assert len(done.stdout) in (0, 64 * 48)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("- -o - --size 4x4", "--size has no effect without --input-format; leave it out."),
        ("- -o - --input-format raw", "--size is missing; give that of the raw frames"),
        ("- -o - --input-format raw --size 4by4", "--size: got '4by4'; give WIDTHxHEIGHT"),
        ("- -o - --input-format raw --size 0x4", "--size: got '0x4'; give WIDTHxHEIGHT"),
        ("- -o - --input-format raw --size 4x4 --rate 0", "--rate: got '0'; give frames per sec"),
        ("- -o - --input-format raw --size 4x4 --rate 1/0", "--rate: got '1/0'; give frames"),
        ("- -o - --input-format y4m --size 4x4", "--size and --rate have no effect on y4m"),
        ("- -o x.png --input-format y4m", "frames go from standard input to standard output"),
        ("- -o - --input-format y4m --format png", "--format has no effect on frames"),
        ("- -o - --input-format y4m --as cutout", "y4m holds no transparency; give --output-f"),
        ("- -o - --input-format y4m --workers 2", "--workers has no effect on a pipe"),
        ("- -o - --no-smoothing", "--no-smoothing has no effect on a pipe"),
    ],
)
@pytest.mark.command
def test_bad_use__is_answered_with_a_sentence(words: str, sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "humanseg", "predict", *words.split()],
        input=b"", capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert sentence in done.stderr.decode()
