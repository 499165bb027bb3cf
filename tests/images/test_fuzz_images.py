"""Thousands of damaged files: each gives an array or one sentence."""

from __future__ import annotations

import io
import resource
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from benchmarks.faults.mutations import mutants
from PIL import Image, ImageCms

from humanseg.images import load, read_image
from humanseg.system.errors import ImageError

pytestmark = pytest.mark.fault

PER_SAMPLE = 150
SIZE = (23, 17)
_RAMP = np.add.outer(np.arange(SIZE[1]) * 9, np.arange(SIZE[0]) * 5).astype(np.uint8)
RGB = Image.fromarray(np.stack([_RAMP, _RAMP[::-1], _RAMP[:, ::-1]], axis=-1))
RGBA = RGB.copy()
RGBA.putalpha(Image.fromarray(_RAMP))
WIDE = Image.fromarray(_RAMP.astype(np.uint16) * 250)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = Image.Exif()
EXIF[0x0112] = 6


def _file(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401  Pillow's own
    stream = io.BytesIO()
    # Copies, as saving leaves marks on a picture that trip up another format's writer.
    options["append_images"] = [RGB.rotate(90), RGB.rotate(180)] if "save_all" in options else []
    image.copy().save(stream, format=kind, **options)
    return stream.getvalue()


def _heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(RGB).save(stream)
    return stream.getvalue()


SAMPLES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: _file(RGB, "JPEG", exif=EXIF, icc_profile=SRGB),
    "jpeg-progressive": lambda: _file(RGB.convert("CMYK"), "JPEG", progressive=True),
    "jpeg-grey": lambda: _file(RGB.convert("L"), "JPEG", exif=EXIF),
    "mpo": lambda: _file(RGB, "MPO", save_all=True),
    "png": lambda: _file(RGB, "PNG", exif=EXIF, icc_profile=SRGB),
    "png-alpha": lambda: _file(RGBA, "PNG"),
    "png-palette": lambda: _file(RGB.quantize(20), "PNG", transparency=3),
    "png-16": lambda: _file(WIDE, "PNG"),
    "png-1": lambda: _file(RGB.convert("1"), "PNG"),
    "apng": lambda: _file(RGBA, "PNG", save_all=True),
    "gif": lambda: _file(RGB, "GIF", save_all=True),
    "gif-still": lambda: _file(RGB.convert("L"), "GIF", transparency=0),
    "bmp": lambda: _file(RGB, "BMP"),
    "bmp-palette": lambda: _file(RGB.quantize(9), "BMP"),
    "tiff": lambda: _file(RGB, "TIFF", exif=EXIF, icc_profile=SRGB),
    "tiff-lzw": lambda: _file(RGBA, "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda: _file(RGB, "TIFF", compression="jpeg"),
    "tiff-pages": lambda: _file(RGB, "TIFF", compression="tiff_adobe_deflate", save_all=True),
    "tiff-float": lambda: _file(Image.fromarray(np.float32(_RAMP) / 255), "TIFF"),
    "tiff-lab": lambda: _file(Image.merge("LAB", RGB.split()), "TIFF"),
    "webp": lambda: _file(RGB, "WEBP", exif=EXIF, icc_profile=SRGB),
    "webp-lossless": lambda: _file(RGBA, "WEBP", lossless=True),
    "webp-animated": lambda: _file(RGB, "WEBP", save_all=True),
    "avif": lambda: _file(RGB, "AVIF", exif=EXIF, icc_profile=SRGB),
    "avif-animated": lambda: _file(RGB, "AVIF", save_all=True),
    "jpeg2000": lambda: _file(RGB, "JPEG2000"),
    "jpeg2000-stream": lambda: _file(RGB, "JPEG2000", no_jp2=True),
    "ppm": lambda: _file(RGB, "PPM"),
    "pfm": lambda: _file(Image.fromarray(np.float32(_RAMP) / 255), "PPM"),
    "ppm-plain": lambda: (
        b"P3 23 17 255\n" + b" ".join(b"%d" % value for value in np.asarray(RGB).ravel())
    ),
    "heic": _heic,
}


def _check_sentence(error: ImageError) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 400


def _check_load(data: bytes, at_least: int | None) -> tuple[int, int] | None:
    """The size of what was read; None if it was refused in one sentence."""
    try:
        picture = load(data, at_least=at_least)
    except ImageError as error:
        _check_sentence(error)
        return None
    height, width, channels = picture.pixels.shape
    assert picture.pixels.dtype == np.uint8
    assert channels == 3
    assert height > 0
    assert width > 0
    assert picture.size == (height, width) or picture.reduced
    assert picture.alpha is None or picture.alpha.shape == (height, width)
    assert picture.straight().shape == picture.pixels.shape
    return picture.size


def _check_read(data: bytes) -> tuple[int, int] | None:
    try:
        pixels = read_image(data)
    except ImageError as error:
        _check_sentence(error)
        return None
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    return (pixels.shape[0], pixels.shape[1])


def test_samples__are_more_than_two_thousand_mutants() -> None:
    assert len(SAMPLES) * PER_SAMPLE >= 2_000


@pytest.mark.parametrize("name", SAMPLES)
def test_load__sample_itself_is_read(name: str) -> None:
    assert _check_load(SAMPLES[name](), None) in {SIZE, SIZE[::-1]}


@pytest.mark.parametrize("name", SAMPLES)
def test_load__damaged_file_is_an_array_or_a_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # A made-up header may ask for any size up to the limit; a lower one keeps the test quick.
    monkeypatch.setattr("humanseg.images.files.MAX_PIXELS", 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        for data in mutants(SAMPLES[name](), PER_SAMPLE, name):
            start = time.process_time()
            read = _check_read(data)
            assert _check_load(data, None) == read
            _check_load(data, 4)
            assert time.process_time() - start < 5.0
    assert not [str(warning.message) for warning in given]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
    printed = capfd.readouterr().err
    assert printed == "" or name.startswith("tiff")  # libtiff itself writes to stderr
