"""What of an image's EXIF goes on to a result: date, camera and resolution; the place if asked."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from humanseg.images.files import Quiet, identify, open_source, sentences

# A list of what may pass, not of what may not: makers' notes, comments, owners, serial numbers and
# previews can all tell who or where somebody was.
_TAGS = {
    0x010F, 0x0110,  # make and model of the camera
    0x011A, 0x011B, 0x0128,  # resolution
    0x0132,  # date of the last change
}  # fmt: skip
_EXIF_TAGS = {
    0x829A, 0x829D, 0x8827, 0x920A, 0xA405,  # exposure, aperture, sensitivity, focal lengths
    0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292,  # dates and their time zones
    0xA433, 0xA434,  # make and model of the lens
}  # fmt: skip
_GPS_TAGS = range(32)
_EXIF, _GPS = 0x8769, 0x8825
_LONGEST = 1_000
"""Bytes of one value, with which all of them fit into the 65,533 bytes that a JPEG file has."""
_MOST_DPI = 65_535
"""What a JPEG file can say."""


@dataclass(frozen=True)
class CameraMetadata:
    """What a result's file gets."""

    exif: bytes
    """EXIF, less than 65,000 bytes; without orientation, since results are upright."""
    dpi: tuple[float, float] | None
    """Dots per inch, across and down, above 0 and at most 65,535."""
    notes: tuple[str, ...] = ()
    """Whether values were damaged or too long, and are left out."""


def read_camera_metadata(source: Path | bytes, *, place: bool = False) -> CameraMetadata:
    """Read what may go on from an image file, or its content; the place (GPS) only if asked to.

    Values that are damaged, or longer than any camera writes, are left out.

    Raises:
        ImageError: the file cannot be read.
    """
    with (
        open_source(source) as (stream, name),
        sentences(name),
        Quiet(),
        identify(stream, name) as image,
    ):
        values, left_out = _sound(image, 0, _TAGS)
        exif = Image.Exif()
        exif.update(values)
        for group, tags in ((_EXIF, _EXIF_TAGS), *([(_GPS, _GPS_TAGS)] if place else [])):
            values, more = _sound(image, group, tags)
            left_out |= more
            if values:
                exif[group] = values
        notes = ("damaged or endless EXIF values: left out",) if left_out else ()
        return CameraMetadata(exif.tobytes(), _sensible(image.info.get("dpi")), notes)


def _sound(image: Image.Image, group: int, tags: Collection[int]) -> tuple[dict[int, Any], bool]:
    """Values of a group of tags, 0 for the main one, and whether others had to be left out."""
    try:
        read = image.getexif()
        values: Mapping[int, Any] = read.get_ifd(group) if group else read
        given = [tag for tag in tags if tag in values]
    except Exception:  # noqa: BLE001  damaged EXIF data raises many kinds; the pixels are sound
        return {}, True
    sound: dict[int, Any] = {}
    for tag in given:
        with contextlib.suppress(Exception):  # each is tried alone
            value, alone = values[tag], Image.Exif()
            alone[group or tag] = {tag: value} if group else value
            if len(alone.tobytes()) <= _LONGEST:
                sound[tag] = value
    return sound, len(sound) < len(given)


def _sensible(dpi: Iterable[float] | None) -> tuple[float, float] | None:
    """Dots per inch that a file can say; None for others."""
    try:
        across, down = map(float, dpi or ())
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (across, down) if min(across, down) > 0 and max(across, down) <= _MOST_DPI else None
