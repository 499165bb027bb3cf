"""Backgrounds for people: photographs without anybody, and empty parts of those with people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from humanseg.data.samples import Sample
from humanseg.images.resize import Size, resize_mask

SMALLEST = 128
"""Sides of an empty part in pixels; smaller ones would be mush at a scene's size."""

LONGEST = 1280
"""Longest side that a background is kept at, in pixels."""

_CELLS = 48  # per side, in which empty rectangles are sought
_MARGIN = 2  # cells around people


def empty_part(sample: Sample) -> NDArray[np.uint8] | None:
    """The largest upright rectangle of a picture that shows nobody; None if it is too small.

    Raises:
        ImageError, DataError: files that cannot be read.
    """
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
    return part if min(part.shape[:2]) >= SMALLEST else None


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
