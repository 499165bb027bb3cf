from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from humanseg.images import read_image
from humanseg.system.errors import ImageError

RED = (200, 30, 40)


def _bytes(image: Image.Image, **options: Any) -> bytes:  # noqa: ANN401  Pillow's own
    stream = io.BytesIO()
    image.save(stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16", "F"])
def test_read_image__any_mode_gives_rgb_uint8(mode: str, tmp_path: Path) -> None:
    source = Image.new("RGB", (7, 5), RED)
    if mode == "I;16":
        source = Image.fromarray(np.full((5, 7), 40_000, dtype=np.uint16))
    elif mode == "F":
        source = Image.fromarray(np.full((5, 7), 0.5, dtype=np.float32))
    else:
        source = source.convert(mode)
    path = tmp_path / "picture.tif"
    source.save(path)

    array = read_image(path)

    assert array.shape == (5, 7, 3)
    assert array.dtype == np.uint8


def test_read_image__sixteen_bits_keep_their_brightness() -> None:
    data = _bytes(Image.fromarray(np.full((4, 4), 65_535, dtype=np.uint16)), format="PNG")
    assert read_image(data).min() == 255


def test_read_image__exif_orientation_turns_it_upright() -> None:
    image = Image.new("RGB", (8, 4), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 2, 4))  # left edge
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees to show
    data = _bytes(image, format="PNG", exif=exif)

    array = read_image(data)

    assert array.shape == (8, 4, 3)
    assert array[0].min() == 255
    assert array[-1].max() == 0


def test_read_image__transparency_is_laid_on_white() -> None:
    data = _bytes(Image.new("RGBA", (3, 3), (0, 0, 0, 0)), format="PNG")
    assert read_image(data).min() == 255


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"not a picture, the file is empty \(0 bytes\)"),
        (b"hello", "not a picture"),
        (_bytes(Image.new("RGB", (64, 64), RED), format="PNG")[:80], "damaged or cut short"),
        (_bytes(Image.new("RGB", (640, 640), RED), format="JPEG")[:900], "damaged or cut short"),
    ],
)
def test_read_image__bad_file_is_one_sentence(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=sentence) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_image__lab_is_converted() -> None:
    lab = Image.new("LAB", (3, 2), (138, 128, 128))  # L* 54, without colour
    array = read_image(_bytes(lab, format="TIFF"))
    assert abs(array.astype(int) - 128).max() <= 3


def test_read_image__colour_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = Image.new("RGB", (3, 2), RED)
    array = read_image(_bytes(image, format="PNG", icc_profile=profile))
    np.testing.assert_array_equal(array[0, 0], RED)


def test_read_image__damaged_exif_is_taken_as_upright() -> None:
    image = Image.new("RGB", (8, 4), RED)
    data = _bytes(image, format="JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff")
    assert read_image(data).shape == (4, 8, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_read_image__float_file_without_numbers_is_refused(value: float) -> None:
    data = _bytes(Image.fromarray(np.full((2, 2), value, dtype=np.float32)), format="TIFF")
    with pytest.raises(ImageError, match="not numbers"):
        read_image(data)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "CMYK"])
def test_read_image__large_picture_in_bands_equals_the_whole(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (31, 17, 4), dtype=np.uint8)
    image = Image.fromarray(noise, mode="RGBA")
    if mode == "I;16":
        image = Image.fromarray(noise[..., 0].astype(np.uint16) * 256 + noise[..., 1])
    else:
        image = image if mode == "RGBA" else image.convert("RGB").convert(mode)
    data = _bytes(image, format="TIFF")
    whole = read_image(data)
    monkeypatch.setattr("humanseg.images.colour._BAND", 17 * 4)
    np.testing.assert_array_equal(read_image(data), whole)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "TGA", "SGI"])
def test_read_image__formats_of_no_camera_are_refused(kind: str) -> None:
    data = _bytes(Image.new("RGB", (32, 32), RED), format=kind)
    with pytest.raises(ImageError, match="not a picture in a known format"):
        read_image(data)


def test_read_image__missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "none.png")


def test_read_image__too_many_pixels_are_refused_before_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("humanseg.images.files.MAX_PIXELS", 10)
    with pytest.raises(ImageError, match="at most"):
        read_image(_bytes(Image.new("RGB", (4, 4)), format="PNG"))
