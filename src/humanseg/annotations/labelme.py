"""LabelMe's JSON: one file per picture."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel

from humanseg.annotations.contours import bridged
from humanseg.annotations.label_set import (
    Classes,
    LabelledImage,
    LabelSet,
    outlines_of,
    parsed,
    png_mask,
    read_json,
)
from humanseg.annotations.outlines import Segmentation
from humanseg.annotations.partners import visible
from humanseg.annotations.person_regions import Region
from humanseg.annotations.rle import encode_mask
from humanseg.images.resize import Size

_VERSION = "5.5.0"
"""Of LabelMe, whose files these are like; it opens those of its own and of older ones."""


class _Shape(BaseModel):
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = "polygon"
    mask: str | None = None


class _Document(BaseModel):
    shapes: list[_Shape]
    imagePath: str
    imageHeight: int | None = None
    imageWidth: int | None = None


def read_labelme(path: Path, classes: Sequence[str]) -> LabelSet:
    """Read LabelMe's polygons and masks, of a folder of JSON files or one such file.

    `classes` are the labels of people. Pictures lie where `imagePath` says, counted from the file,
    or in `path`.

    Raises:
        DataError: a file that is not LabelMe's, or none of the labels.
    """
    wanted = Classes(classes)
    root, files = (path, visible(path, "**/*.json")) if path.is_dir() else (path.parent, [path])
    entries = [_entry(file, wanted) for file in files]
    return LabelSet(tuple(entries), (root, root / "images"), wanted.taken(path))


def _entry(path: Path, classes: Classes) -> LabelledImage:
    document = parsed(_Document, read_json(path), path, "LabelMe")
    name = document.imagePath.replace("\\", "/")
    height, width = document.imageHeight, document.imageWidth
    names = (os.path.normpath(path.absolute().parent / name), name)
    if height is None or width is None or height < 1 or width < 1:
        unsized = "its labels do not say how large the picture is (imageHeight, imageWidth)"
        return LabelledImage(names, path, (1, 1), (), problem=unsized)
    size = (height, width)
    shapes = (shape for shape in document.shapes if classes.person(shape.label))
    people, problem = outlines_of(shapes, lambda shape: _outline(shape, size))
    return LabelledImage(names, path, size, people, problem=problem)


def _outline(shape: _Shape, size: Size) -> Segmentation:
    if shape.shape_type == "mask" and shape.mask is not None and shape.points:
        if not all(map(math.isfinite, shape.points[0])):
            raise ValueError("a mask has no place in its picture")
        left, top = (int(value) for value in shape.points[0])
        return encode_mask(png_mask(shape.mask), size=size, corner=(top, left))
    if shape.shape_type in ("polygon", None):
        return [[value for point in shape.points for value in point]]
    return []  # a rectangle, circle or line encloses more than a person, or nothing


def labelme_text(name: str, size: Size, regions: Iterable[Region], tolerance: float) -> str:
    """A picture's people as polygons; holes are joined to their outline by seams without width.

    `name` is that of the picture, as seen from the file; for `tolerance` see `Region.polygons`.
    """
    shapes = [
        {
            "label": "person",
            "points": bridged(region.polygons(tolerance)).tolist(),
            "group_id": None,
            "description": f"score {region.score:.4f}",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for region in regions
    ]
    document: dict[str, object] = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
    return json.dumps(document, indent=2) + "\n"
