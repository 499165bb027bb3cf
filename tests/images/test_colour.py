from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from tests.builders.colour_profiles import (
    P3_D50,
    SRGB_D50,
    gamma_curve,
    numbers,
    profile,
    rgb_profile,
)

from humanseg.images import load, read_image
from humanseg.system.errors import ImageError

COLOURS = np.array([[[200, 100, 50], [30, 160, 90], [250, 250, 250], [0, 0, 0]]], dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _bytes(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:  # noqa: ANN401
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def _grey_profile(gamma: float) -> bytes:
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma_curve(gamma)})


def _cmyk_profile(paper: int) -> bytes:
    """All inks are black; bare paper has the lightness `paper`, 0 to 100."""
    ramp = bytes(range(256))
    cells = b""
    for inks in range(16):
        cells += bytes([0 if inks else round(paper * 2.55), 128, 128])
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + numbers(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table += ramp * 4 + cells + ramp * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def _to_srgb(colours: NDArray[np.uint8], primaries: Any, gamma: float) -> NDArray[np.float64]:  # noqa: ANN401
    """What IEC 61966-2-1 says, without an ICC library."""
    linear = (colours / 255.0) ** gamma @ np.array(primaries) @ np.linalg.inv(np.array(SRGB_D50))
    linear = np.clip(linear, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(curved * 255.0, dtype=np.float64)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_load__wide_gamut_becomes_srgb(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = _bytes(Image.fromarray(COLOURS), kind, icc_profile=rgb_profile(), **options)
    picture = load(data)
    np.testing.assert_allclose(picture.pixels, _to_srgb(COLOURS, P3_D50, 2.2), atol=2)
    assert picture.notes == ("colour profile 'TestRGB' converted to sRGB",)


def test_load__data_sets_keep_their_numbers() -> None:
    data = _bytes(Image.fromarray(COLOURS), icc_profile=rgb_profile())
    np.testing.assert_array_equal(read_image(data), COLOURS)


def test_load__srgb_by_any_name_changes_nothing() -> None:
    everything = np.arange(256 * 16 * 3, dtype=np.uint32).astype(np.uint8).reshape(16, 256, 3)
    picture = load(_bytes(Image.fromarray(everything), icc_profile=SRGB))
    np.testing.assert_array_equal(picture.pixels, everything)
    assert picture.notes == ()


def test_load__profile_applies_to_reduced_jpegs() -> None:
    image = Image.new("RGB", (800, 640), (200, 100, 50))
    data = _bytes(image, "JPEG", icc_profile=rgb_profile(), quality=100)
    picture = load(data, at_least=80)
    assert picture.pixels.shape == (80, 100, 3)
    wanted = _to_srgb(COLOURS[0, 0], P3_D50, 2.2)
    np.testing.assert_allclose(picture.pixels[40, 40], wanted, atol=4)


def test_load__transparency_survives_the_profile() -> None:
    rgba = np.dstack([COLOURS, np.array([[255, 255, 0, 128]], dtype=np.uint8)])
    picture = load(_bytes(Image.fromarray(rgba), icc_profile=rgb_profile()))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, rgba[..., 3])
    wanted = _to_srgb(COLOURS, P3_D50, 2.2)
    np.testing.assert_allclose(picture.pixels[:, :2], wanted[:, :2], atol=2)
    assert picture.pixels[0, 2].tolist() == [255, 255, 255]
    assert abs(picture.pixels[0, 3].astype(int) - 127).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_load__grey_profile(mode: str) -> None:
    grey = Image.fromarray(np.array([[0, 64, 128, 255]], dtype=np.uint8)).convert(mode)
    picture = load(_bytes(grey, icc_profile=_grey_profile(1.0)))  # linear light
    linear = np.array([[0, 64, 128, 255]]) / 255
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(picture.pixels[..., 1], curved * 255, atol=2)
    assert picture.notes == ("colour profile 'TestGRAY' converted to sRGB",)


def test_load__grey_picture_with_the_profile_of_a_colour_one() -> None:
    grey = Image.fromarray(np.array([[64, 128]], dtype=np.uint8))
    picture = load(_bytes(grey, "JPEG", icc_profile=rgb_profile(SRGB_D50, 1.0), quality=100))
    assert picture.pixels[0, 1, 0] > 180


def test_load__cmyk_with_its_profile() -> None:
    image = Image.new("CMYK", (16, 16), (128, 0, 0, 0))
    image.paste((0, 0, 0, 255), (8, 0, 16, 16))
    plain = load(_bytes(image, "JPEG", quality=100))
    assert abs(plain.pixels[8, 2].astype(int) - (127, 255, 255)).max() <= 2
    assert plain.pixels[8, 13].max() <= 2
    assert plain.notes == ()
    picture = load(_bytes(image, "JPEG", quality=100, icc_profile=_cmyk_profile(80)))
    assert abs(picture.pixels[8, 2].astype(int) - 94).max() <= 3  # L* 40, half of the paper's
    assert picture.pixels[8, 13].max() <= 3
    assert picture.notes == ("colour profile 'TestCMYK' converted to sRGB",)


def test_load__lab() -> None:
    image = Image.new("LAB", (4, 4), (138, 128, 128))  # L* 54, without colour
    picture = load(_bytes(image, "TIFF"))
    assert abs(picture.pixels.astype(int) - 128).max() <= 3


def _damaged() -> dict[str, bytes]:
    good = rgb_profile()
    return {
        "noise": bytes(range(256)) * 3,
        "cut short": good[:300],
        "of another colour space": _cmyk_profile(90),
        "of a device link": good[:12] + b"link" + good[16:],
        "without tags": good[:128] + bytes(4),
        "too long": good + bytes(9_000_000),
    }


@pytest.mark.parametrize("kind", _damaged())
def test_load__useless_profile_is_ignored_and_noted(kind: str) -> None:
    image = Image.fromarray(COLOURS)
    image.info["icc_profile"] = _damaged()[kind]
    picture = load(image)
    np.testing.assert_array_equal(picture.pixels, COLOURS)
    (note,) = picture.notes
    assert note.startswith("colour profile ignored")
    assert "\n" not in note


# --- Depth ---


def _sixteen_bit_rgb(values: NDArray[np.uint16]) -> bytes:
    """A 16-bit colour PNG, which Pillow reads but does not write."""
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_load__sixteen_bit_colour() -> None:
    values = np.array([[[0, 32_768, 65_535], [257, 51_400, 12_850]]], dtype=np.uint16)
    picture = load(_sixteen_bit_rgb(values))
    assert picture.pixels.tolist() == [[[0, 128, 255], [1, 200, 50]]]
    with_alpha = np.dstack([values, np.array([[65_535, 0]], dtype=np.uint16)])
    picture = load(_sixteen_bit_rgb(with_alpha))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0]]


