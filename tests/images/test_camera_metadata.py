"""What of EXIF passes: written and read by Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from humanseg.effects.encode import FormatName, encode
from humanseg.images.camera_metadata import read_camera_metadata


def _photo() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 1"
    exif[0x0112] = 6  # lies on its side
    exif[0x013B] = "Somebody"  # artist
    exif[0x8769] = {0x9003: "2026:11:29 12:00:00", 0x927C: b"maker's note", 0xA431: "serial 7"}
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)}
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, "JPEG", exif=exif, dpi=(300, 300))
    return stream.getvalue()


@pytest.mark.parametrize("name", ["png", "jpg", "webp"])
@pytest.mark.parametrize("place", [False, True])
def test_what_passes(name: FormatName, place: bool) -> None:
    metadata = read_camera_metadata(_photo(), place=place)
    content = encode(np.zeros((6, 8), dtype=np.uint8), name, metadata=metadata)
    with Image.open(io.BytesIO(content)) as image:
        exif = image.getexif()
        assert (exif[0x010F], exif[0x0110]) == ("Maker", "Model 1")
        assert dict(exif.get_ifd(0x8769)) == {0x9003: "2026:11:29 12:00:00"}
        assert bool(exif.get_ifd(0x8825)) is place
        assert exif.get(0x0112, 1) == 1
        assert 0x013B not in exif
        if name != "webp":  # which has no field for it
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_image_without_metadata() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, "PNG")
    metadata = read_camera_metadata(stream.getvalue())
    assert metadata.dpi is None
    content = encode(np.zeros((6, 8), dtype=np.uint8), "png", metadata=metadata)
    with Image.open(io.BytesIO(content)) as image:
        assert not dict(image.getexif())
