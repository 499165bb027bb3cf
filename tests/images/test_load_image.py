from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from humanseg.images import SUFFIXES, load, read_image
from humanseg.images.resize import resize_mask_from_probability
from humanseg.inference.engines.engine import FunctionEngine
from humanseg.inference.segmenter import Segmenter
from humanseg.system.errors import ImageError

RED = (200, 30, 40)


def _bytes(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:  # noqa: ANN401
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def _noise(height: int = 13, width: int = 19, channels: int = 3) -> NDArray[np.uint8]:
    rng = np.random.default_rng(height)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


class _Pipe(io.RawIOBase):
    """Bytes that come once, as on standard input."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


# --- Where a picture may come from ---


def test_load__every_kind_of_source_gives_the_same(tmp_path: Path) -> None:
    pixels = _noise()
    data = _bytes(Image.fromarray(pixels))
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    end = io.BytesIO(data)
    end.seek(0, os.SEEK_END)
    sources: list[Any] = [path, str(path), data, bytearray(data), end, pixels]
    sources += [Image.fromarray(pixels), Image.open(path), _Pipe(data)]
    for source in sources:
        picture = load(source)
        np.testing.assert_array_equal(picture.pixels, pixels)
        assert picture.size == (13, 19)
        assert picture.alpha is None
        assert picture.notes == ()
        assert not picture.reduced


def test_load__reads_a_pipe() -> None:
    reading, writing = os.pipe()
    data = _bytes(Image.fromarray(_noise()))
    with os.fdopen(writing, "wb") as stream:
        stream.write(data)
    with os.fdopen(reading, "rb") as stream:
        np.testing.assert_array_equal(load(stream).pixels, _noise())


def test_load__array_is_copied_and_never_changed() -> None:
    for array in (_noise(), _noise()[::-1, ::2], _noise(channels=4), _noise()[..., 0]):
        before = array.copy()
        picture = load(array)
        picture.pixels[...] = 7
        np.testing.assert_array_equal(array, before)


def test_load__array_layouts() -> None:
    grey = _noise()[..., 1]
    np.testing.assert_array_equal(load(grey).pixels, np.repeat(grey[..., None], 3, axis=2))
    rgba = _noise(channels=4)
    picture = load(rgba)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, rgba[..., 3])


def test_load__pil_image_is_turned_but_not_changed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    path = tmp_path / "picture.png"
    Image.fromarray(_noise()).save(path, exif=exif)
    with Image.open(path) as image:
        picture = load(image)
        assert image.size == (19, 13)
        assert image.getexif()[0x0112] == 8
    assert picture.size == (19, 13)
    assert picture.notes == ("turned upright (EXIF orientation 8)",)
    np.testing.assert_array_equal(picture.pixels, read_image(path))


def test_load__pil_image_at_its_current_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 0, 255))]
    data = _bytes(frames[0], "PNG", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        assert load(image).pixels[0, 0].tolist() == [0, 0, 255]
        assert image.tell() == 1


@pytest.mark.parametrize("mode", ["RGBX", "HSV", "YCbCr", "La", "RGBa", "PA", "LAB", "I", "1"])
def test_load__pil_image_of_any_mode(mode: str) -> None:
    image = Image.new(mode, (5, 3))
    assert load(image).pixels.shape == (3, 5, 3)


# --- Refusals ---


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((4, 4, 3)), "array of float64: uint8, 0 to 255, is needed; for values from 0"),
        (np.full((4, 4), np.nan, dtype=np.float32), "array of float32 with NaN: uint8"),
        (np.zeros((4, 4), dtype=bool), "array of bool: uint8"),
        (np.zeros((4, 4), dtype=np.uint16), "array of uint16: uint8"),
        (np.full((2, 2), None), "array of object: uint8"),
        (np.zeros((3, 40, 50), np.uint8), r"\(3, 40, 50\).*move the channels to the end"),
        (np.zeros((40, 50, 2), np.uint8), r"\(40, 50, 2\): \(height, width, 3\) RGB"),
        (np.zeros((1, 4, 4, 3), np.uint8), "give one picture at a time"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), "it holds no pixels"),
        (np.broadcast_to(np.uint8(1), (20_000, 20_000)), "20000x20000 pixels; at most 100"),
    ],
)
def test_load__wrong_array_is_one_sentence(array: NDArray[Any], sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        load(array)
    assert "\n" not in str(caught.value)


_PNG = _bytes(Image.fromarray(_noise(64, 64)))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"\x00" * 100, "not a picture in a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture in a known format"),
        (_PNG[: len(_PNG) // 2], "damaged or cut short"),
        (io.StringIO("text"), "open it with mode 'rb'"),
        (_Pipe(b""), "empty"),
        (5, "int is not a picture: a path, the bytes"),
        (None, "NoneType is not a picture"),
        ([1, 2], "list is not a picture"),
        ("no\0name", "cannot be opened"),
        ("x" * 5_000, "cannot be opened"),
    ],
)
def test_load__anything_else_is_one_sentence(source: Any, sentence: str) -> None:  # noqa: ANN401
    with pytest.raises(ImageError, match=sentence) as caught:
        load(source)
    assert "\n" not in str(caught.value)


def test_load__closed_file_object() -> None:
    stream = io.BytesIO(_PNG)
    stream.close()
    with pytest.raises(ImageError, match="closed"):
        load(stream)


def test_load__folder_missing_and_forbidden_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImageError, match=r"is a folder, not a picture\.$"):
        load(tmp_path)
    with pytest.raises(ImageError, match=r"no such file\.$"):
        load(tmp_path / "none.jpg")

    def refuse(*_: object) -> None:  # whoever runs the tests may read everything
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"may not be read \(permission denied\)\.$"):
        load(tmp_path / "picture.jpg")


def test_load__decompression_bomb_is_refused_by_its_header() -> None:
    header = b"P5 60000 60000 255\n"  # 3.6 gigapixels in 19 bytes
    with pytest.raises(ImageError, match="too many pixels; at most 100 million"):
        load(header)
    with pytest.raises(ImageError, match="12000x9000 pixels; at most 100 million"):
        load(b"P5 12000 9000 255\n")


def test_load__too_long_a_file_or_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humanseg.images.files.MAX_BYTES", 100)
    monkeypatch.setattr("humanseg.images.load_image.MAX_BYTES", 100)
    for source in (_PNG, _Pipe(_PNG)):
        with pytest.raises(ImageError, match="files of at most"):
            load(source)  # type: ignore[arg-type]


def test_load__heic_without_the_reader_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r'pip install "humanseg\[heic\]"'):
        load(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 40)


# --- Odd shapes and sizes ---


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9_000, 2), (2, 9_000), (30_000, 2)])
def test_load__thin_pictures_work_all_the_way(kind: str, size: tuple[int, int]) -> None:
    if kind == "WEBP" and max(size) > 16_383:
        pytest.skip("WebP cannot hold it")
    picture = load(_bytes(Image.new("RGB", size, RED), kind), at_least=32)
    redness = FunctionEngine.of(lambda images: (images[..., 0] / 255).astype(np.float32), (32, 32))
    grid = Segmenter.of_engine(redness).predict(picture).grid
    mask = resize_mask_from_probability(grid, picture.size, 0.5)
    assert mask.shape == (size[1], size[0])
    assert mask.all()


_MEASURE = """
import pathlib, sys
from humanseg.images import load

def most():  # ru_maxrss would count the process that started this one
    words = pathlib.Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) * 1024

