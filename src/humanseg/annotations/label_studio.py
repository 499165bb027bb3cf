"""Label Studio's exports JSON and JSON-MIN: brushes in its own packing, polygons in percent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from humanseg.annotations.label_set import (
    Classes,
    LabelledImage,
    LabelSet,
    outlines_of,
    parsed,
    read_json,
)
from humanseg.annotations.outlines import Segmentation
from humanseg.annotations.rle import encode_mask
from humanseg.images import MAX_PIXELS, SUFFIXES
from humanseg.images.resize import Size
from humanseg.system.errors import DataError

_KINDS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels")
_SHAPES = {"rle": "brush", "points": "polygon", "radiusX": "ellipse", "width": "rectangle"}
"""What a region without a label of its kind is, by what only such a region has."""
_UNLABELLED = "no label"
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the names of files that are uploaded."""
_CHANNELS = 4


class _Result(BaseModel):
    type: str
    value: dict[str, Any]
    to_name: str | None = None
    original_width: int | None = None
    original_height: int | None = None

    @property
    def size(self) -> Size:
        return self.original_height or 0, self.original_width or 0


class _Annotation(BaseModel):
    result: list[dict[str, Any]]
    was_cancelled: bool = False


class _Task(BaseModel):
    data: dict[str, Any]
    annotations: list[_Annotation]


class _Brush(BaseModel):
    rle: list[int]


class _Polygon(BaseModel):
    points: list[tuple[float, float]]


def read_label_studio(path: Path, classes: Sequence[str]) -> LabelSet:
    """Read brushes and polygons of people of a JSON export, or of JSON-MIN.

    `classes` are the labels of people. Pictures lie beside the file or in its images/ subfolder,
    under their own names, or as Label Studio calls uploads.

    Raises:
        DataError: not such a file, or none of the labels.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise DataError(f"{path}: is not an export of Label Studio, which is a list of tasks.")
    wanted = Classes(classes)
    whole = [parsed(_Task, _whole(task), path, "Label Studio") for task in tasks]
    shown = {
        name
        for task in whole
        for each in task.annotations
        for raw in each.result
        if isinstance(name := raw.get("to_name"), str)
    }
    entries = tuple(_entry(task, _names(task.data, shown, path), path, wanted) for task in whole)
    return LabelSet(entries, (path.parent, path.parent / "images"), wanted.taken(path))


def _whole(task: object) -> object:
    """A task of JSON-MIN, which has the values of one annotation by tool, as JSON has it."""
    if not isinstance(task, dict) or "annotation_id" not in task:
        return task
    values = [value for listed in task.values() if isinstance(listed, list)
              for value in listed if isinstance(value, dict)]  # fmt: skip
    results = [{**value, "type": kind, "value": value}
               for value in values for kind in _KINDS if kind in value]  # fmt: skip
    for value in values:
        shape = next((_SHAPES[key] for key in _SHAPES if key in value), None)
        if shape is not None and not any(kind in value for kind in _KINDS):
            kind = "labels" if "labels" in value else shape
            place = str([value.get(key) for key in (*_SHAPES, "x", "y")])
            results.append({**value, "type": kind, "value": value, "id": place})
    data = {name: value for name, value in task.items() if isinstance(value, str)}
    return {"data": data, "annotations": [{"result": results}]}


def _regions(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Results that are outlines, with their labels, which may stand in a result of the same id."""
    labels = {
        str(raw.get("id")): raw["value"].get("labels")
        for raw in results
        if raw.get("type") == "labels" and isinstance(raw.get("value"), dict)
    }
    for raw in results:
        kind, value = raw.get("type"), raw.get("value")
        if kind in _KINDS:
            yield raw
        elif kind in _SHAPES.values() and isinstance(value, dict):
            given = {f"{kind}labels": labels.get(str(raw.get("id")))}
            yield {**raw, "type": f"{kind}labels", "value": {**value, **given}}


def _entry(task: _Task, names: tuple[str, ...], path: Path, classes: Classes) -> LabelledImage:
    annotations = [each for each in task.annotations if not each.was_cancelled]
    if len(annotations) != 1:
        several = f"has {len(annotations)} annotations in {path.name}; keep one of each picture"
        return LabelledImage(names, path, (1, 1), (), problem=several)
    results: list[_Result] = []
    for raw in _regions(annotations[0].result):
        result = parsed(_Result, raw, path, "Label Studio")
        given = result.value.get(result.type) or _UNLABELLED
        labels = [str(label) for label in (given if isinstance(given, list) else [given])]
        if not sum(map(classes.person, labels)):  # all are counted
            continue
        if not 0 < result.size[0] * result.size[1] <= MAX_PIXELS:
            raise DataError(f"{path}: {names[0]} has no original_width and original_height.")
        results.append(result)
    people, problem = outlines_of(results, _outline)
    size = results[-1].size if results else None
    return LabelledImage(names, path, size, people, problem=problem)


