"""Supervisely's project: a JSON file per picture, with packed bitmaps and polygons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

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
from humanseg.annotations.partners import folders_beside
from humanseg.annotations.rle import encode_mask
from humanseg.images.resize import Size

_Points = list[tuple[float, float]]


class _Bitmap(BaseModel):
    data: str
    origin: tuple[int, int]


class _Polygon(BaseModel):
    exterior: _Points
    interior: list[_Points] = []


class _Object(BaseModel):
    class_title: str = Field(alias="classTitle")
    geometry: str = Field(alias="geometryType")
    bitmap: _Bitmap | None = None
    points: _Polygon | None = None


class _PictureSize(BaseModel):
    height: int = Field(ge=1)
    width: int = Field(ge=1)


class _Document(BaseModel):
    size: _PictureSize
    objects: list[_Object]


class _Class(BaseModel):
    title: str


class _Meta(BaseModel):
    classes: list[_Class]


def read_supervisely(root: Path, classes: Sequence[str]) -> LabelSet:
    """Read Supervisely's bitmaps and polygons of a project, or of one data set in it.

    ann/1.jpg.json belongs to img/1.jpg; `classes` are the titles of the classes of people.

    Raises:
        DataError: a file that is not Supervisely's, or none of the classes.
    """
    wanted = Classes(classes)
    entries = tuple(
        _entry(file, wanted)
        for folder in folders_beside(root, "ann", "img")
        for file in sorted(folder.glob("*.json"))
    )
    metas = [path for path in (root / "meta.json", root.parent / "meta.json") if path.is_file()]
    declared = None
    if metas:
        meta = parsed(_Meta, read_json(metas[0]), metas[0], "Supervisely")
        declared = [kind.title for kind in meta.classes]
    return LabelSet(entries, (root,), wanted.taken(root, declared))


def _entry(path: Path, classes: Classes) -> LabelledImage:
    document = parsed(_Document, read_json(path), path, "Supervisely")
    size = (document.size.height, document.size.width)
    objects = (item for item in document.objects if classes.person(item.class_title))
    people, problem = outlines_of(objects, lambda item: _outline(item, size))
    picture = path.absolute().parent.with_name("img") / path.stem
    return LabelledImage((str(picture),), path, size, people, problem=problem)


def _outline(item: _Object, size: Size) -> Segmentation:
    if item.geometry == "bitmap" and item.bitmap is not None:
        left, top = item.bitmap.origin
        mask = png_mask(item.bitmap.data, packed=True)
        return encode_mask(mask, size=size, corner=(top, left))
    if item.geometry == "polygon" and item.points is not None:
        rings = (item.points.exterior, *item.points.interior)
        if not all(rings):
            return [[]]
        return [bridged([np.array(ring, dtype=np.float64) for ring in rings]).ravel().tolist()]
    return []  # a rectangle or line is no outline