load(sys.argv[2])
before = most()
picture = load(sys.argv[1], at_least=300)
assert picture.pixels.shape == (875, 875, 3)
small = most()
picture = load(sys.argv[1])
assert picture.pixels.shape == (7000, 7000, 3)
print(small - before, most() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure")
def test_load__large_picture_needs_bounded_memory(tmp_path: Path) -> None:
    large, little = tmp_path / "large.jpg", tmp_path / "little.jpg"
    Image.new("RGB", (7_000, 7_000), RED).save(large)
    Image.new("RGB", (70, 70), RED).save(little)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(large), str(little)],
        capture_output=True,
        text=True,
        check=True,
    )
    small, whole = (int(word) for word in done.stdout.split())
    assert small < 49_000_000 / 4  # an eighth of each side: a 64th of the pixels
    assert 49_000_000 * 3 < whole < 49_000_000 * 8  # 4 bytes in Pillow, 3 in the array, a band


# --- Notes ---


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("GIF", "animated: first frame"),
        ("PNG", "animated: first of 3 frames"),
        ("WEBP", "animated: first of 3 frames"),
        ("AVIF", "animated: first of 3 frames"),
        ("TIFF", "several pages: the first"),
        ("MPO", None),
    ],
)
def test_load__several_frames_give_the_first_and_a_note(kind: str, note: str | None) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, (0, 0, 255), (0, 255, 0))]
    data = _bytes(frames[0], kind, save_all=True, append_images=frames[1:])
    picture = load(data)
    assert abs(picture.pixels.astype(int) - RED).max() < 12
    assert picture.notes == ((note,) if note else ())


def test_load__damaged_exif_is_noted_and_gives_no_warning() -> None:
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00\x12\x01"
    data = _bytes(Image.new("RGB", (8, 4), RED), "JPEG", exif=exif)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        assert load(data).pixels.shape == (4, 8, 3)
    assert not given


def test_load__threads_leave_the_filters_of_warnings_as_they_were() -> None:
    data = _bytes(Image.new("RGB", (64, 64), RED), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff")
    before = list(warnings.filters)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(30):
                load(data)
        except BaseException as error:  # noqa: BLE001  carried to the test's own thread
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert list(warnings.filters) == before


def test_suffixes__every_one_is_readable_or_named_by_the_extra() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)
    assert {".jpg", ".jpeg", ".png", ".webp", ".heic", ".tif", ".gif", ".avif"} <= SUFFIXES
    assert not {".eps", ".pdf", ".svg", ".ico", ".psd"} & SUFFIXES


def test_suffixes__the_documentation_lists_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "images.md").read_text()
    listed = re.search(r"lower case: `([^`]*)`", text)
    assert listed is not None
    assert listed[1].split() == sorted(SUFFIXES)
