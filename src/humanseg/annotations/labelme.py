"""LabelMe's JSON: one file per picture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from humanseg.annotations.contours import bridged
from humanseg.annotations.label_set import (
    Classes,
    LabelledImage,
    LabelSet,
    parsed,
    placed,
    png_mask,
    read_json,
)
from humanseg.annotations.outlines import Segmentation
from humanseg.annotations.person_regions import Region
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


def labelme_files(root: Path) -> list[Path]:
    """The JSON files of a folder, and of the folders in it."""
    return sorted(path for path in root.rglob("*.json") if not path.name.startswith("."))


def read_labelme(path: Path, classes: Sequence[str]) -> LabelSet:
    """Read LabelMe's polygons and masks.

    Args:
        path: a folder of JSON files, or one such file. Pictures lie where `imagePath` says, counted
            from the file, or in `path`.
        classes: labels that are people.

    Raises:
        DataError: a file that is not LabelMe's, or none of the labels.
    """
    wanted = Classes(classes)
    root = path if path.is_dir() else path.parent
    entries = [_entry(file, wanted) for file in (labelme_files(root) if path.is_dir() else [path])]
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
    people: list[Segmentation] = []
    problem: str | None = None
    for shape in document.shapes:
        if classes.person(shape.label):
            try:
                people.append(_outline(shape, size))
            except ValueError as error:
                problem = str(error)
    return LabelledImage(names, path, size, tuple(people), problem=problem)


def _outline(shape: _Shape, size: Size) -> Segmentation:
    if shape.shape_type == "mask" and shape.mask is not None and shape.points:
        left, top = (int(value) for value in shape.points[0])
        return placed(png_mask(shape.mask), size, left=left, top=top)
    if shape.shape_type in ("polygon", None):
        return [[value for point in shape.points for value in point]]
    return []  # a rectangle, circle or line encloses more than a person, or nothing


def labelme_document(
    name: str, size: Size, regions: Iterable[Region], tolerance: float
) -> dict[str, Any]:
    """A picture's people as polygons; holes are joined to their outline by seams without width.

    Args:
        name: of the picture, as seen from the file.
        size: (height, width) of the picture.
        regions: the people.
        tolerance: see `Region.polygons`.
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
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }


def labelme_text(name: str, size: Size, regions: Iterable[Region], tolerance: float) -> str:
    """`labelme_document` as the content of its file."""
    return json.dumps(labelme_document(name, size, regions, tolerance), indent=2) + "\n"