def test_load__sixteen_bit_grey_one_bit_and_float() -> None:
    wide = Image.fromarray(np.array([[0, 257, 65_535]], dtype=np.uint16))
    for kind in ("PNG", "TIFF", "PPM"):
        assert load(_bytes(wide, kind)).pixels[0, :, 0].tolist() == [0, 1, 255]
    bits = Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")
    assert load(_bytes(bits)).pixels[0, :, 2].tolist() == [0, 255]
    real = Image.fromarray(np.array([[0, 0.5, 1.0]], dtype=np.float32))
    assert load(_bytes(real, "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(ImageError, match="not numbers"):
        load(Image.fromarray(np.array([[0, np.nan]], dtype=np.float32)))


# --- Transparency ---


def test_load__palette_with_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 30, 40, 0, 0, 255])
    image.putdata([0, 1])
    picture = load(_bytes(image, transparency=1))
    assert picture.pixels.tolist() == [[[200, 30, 40], [255, 255, 255]]]
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0]]


def test_load__opaque_alpha_is_none() -> None:
    picture = load(_bytes(Image.new("RGBA", (3, 3), (1, 2, 3, 255))))
    assert picture.alpha is None
    assert picture.straight() is picture.pixels


def test_straight__gives_back_what_lies_on_any_ground() -> None:
    rng = np.random.default_rng(3)
    rgba = rng.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    picture = load(rgba)
    share = rgba[..., 3:] / 255.0
    straight = picture.straight()
    on_black = straight * share
    assert np.abs(on_black - rgba[..., :3] * share).max() <= 1.1  # nowhere darker, nowhere lighter
    opaque = rgba[..., 3] == 255
    np.testing.assert_array_equal(straight[opaque], rgba[..., :3][opaque])
