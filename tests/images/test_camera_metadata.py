"""What of EXIF passes: written and read by Pillow."""

from __future__ import annotations

import io
import struct

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


def _written(tags: list[tuple[int, int, int, bytes]]) -> bytes:
    """A JPEG file with EXIF values (tag, type, count, content) as no library would write them."""
    entries, behind = b"", b""
    start = 8 + 2 + 12 * len(tags) + 4
    for tag, kind, count, content in tags:
        place = struct.pack(">I", start + len(behind)) if len(content) > 4 else content.ljust(4)
        behind += content if len(content) > 4 else b""
        entries += struct.pack(">HHI", tag, kind, count) + place
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, len(tags)) + entries + bytes(4) + behind
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


_RATIONAL, _SIGNED, _SHORT, _TEXT = 5, 10, 3, 2
_MODEL = (0x0110, _TEXT, 6, b"Model\0")


@pytest.mark.parametrize(
    "damaged",
    [
        (0x0132, _RATIONAL, 1, struct.pack(">II", 1, 0)),
        (0x011A, _SIGNED, 1, struct.pack(">ii", -72, 1)),
        (0x011A, 12, 1, struct.pack(">d", float("nan"))),
        (0x010F, _TEXT, 2_000, b"M" * 1_999 + b"\0"),
    ],
    ids=["date-as-number", "negative", "nan", "long"],
)
def test_damaged_value__is_left_out_and_noted(damaged: tuple[int, int, int, bytes]) -> None:
    metadata = read_camera_metadata(_written([damaged, _MODEL]))
    content = encode(np.zeros((6, 8), dtype=np.uint8), "webp", metadata=metadata)
    with Image.open(io.BytesIO(content)) as image:
        assert dict(image.getexif()) == {0x0110: "Model"}
    assert metadata.notes == ("damaged or endless EXIF values: left out",)


def test_damaged_places__are_left_out() -> None:
    metadata = read_camera_metadata(
        _written([_MODEL, (0x8825, 4, 1, b"\0\xff\xff\xff")]), place=True
    )
    assert b"Model" in metadata.exif


@pytest.mark.parametrize("name", ["png", "jpg"])
def test_impossible_resolution__is_left_out(name: FormatName) -> None:
    unit = (0x0128, _SHORT, 1, struct.pack(">H", 2))
    wide = (0x011A, _RATIONAL, 1, struct.pack(">II", 4_000_000_000, 1))
    metadata = read_camera_metadata(_written([wide, unit]))
    assert metadata.dpi is None
    assert encode(np.zeros((6, 8), dtype=np.uint8), name, metadata=metadata)


@pytest.mark.parametrize(
    ("dpi", "kept"),
    [((65_535, 300), pytest.approx((65_535, 300), abs=0.1)), ((10_000_000, 300), None)],
)
def test_resolution__is_kept_up_to_the_most_of_a_jpeg(
    dpi: tuple[int, int], kept: tuple[float, float] | None
) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, "PNG", dpi=dpi)
    metadata = read_camera_metadata(stream.getvalue())
    assert metadata.dpi == kept
    assert encode(np.zeros((6, 8), dtype=np.uint8), "jpg", metadata=metadata)