def _names(data: dict[str, Any], shown: Set[object], path: Path) -> tuple[str, ...]:
    """A picture's file by its address: as written, by its last name, and without the upload's.

    Where several data name pictures, it is the one that is called as what labels are drawn on.
    """
    found = {key: names for key, value in data.items() if (names := _picture(str(value)))}
    if len(set(found.values())) > 1:
        found = {key: found[key] for key in found if key in shown} or found
    if len(set(found.values())) > 1:
        raise DataError(
            f"{path}: a task names several pictures ({', '.join(found)}); leave the one that is "
            "labelled in its data."
        )
    for names in found.values():
        return names
    raise DataError(f"{path}: a task names no picture; its data are {', '.join(data) or 'empty'}.")


def _picture(text: str) -> tuple[str, ...]:
    """Names of the file of an address; none if it is not one of a picture."""
    address = text.rpartition("?d=")[2]
    if "://" in address:
        address = re.split("[?#]", address, maxsplit=1)[0]  # signatures and versions
    name = unquote(address).replace("\\", "/")
    base = name.rpartition("/")[2]
    if Path(base).suffix.lower() not in SUFFIXES:
        return ()
    return tuple(dict.fromkeys((name.lstrip("/"), base, _UPLOAD.sub("", base))))


def _outline(result: _Result) -> Segmentation:
    """Of one result; ValueError: a brush that does not fill its picture, or no points."""
    size = result.size
    try:
        if result.type == "brushlabels":
            pixels = unpack_brush(bytes(_Brush.model_validate(result.value).rle))
            if pixels.size != _CHANNELS * size[0] * size[1]:
                raise ValueError(
                    f"a brush of {pixels.size // _CHANNELS} pixels does not fit its picture of "
                    f"{size[1]}x{size[0]}"
                )
            return encode_mask(pixels.reshape(*size, _CHANNELS)[..., 3] > 0)
        if result.type == "polygonlabels":
            points = np.array(_Polygon.model_validate(result.value).points)
            return [(points.reshape(-1, 2) / 100.0 * size[::-1]).ravel().tolist()]
    except ValidationError as error:
        raise ValueError(f"a {result.type} has no valid {error.errors()[0]['loc'][0]}") from error
    return []  # a rectangle or an ellipse is no outline


def unpack_brush(packed: bytes) -> NDArray[np.uint8]:
    """Values of Label Studio's run lengths, whose fields are of bits (the package rle-pack).

    First 32 bits: how many values. 5: bits of a value, less 1. 4 times 4: bits of lengths, less 1.
    Then blocks: 1 bit, whether one value is repeated; 2, which of the four lengths is used; the
    length less 1; the value, or all values.

    Returns:
        uint8, flat: red, green, blue and opacity of each pixel, row by row.

    Raises:
        ValueError: it ends too early, or values are not of 8 bits.
    """
    at = 0

    def read(count: int) -> int:
        nonlocal at
        first, last = at // 8, (at + count + 7) // 8
        if last > len(packed):
            raise ValueError("a brush ends too early")
        word = int.from_bytes(packed[first:last])
        at += count
        return word >> (8 * last - at) & ((1 << count) - 1)

    total, bits = read(32), read(5) + 1
    lengths = [read(4) + 1 for _ in range(4)]
    if bits != 8 or total > _CHANNELS * MAX_PIXELS:
        raise ValueError(f"a brush has {total} values of {bits} bits")
    stream = np.unpackbits(np.frombuffer(packed, dtype=np.uint8))
    values = np.zeros(total, dtype=np.uint8)
    done = 0
    while done < total:
        repeated, length = read(1), read(lengths[read(2)]) + 1
        length = min(length, total - done)
        if repeated:
            values[done : done + length] = read(bits)
        else:
            block = stream[at : at + bits * length]
            if len(block) < bits * length:
                raise ValueError("a brush ends too early")
            values[done : done + length] = np.packbits(block)
            at += bits * length
        done += length
    return values
