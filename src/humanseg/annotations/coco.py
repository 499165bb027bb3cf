"""COCO's JSON: read from any tool, and written for all pictures of a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, TextIO

from humanseg.annotations.label_set import Classes, LabelledImage, LabelSet, read_json
from humanseg.annotations.outlines import Segmentation
from humanseg.annotations.person_regions import Region
from humanseg.images.resize import Size
from humanseg.system.errors import DataError


def read_coco(path: Path, classes: Sequence[str]) -> LabelSet:
    """Read the annotations of people, crowds included, of a COCO JSON file.

    `classes` names the categories that are people. Pictures lie beside the file, beside its folder,
    or in an images/ subfolder of either. One without a person is a valid pair with an empty mask.

    Raises:
        DataError: not a COCO file, or without the categories.
    """
    document = _document(path)
    wanted = Classes(classes)
    people = _person_annotations(path, document, wanted)
    images = tuple(
        LabelledImage((row["file_name"],), path, (row["height"], row["width"]), people[row["id"]])
        for row in document["images"]
    )
    taken = wanted.taken(path, [row["name"] for row in document["categories"]])
    above = path.absolute().parent.parent
    folders = (path.parent, path.parent / "images", above / "images", above)
    return LabelSet(images, folders, taken)


def _document(path: Path) -> dict[str, Any]:
    """A COCO file with every field that is used, of the right type."""
    fields: dict[str, dict[str, Callable[[object], object]]] = {
        "images": {"id": _identifier, "file_name": _text, "height": _length, "width": _length},
        "annotations": {"image_id": _identifier, "category_id": _identifier},
        "categories": {"id": _identifier, "name": _text},
    }
    document = read_json(path)
    for section, needed in fields.items():
        rows = document.get(section) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise DataError(f"{path}: is not a COCO file (it has no list named {section!r}).")
        for (index, row), (field, convert) in product(enumerate(rows), needed.items()):
            where = f"{path}: {section}[{index}]"
            if not isinstance(row, dict) or row.get(field) is None:
                raise DataError(f"{where} has no {field!r}; is it a COCO file?")
            try:
                row[field] = convert(row[field])
            except ValueError as error:
                raise DataError(f"{where}.{field} is {row[field]!r}; {error}.") from error
    for section in ("images", "categories"):
        _refuse_repeated(path, section, document[section])
    return dict(document)


def _refuse_repeated(path: Path, section: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse two entries with one id: whose an annotation is could not be said."""
    places: dict[int | str, int] = {}
    for index, row in enumerate(rows):
        first = places.setdefault(row["id"], index)
        if first != index:
            raise DataError(
                f"{path}: {section}[{first}] and {section}[{index}] both have the id "
                f"{row['id']!r}; give each its own."
            )


def _identifier(value: object) -> int | str:
    """Numbers, whatever a tool writes them as: 7, 7.0 and "7" are one, "07" is another."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        number = value.isascii() and value.isdigit() and str(int(value)) == value
        return int(value) if number else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a whole number or a text is needed")


def _length(value: object) -> int:
    number = _identifier(value) if not isinstance(value, bool) else 0
    if isinstance(number, str) or number < 1:
        raise ValueError("a whole number of pixels is needed, 1 or more")
    return number


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is needed")
    return value


def _person_annotations(
    path: Path, document: dict[str, Any], classes: Classes
) -> dict[int | str, tuple[Segmentation, ...]]:
    """Outlines of people by image id."""
    names = {row["id"]: row["name"] for row in document["categories"]}
    people: dict[int | str, list[Segmentation]] = {row["id"]: [] for row in document["images"]}
    for row in document["annotations"]:
        if row["image_id"] not in people:
            raise DataError(
                f"{path}: an annotation belongs to image {row['image_id']}, which is not listed."
            )
        if classes.person(names.get(row["category_id"], str(row["category_id"]))):
            people[row["image_id"]].append(row.get("segmentation", []))
    return {image: tuple(outlines) for image, outlines in people.items()}


def coco_entry(
    name: str, size: Size, regions: Iterable[Region], tolerance: float
) -> dict[str, Any]:
    """One picture and its people, without ids: run lengths where there are holes, else polygons.

    `name` is that of the picture's file in the document; for `tolerance` see `Region.polygons`.
    """
    annotations = [
        {
            "segmentation": region.rle()
            if len(region.rings) > 1
            else [region.polygons(tolerance)[0].ravel().tolist()],
            "area": region.area,
            "bbox": list(region.box),
            "score": round(region.score, 4),
        }
        for region in regions
    ]
    height, width = size
    return {"file_name": name, "height": height, "width": width, "annotations": annotations}


def write_coco(file: TextIO, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write the document of many `coco_entry`, one after the other; memory holds names alone."""
    images: list[dict[str, Any]] = []
    written = 0
    file.write('{"info": {"description": "people, found by humanseg"}, "licenses": [],\n')
    file.write('"categories": [{"id": 1, "name": "person", "supercategory": "person"}],\n')
    file.write('"annotations": [')
    for number, entry in enumerate(entries, start=1):
        images.append({"id": number, **entry})
        for annotation in images[-1].pop("annotations"):
            written += 1
            ids = {"id": written, "image_id": number, "category_id": 1, "iscrowd": 0}
            file.write(f"{',' if written > 1 else ''}\n{json.dumps(ids | annotation)}")
    rows = ",\n".join(json.dumps(image) for image in images)
    file.write(f'],\n"images": [\n{rows}]}}\n')
