"""Orientation and reduced decoding: what comes back lies where it was."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from humanseg.images import load, read_image
from humanseg.images.resize import resize_mask_from_probability
from humanseg.inference.engines.engine import FunctionEngine
from humanseg.inference.segmenter import Segmenter


def _bytes(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401  Pillow's own
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_load__orientation_equals_pillows(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    blocks = np.random.default_rng(4).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    flat = Image.fromarray(blocks).resize((48, 32), Image.Resampling.NEAREST)
    data = _bytes(flat, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = load(data)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.size == ((48, 32) if orientation >= 5 else (32, 48))
    np.testing.assert_array_equal(read_image(data), expected)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_load__heic_is_upright(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    shape = Image.new("RGB", (64, 48), (0, 0, 0))
    shape.paste((255, 255, 255), (0, 0, 16, 48))  # left
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    pillow_heif.from_pillow(shape).save(stream, exif=exif.tobytes())
    picture = load(stream)
    assert picture.size == ((64, 48) if orientation == 6 else (48, 64))
    grey = picture.pixels[..., 0]
    side = {1: grey[:, :10], 3: grey[:, -10:], 6: grey[:10]}[orientation]
    assert side.min() > 200
    assert picture.pixels.mean() < 90


def _shape(width: int, height: int) -> Image.Image:
    """A figure that is different from all its turned and mirrored selves."""
    image = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 8, height // 6, width // 3, height - height // 9), fill=255)
    draw.rectangle((width // 8, height // 2, width - width // 7, height * 3 // 4), fill=255)
    return image


def _stored(upright: Image.Image, orientation: int) -> Image.Image:
    """How a camera that writes this orientation stores an upright picture."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return upright.transpose(back[orientation]) if orientation in back else upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_load__known_shape_comes_back_to_the_pixel(kind: str, orientation: int) -> None:
    upright = _shape(211, 157)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    picture = load(_bytes(_stored(upright, orientation), kind, exif=exif, **options))
    assert picture.size == (157, 211)
    np.testing.assert_array_equal(picture.pixels[..., 0] >= 128, np.asarray(upright) > 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(1025, 777), (1031, 783), (1024, 776), (801, 1199)])
def test_load__known_shape_comes_back_through_a_reduced_file(
    size: tuple[int, int], orientation: int
) -> None:
    upright = _shape(*size)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _bytes(_stored(upright, orientation), "JPEG", exif=exif, quality=95)
    picture = load(data, at_least=96)
    assert picture.reduced
    assert picture.size == (size[1], size[0])
    assert 96 <= min(picture.pixels.shape[:2]) < 200
    redness = FunctionEngine.of(
        lambda images: (images[..., 0] / 255).astype(np.float32), (160, 160)
    )
    grid = Segmenter.of_engine(redness).predict(picture).grid
    mask = resize_mask_from_probability(grid, picture.size, 0.5)

    expected = np.asarray(upright) > 0
    assert mask.shape == expected.shape
    for axis in (0, 1):  # the outermost edges, and the balance point
        actual, wanted = np.flatnonzero(mask.any(axis)), np.flatnonzero(expected.any(axis))
        assert abs(actual[0] - wanted[0]) <= 1
        assert abs(actual[-1] - wanted[-1]) <= 1
        shift = np.argwhere(mask)[:, axis].mean() - np.argwhere(expected)[:, axis].mean()
        assert abs(shift) < 0.75
    assert (mask != expected).mean() < 0.005
