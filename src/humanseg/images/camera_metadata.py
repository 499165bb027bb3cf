"""What of an image's EXIF goes on to a result: date, camera and resolution; the place if asked."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from humanseg.images.files import Quiet, sentences

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
_EXIF, _GPS = 0x8769, 0x8825


@dataclass(frozen=True)
class CameraMetadata:
    """What a result's file gets."""

    exif: bytes
    """EXIF; without orientation, since results are upright."""
    dpi: tuple[float, float] | None
    """Dots per inch, across and down."""


def read_camera_metadata(source: Path | bytes, *, place: bool = False) -> CameraMetadata:
    """Read what may go on from an image file, or its content; the place (GPS) only if asked to.

    Raises:
        ImageError: the file cannot be read.
    """
    name = str(source) if isinstance(source, Path) else "picture"
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    with sentences(name), Quiet(), Image.open(stream) as image:
        read = image.getexif()
        exif = Image.Exif()
        exif.update({tag: value for tag, value in read.items() if tag in _TAGS})
        details = read.get_ifd(_EXIF)
        passing = {tag: value for tag, value in details.items() if tag in _EXIF_TAGS}
        if passing:
            exif[_EXIF] = passing
        if place and (gps := dict(read.get_ifd(_GPS))):
            exif[_GPS] = gps
        dpi = image.info.get("dpi")
        return CameraMetadata(
            exif.tobytes(), None if dpi is None else (float(dpi[0]), float(dpi[1]))
        )
