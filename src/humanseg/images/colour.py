"""From any mode of Pillow to 8-bit sRGB, in bands: no second copy of a large picture is made."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.system.errors import ImageError

if TYPE_CHECKING:
    from PIL import ImageCms

WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
"""More than 8 bits, one channel."""

_NARROW_TOPS = {2.0**bits - 1 for bits in range(9, 16)}
_BAND = 1_000_000
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_GREY = ("1", "L", "LA")
_LARGEST_PROFILE = 8_000_000
_INVISIBLE = 2
"""A profile that moves no colour by more than so many of 255 levels is sRGB by another name."""


def to_rgb(
    image: Image.Image, name: str, notes: list[str] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Convert a picture of any mode to RGB; transparency is laid on white.

    Where `notes` are given, an embedded colour profile is converted to sRGB and that is noted
    there; otherwise profiles are ignored. Errors call the picture by `name`.

    Returns:
        uint8 (height, width, 3); and the opacity, uint8 (height, width), or None where nothing is
        transparent.

    Raises:
        ImageError: float values that are not numbers.
    """
    profile = image.info.get("icc_profile") if notes is not None else None
    if image.mode in WIDE_MODES:
        image = to_eight_bits(image, name)
    transform = _transform(image, profile, notes if notes is not None else [])
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    alpha = np.empty(pixels.shape[:2], dtype=np.uint8) if image.has_transparency_data else None
    for rows, band in bands(image):
        if alpha is None:
            pixels[rows] = np.asarray(_opaque(band, transform))
        else:
            colours, opacity = _on_white(band, transform)
            pixels[rows], alpha[rows] = np.asarray(colours), np.asarray(opacity)
    if alpha is not None and alpha.min() == 255:
        alpha = None
    return pixels, alpha


def to_eight_bits(image: Image.Image, name: str, *, mask: bool = False) -> Image.Image:
    """16-bit, 32-bit and float grey as 8-bit grey; integer files by their top byte.

    A 16-bit mask whose values fit into 8 bits holds labels, not brightness, and stays as it is; one
    whose largest value is all ones of 9 to 15 bits is stored with so many, as cameras' 12 are.

    Raises:
        ImageError: float values that are not numbers.
    """
    # Twice over the bands instead of once over the whole: a float64 copy of 100 million pixels
    # would take 0.8 GB. 65535 / 257 = 255, so the top byte of a 16-bit value is rounded, not cut.
    tops = [np.asarray(band).max() for _, band in bands(image)]
    lows = [np.asarray(band).min() for _, band in bands(image)] if image.mode == "F" else []
    if not np.isfinite(tops + lows).all():
        raise ImageError(f"{name}: holds values that are not numbers (NaN or infinite).")
    top = float(max(tops))
    factor, divisor = 1.0, 1.0
    if image.mode == "F":
        factor = 255.0 if top <= 1.0 else 1.0
    elif top > 255 or (image.mode.startswith("I;16") and not mask):
        divisor = top / 255.0 if mask and top in _NARROW_TOPS else 257.0
    grey = np.empty((image.height, image.width), dtype=np.uint8)
    for rows, band in bands(image):
        values = np.asarray(band, dtype=np.float64) * factor / divisor
        grey[rows] = np.clip(np.rint(values), 0, 255)
    return Image.fromarray(grey)


def bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """A picture from top to bottom in pieces of about a million pixels."""
    height = max(1, _BAND // image.width)
    if height >= image.height:
        yield slice(0, image.height), image
        return
    for start in range(0, image.height, height):
        stop = min(start + height, image.height)
        yield slice(start, stop), image.crop((0, start, image.width, stop))


def _opaque(band: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    """RGB of a picture without transparency."""
    if transform is None:
        return band if band.mode == "RGB" else band.convert("RGB")
    wanted = transform.input_mode
    return transform.apply(band if band.mode == wanted else band.convert(wanted))


def _on_white(
    band: Image.Image, transform: ImageCms.ImageCmsTransform | None
) -> tuple[Image.Image, Image.Image]:
    """RGB on white, and opacity, of a picture with transparency."""
    if straight := _PREMULTIPLIED.get(band.mode):
        band = band.convert(straight)
    rgba = band.convert("RGBA")
    alpha = rgba.getchannel("A")
    if transform is not None:
        rgba = _opaque(band if transform.input_mode == "L" else rgba, transform)
        rgba.putalpha(alpha)
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba).convert("RGB"), alpha


def _transform(
    image: Image.Image, profile: object, notes: list[str]
) -> ImageCms.ImageCmsTransform | None:
    """What brings the picture's colours to sRGB; None if they are taken as they are."""
    if not isinstance(profile, bytes) or not profile:
        return _from_lab() if image.mode == "LAB" else None
    kinds = {"CMYK": "CMYK", "LAB": "LAB", **dict.fromkeys(_GREY, "L")}
    transform, note = _from_profile(profile, kinds.get(image.mode, "RGB"))
    if note:
        notes.append(note)
    return _from_lab() if transform is None and image.mode == "LAB" else transform


@functools.cache
def _from_lab() -> ImageCms.ImageCmsTransform:
    """CIE L*a*b* under D50, as TIFF files hold it, to sRGB."""
    from PIL import ImageCms

    return _build(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


@functools.lru_cache(maxsize=8)
def _from_profile(profile: bytes, kind: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """The transform of an embedded ICC profile, perhaps damaged, to sRGB, and a note.

    `kind` is what the picture holds: `RGB`, `L`, `CMYK` or `LAB`.
    """
    from PIL import ImageCms
    from PIL.ImageCms import PyCMSError

    try:
        if len(profile) > _LARGEST_PROFILE:
            raise ValueError(f"{len(profile) / 1e6:.0f} MB")
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space.strip().upper()
        # Grey pictures often carry the profile of the colour picture that they were.
        modes = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB": "LAB"}
        mode = modes.get(space, "")
        if mode != kind and not (mode == "RGB" and kind == "L"):
            raise ValueError(f"it describes {space or 'nothing'}, the picture is {kind}")
        if opened.profile.device_class not in ("scnr", "mntr", "prtr", "spac"):
            raise ValueError("it describes no picture's colours")
        transform = _build(opened, mode)
        if mode in ("RGB", "L") and _is_srgb(transform, mode):
            return None, ""
        return transform, f"colour profile {_title(opened)}converted to sRGB"
    except (OSError, ValueError, TypeError, AttributeError, ImportError, PyCMSError) as error:
        reason = " ".join(str(error).split())[:100]
        return None, f"colour profile ignored, it is of no use here ({reason})"


def _build(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    # Without the cache of the last colour one transform serves many threads.
    return ImageCms.buildTransform(
        profile, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL, ImageCms.Flags.NOCACHE
    )


def _is_srgb(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether nothing visible would change."""
    if mode == "L":
        before = np.arange(256, dtype=np.uint8)[None, :]
    else:
        steps = np.linspace(0, 255, 9).round().astype(np.uint8)
        before = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    after = np.asarray(transform.apply(Image.fromarray(before))).astype(np.int16)
    return bool(np.abs(after - before.reshape(1, after.shape[1], -1)).max() <= _INVISIBLE)


def _title(profile: ImageCms.ImageCmsProfile) -> str:
    """The profile's name in quotes and a space, as far as it can be shown."""
    name = "".join(sign for sign in profile.profile.profile_description or "" if sign.isprintable())
    return f"'{name.strip()[:60]}' " if name.strip() else ""
