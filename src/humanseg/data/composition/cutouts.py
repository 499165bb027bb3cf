"""Cut-outs: people along their masks, and objects along their alpha."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from humanseg.data.samples import Sample
from humanseg.images import open_image
from humanseg.images.resize import resize_mask
from humanseg.system.errors import ImageError

LONGEST = 640
"""Longest side of a cut-out in pixels; scenes are not larger."""

_SMALLEST_PERSON = 24  # pixels; smaller ones are specks of a mask
_HOLE = 0.02  # of the person: holes up to this are black clothes that the labels lost


@dataclass(frozen=True)
class Cutout:
    """Something to lay on a background."""

    image: NDArray[np.uint8]
    """(height, width, 4) RGBA, straight alpha."""
    standing: bool
    """Whether all of it is in its picture, down to the feet; else it ends at the border."""


def cut_people(sample: Sample) -> list[Cutout]:
    """The people of a picture, each region of its mask that is large enough.

    Raises:
        ImageError, DataError: files that cannot be read.
    """
    image = Image.fromarray(sample.read_image())
    image.thumbnail((LONGEST * 2, LONGEST * 2), Image.Resampling.BOX)
    mask = resize_mask(sample.read_mask(), (image.height, image.width))
    labels, count = ndimage.label(mask)
    if count == 0:
        return []
    areas = np.bincount(labels.ravel())[1:]
    pixels = np.asarray(image)
    people = []
    for label in np.flatnonzero(areas >= 0.1 * areas.max()) + 1:
        rows, columns = ndimage.find_objects(labels)[label - 1]
        if min(rows.stop - rows.start, columns.stop - columns.start) < _SMALLEST_PERSON:
            continue
        region = _without_small_holes(labels[rows, columns] == label)
        people.append(_cutout(pixels[rows, columns], region, rows.stop < mask.shape[0]))
    return people


def _without_small_holes(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    holes, count = ndimage.label(ndimage.binary_fill_holes(region) & ~region)
    if count == 0:
        return region
    areas = np.bincount(holes.ravel())
    small = areas <= _HOLE * region.sum()
    small[0] = False
    return np.asarray(region | small[holes])


def _cutout(pixels: NDArray[np.uint8], region: NDArray[np.bool_], standing: bool) -> Cutout:
    """RGBA of a region whose soft edge lies inside the mask: no old background comes along."""
    soft = Image.fromarray(region.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(1.2))
    inside = np.clip((np.asarray(soft, dtype=np.float32) - 110.0) * 2.0, 0.0, 255.0)
    rgba = np.dstack([pixels, inside.astype(np.uint8)])
    image = Image.fromarray(rgba)
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    return Cutout(np.asarray(image), standing)


def read_object(path: Path) -> Cutout:
    """An object with transparency around it.

    Raises:
        ImageError: not readable, or without any transparency.
    """
    image = open_image(path)
    if not image.has_transparency_data:
        raise ImageError(f"{path}: has no transparency; objects are cut-outs with alpha.")
    image = image.convert("RGBA")
    box = image.getchannel("A").getbbox()
    if box is None:
        raise ImageError(f"{path}: is wholly transparent; objects are cut-outs with alpha.")
    image = image.crop(box)
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    return Cutout(np.asarray(image), standing=True)
