"""What scenes are made of: people and objects cut out, and backgrounds that show nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from humanseg.data.samples import Sample
from humanseg.images import open_image, read_image
from humanseg.images.resize import Size, resize_mask
from humanseg.system.errors import ImageError

_LONGEST_CUTOUT, _LONGEST_BACKGROUND = 640, 1280  # pixels; scenes are not larger
_SMALLEST_PERSON = 24  # pixels; smaller ones are specks of a mask
_HOLE = 0.02  # of the person: holes up to this are black clothes that the labels lost
_SMALLEST_PART = 128  # pixels of an empty part; smaller ones would be mush at a scene's size
_CELLS = 48  # per side, in which empty rectangles are sought
_MARGIN = 2  # cells around people


@dataclass(frozen=True)
class Cutout:
    """Something to lay on a background."""

    image: NDArray[np.uint8]
    """(height, width, 4) RGBA, straight alpha."""
    standing: bool
    """Whether all of it is in its picture, down to the feet; else it ends at the border."""


@dataclass(frozen=True)
class Material:
    """What scenes are made of; each function draws one, which is read when it is needed."""

    person: Callable[[np.random.Generator], Cutout]
    background: Callable[[np.random.Generator], NDArray[np.uint8]]
    object: Callable[[np.random.Generator], Cutout] | None
    """An object; None if there are none."""


def cut_people(sample: Sample) -> list[Cutout]:
    """The people of a picture, each region of its mask that is large enough."""
    image = Image.fromarray(sample.read_image())
    image.thumbnail((2 * _LONGEST_CUTOUT, 2 * _LONGEST_CUTOUT), Image.Resampling.BOX)
    mask = resize_mask(sample.read_mask(), (image.height, image.width))
    labels, count = ndimage.label(mask)
    if count == 0:
        return []
    areas = np.bincount(labels.ravel())[1:]
    boxes = ndimage.find_objects(labels)
    pixels = np.asarray(image)
    people = []
    for label in np.flatnonzero(areas >= 0.1 * areas.max()) + 1:
        rows, columns = boxes[label - 1]
        if min(rows.stop - rows.start, columns.stop - columns.start) < _SMALLEST_PERSON:
            continue
        region = _without_small_holes(labels[rows, columns] == label)
        people.append(_cutout(pixels[rows, columns], region, rows.stop < mask.shape[0]))
    return people


def _without_small_holes(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    holes, _ = ndimage.label(ndimage.binary_fill_holes(region) & ~region)
    small = np.bincount(holes.ravel()) <= _HOLE * region.sum()
    small[0] = False  # what is no hole
    return np.asarray(region | small[holes])


def _cutout(pixels: NDArray[np.uint8], region: NDArray[np.bool_], standing: bool) -> Cutout:
    """RGBA of a region whose soft edge lies inside the mask: no old background comes along."""
    soft = Image.fromarray(region.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(1.2))
    inside = np.clip((np.asarray(soft, dtype=np.float32) - 110.0) * 2.0, 0.0, 255.0)
    image = Image.fromarray(np.dstack([pixels, inside.astype(np.uint8)]))
    image.thumbnail((_LONGEST_CUTOUT, _LONGEST_CUTOUT), Image.Resampling.BOX)
    return Cutout(np.asarray(image), standing)


def read_object(path: Path) -> Cutout:
    """An object with transparency around it; without any, an ImageError."""
    image = open_image(path)
    if not image.has_transparency_data:
        raise ImageError(f"{path}: has no transparency; objects are cut-outs with alpha.")
    image = image.convert("RGBA")
    box = image.getchannel("A").getbbox()
    if box is None:
        raise ImageError(f"{path}: is wholly transparent; objects are cut-outs with alpha.")
    image = image.crop(box)
    image.thumbnail((_LONGEST_CUTOUT, _LONGEST_CUTOUT), Image.Resampling.BOX)
    return Cutout(np.asarray(image), standing=True)


def read_background(path: Path) -> NDArray[np.uint8]:
    """A photograph without anybody, uint8 RGB, no larger than scenes need."""
    image = Image.fromarray(read_image(path))
    image.thumbnail((_LONGEST_BACKGROUND, _LONGEST_BACKGROUND), Image.Resampling.BOX)
    return np.asarray(image)


def empty_part(sample: Sample) -> NDArray[np.uint8] | None:
    """The largest upright rectangle of a picture that shows nobody; None if it is too small."""
    image = sample.read_image()
    mask, ignored = sample.read_mask(), sample.read_ignored()  # nobody knows who is in the latter
    taken = mask if ignored is None else mask | ignored
    fine = resize_mask(taken, (_CELLS * 4, _CELLS * 4))
    people = fine.reshape(_CELLS, 4, _CELLS, 4).any(axis=(1, 3))
    near = ndimage.binary_dilation(people, np.ones((3, 3)), iterations=_MARGIN)
    top, left, bottom, right = largest_rectangle(~near)
    height, width = image.shape[:2]
    rows = slice(top * height // _CELLS, bottom * height // _CELLS)
    columns = slice(left * width // _CELLS, right * width // _CELLS)
    part = image[rows, columns]
    return part if min(part.shape[:2]) >= _SMALLEST_PART else None


def largest_rectangle(free: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The rectangle of largest area within True cells: (top, left, bottom, right), ends excluded.

    Among equals, the first from the top. The classic stack over column heights (Marshall,
    "The maximal rectangle problem", Dr. Dobb's Journal, 1998).
    """
    best, rectangle = 0, (0, 0, 0, 0)
    heights = np.zeros(free.shape[1], dtype=np.intp)
    for row, line in enumerate(free):
        heights = np.where(line, heights + 1, 0)
        stack: list[tuple[int, int]] = []  # (left end, height), heights rising
        for column, height in enumerate([*heights.tolist(), 0]):
            left = column
            while stack and stack[-1][1] >= height:
                left, tall = stack.pop()
                if tall * (column - left) > best:
                    best = tall * (column - left)
                    rectangle = (row + 1 - tall, left, row + 1, column)
            stack.append((left, height))
    return rectangle


def crop_background(
    rng: np.random.Generator, photograph: NDArray[np.uint8], size: Size
) -> NDArray[np.uint8]:
    """A random part of a photograph, uint8 RGB, scaled to `size`, mirrored every other time."""
    height, width = photograph.shape[:2]
    largest = min(width / size[1], height / size[0])
    smallest = min(1.0, largest)  # enlarging makes mush
    scale = rng.uniform(smallest, largest)
    box_width = min(float(width), size[1] * scale)  # rounding must not lead outside
    box_height = min(float(height), size[0] * scale)
    left = rng.uniform(0.0, width - box_width)
    top = rng.uniform(0.0, height - box_height)
    box = (left, top, left + box_width, top + box_height)
    background = Image.fromarray(photograph).resize(
        (size[1], size[0]), Image.Resampling.BILINEAR, box=box
    )
    pixels = np.asarray(background)
    return np.ascontiguousarray(pixels[:, ::-1] if rng.random() < 0.5 else pixels)
