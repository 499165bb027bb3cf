"""Drawn pictures of every kind that a page is given."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageDraw
from tests.builders.colour_profiles import rgb_profile

from humanseg.data import draw_scene

SCENE = 90
"""A drawn scene whose people the bundled network, which knows photographs, is sure of. Of others
it changes its mind in int8 when a few pixels change by a single level."""

Encode = Callable[[Image.Image], bytes]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _turned(orientation: int, method: Image.Transpose) -> Encode:
    """Stored otherwise than it is to be shown, as EXIF says."""

    def encode(image: Image.Image) -> bytes:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return _saved(image.transpose(method), "JPEG", quality=92, exif=exif)

    return encode


def _transparent(image: Image.Image) -> bytes:
    """A quarter of the picture see-through, with a soft rim."""
    alpha = Image.new("L", image.size, 255)
    width, height = image.size
    ImageDraw.Draw(alpha).rectangle((0, 0, width // 2, height // 2), fill=90)
    image = image.copy()
    image.putalpha(alpha)
    return _saved(image, "PNG")


def _large(image: Image.Image) -> bytes:
    return _saved(image.resize((6000, 4000), Image.Resampling.BICUBIC), "JPEG", quality=88)


KINDS: dict[str, Encode] = {
    "plain.jpg": lambda image: _saved(image, "JPEG", quality=90),
    "turned.jpg": _turned(6, Image.Transpose.ROTATE_90),
    "wide-gamut.png": lambda image: _saved(image, "PNG", icc_profile=rgb_profile()),
    "see-through.png": _transparent,
    "24-megapixels.jpg": _large,
    "small.png": lambda image: _saved(image.resize((150, 100)), "PNG"),
    "grey.jpg": lambda image: _saved(image.convert("L"), "JPEG", quality=90),
    "mirrored.jpg": _turned(7, Image.Transpose.TRANSVERSE),
    "packed.webp": lambda image: _saved(image, "WEBP", quality=85),
    "colours.png": lambda image: _saved(image.quantize(64), "PNG"),
}


def altered(images: Iterable[Image.Image]) -> dict[str, bytes]:
    """Files by their names: every kind in turn; the first six go wrong most easily."""
    kinds = itertools.cycle(KINDS.items())
    return {
        f"{number:02}-{name}": encode(image)
        for number, (image, (name, encode)) in enumerate(zip(images, kinds, strict=False))
    }


def draw_pictures(count: int) -> dict[str, bytes]:
    """Drawn people as files of `count` kinds."""
    image, _ = draw_scene(np.random.default_rng([19, SCENE]), (480, 720), clutter=0.2)
    return altered([Image.fromarray(image)] * count)
