"""CVAT's XML, "CVAT for images 1.1": polygons and masks of a task, job or project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import numpy as np

from humanseg.annotations.label_set import Classes, LabelledImage, LabelSet
from humanseg.annotations.outlines import Segmentation
from humanseg.annotations.rle import encode_mask
from humanseg.images import MAX_PIXELS
from humanseg.images.resize import Size
from humanseg.system.errors import DataError

_SHAPES = ("polygon", "mask", "box", "ellipse", "polyline", "points", "cuboid", "skeleton")


def read_cvat(path: Path, classes: Sequence[str]) -> LabelSet:
    """Read the polygons and masks of CVAT's annotations.xml.

    `classes` are the labels of people. Pictures lie beside the file or in its images/ subfolder.

    Raises:
        DataError: not such a file, or none of the labels.
    """
    wanted = Classes(classes)
    reader = _Reader(path, wanted)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except expat.ExpatError as error:
        raise DataError(f"{path}: is not XML ({error}).") from error
    except (LookupError, ValueError) as error:
        raise DataError(
            f"{path}: line {parser.CurrentLineNumber} is not of CVAT for images 1.1 ({error})."
        ) from error
    if reader.root != "annotations":
        raise DataError(f"{path}: is not of CVAT; it begins with <{reader.root}>.")
    taken = wanted.taken(path, reader.labels or None)
    return LabelSet(tuple(reader.images), (path.parent, path.parent / "images"), taken)


class _Reader:
    """Collects what the parser tells; nothing in the file is expanded or opened."""

    def __init__(self, path: Path, classes: Classes) -> None:
        self._path = path
        self._classes = classes
        self._open: list[str] = []
        self._name = ""
        self._image: Mapping[str, str] = {}
        self._people: list[Segmentation] = []
        self._problem: str | None = None
        self.root = ""
        self.labels: list[str] = []
        self.images: list[LabelledImage] = []

    def refuse_doctype(self, *_: object) -> NoReturn:
        raise DataError(
            f"{self._path}: declares a document type, as no file of CVAT does; leave it out."
        )

    def start(self, tag: str, values: dict[str, str]) -> None:
        self._open.append(tag)
        self.root = self.root or tag
        self._name = ""
        if tag == "image":
            self._image, self._people, self._problem = values, [], None
        elif tag in _SHAPES and "image" in self._open and self._classes.person(values["label"]):
            try:
                self._people.append(_outline(tag, values, self._size))
            except ValueError as error:
                self._problem = f"a {tag} cannot be read: {error}"

    def characters(self, text: str) -> None:
        self._name += text

    def end(self, tag: str) -> None:
        self._open.pop()
        if tag == "name" and self._open[-1:] == ["label"]:
            self.labels.append(self._name)
        elif tag == "image":
            name, people = self._image["name"], tuple(self._people)
            entry = LabelledImage((name,), self._path, self._size, people, problem=self._problem)
            self.images.append(entry)

    @property
    def _size(self) -> Size:
        return int(self._image["height"]), int(self._image["width"])


def _outline(tag: str, values: Mapping[str, str], size: Size) -> Segmentation:
    """Of one shape; ValueError: a mask that reaches beyond its picture, or has other runs."""
    if tag == "polygon":
        points = [point.split(",") for point in values["points"].split(";")]
        if any(len(point) != 2 for point in points):
            raise ValueError(f"{values['points'][:40]!r} are not points of two numbers each")
        return [[float(value) for point in points for value in point]]
    if tag != "mask":
        return []  # a box or line is no outline
    left, top, width, height = (int(values[name]) for name in ("left", "top", "width", "height"))
    if width * height > min(size[0] * size[1], MAX_PIXELS):
        raise ValueError(f"a mask of {width}x{height} pixels is larger than its picture")
    runs = np.array([int(run) for run in values["rle"].split(",")])
    if runs.min() < 0 or runs.sum() != width * height or min(width, height) < 1:
        raise ValueError(f"the runs of a mask do not fill its {width}x{height} pixels")
    rows = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    return encode_mask(rows, size=size, corner=(top, left))
