"""Read the pairs of a data set from a CSV or COCO JSON file."""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from humanseg.data.samples import Sample, Segmentation, segmentation_problem
from humanseg.errors import DataError

_COLUMNS = ("images", "masks")
_CATEGORY = "person"


@dataclass(frozen=True, slots=True)
class Missing:
    """A picture or mask that cannot be used because its partner is not there."""

    path: Path
    message: str
    """What is wrong, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a data set holds: whole pairs, and what is left over."""

    samples: tuple[Sample, ...]
    missing: tuple[Missing, ...]


def read_csv(path: Path) -> Pairs:
    """Read a table with the columns `images` and `masks`, in any order, others ignored.

    Paths count from the table's folder; leading folders that are not there are dropped, so a table
    that was written elsewhere still works. Ids are the picture paths without what all share.

    Raises:
        DataError: not a readable table, or without these columns.
    """
    samples: list[tuple[Path, Path]] = []
    missing: list[Missing] = []
    files = _Files((path.parent,))
    for line, row in _rows(path):
        cells = {name: (row.get(name) or "").strip() for name in _COLUMNS}
        empty = [name for name in _COLUMNS if not cells[name]]
        if empty:
            missing.append(Missing(path, f"line {line} of {path.name} names no {empty[0]}"))
            continue
        image, mask = files.find(cells["images"]), files.find(cells["masks"])
        if image is None or mask is None:
            lost = cells["images"] if image is None else cells["masks"]
            missing.append(
                Missing(path.parent / lost, f"{lost} (line {line} of {path.name}) does not exist")
            )
        elif image == mask:
            missing.append(
                Missing(image, f"line {line} of {path.name} names one file as picture and mask")
            )
        else:
            samples.append((image, mask))
    ids = _short_ids([image for image, _ in samples])
    pairs = zip(ids, samples, strict=True)
    return Pairs(
        tuple(Sample(id=name, image=image, mask=mask) for name, (image, mask) in pairs),
        tuple(missing),
    )


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows of a table with their line numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:  # spreadsheets write a BOM
            reader = csv.DictReader(stream)
            columns = [name.strip() for name in reader.fieldnames or ()]
            if not set(_COLUMNS) <= set(columns):
                raise DataError(
                    f"{path}: needs the columns images and masks, separated by commas; its first "
                    f"line is {','.join(columns)!r}."
                )
            reader.fieldnames = columns
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file in UTF-8 ({error}).") from error


class _Files:
    """Files as tables name them: as written, or with leading folders dropped."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Look in `folders`."""
        self._folders = folders
        self._existing = cache(self._parent)

    def find(self, name: str) -> Path | None:
        """The file that `name` means; None if there is none."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for start in range(len(parts)):
            for parent in self._existing(parts[start:-1]):
                # An absolute path ignores the folder it is joined to, as it should.
                candidate = parent / parts[-1]
                if candidate.is_file():
                    return candidate
        return None

    def _parent(self, parts: tuple[str, ...]) -> tuple[Path, ...]:
        """Existing folders below those to look in: few, in which many files are looked for."""
        joined = (folder.joinpath(*parts) for folder in self._folders)
        return tuple(parent for parent in joined if parent.is_dir())


def _short_ids(paths: Sequence[Path]) -> list[str]:
    """Paths without the folders that all share and without suffix: `12`, `sub/a`."""
    if not paths:
        return []

    @cache
    def whole(folder: Path) -> Path:
        # Two dots in a name would lead out of every folder that is made from it.
        return Path(os.path.normpath(folder.absolute()))

    common = Path(os.path.commonpath({whole(path.parent) for path in paths}))

    @cache
    def within(folder: Path) -> Path:
        return whole(folder).relative_to(common)

    return [(within(path.parent) / path.stem).as_posix() for path in paths]


def read_coco(path: Path) -> Pairs:
    """Read COCO annotations of the category `person`, crowds included.

    Pictures lie beside the JSON file or in its images/ subfolder. A picture without a person is a
    valid pair with an empty mask. Order and ids as in `read_csv`.

    Raises:
        DataError: not a COCO file, or without the category.
    """
    document = _document(path)
    people = _person_annotations(path, document)
    entries: list[tuple[Path, dict[str, Any]]] = []
    missing: list[Missing] = []
    files = _Files((path.parent, path.parent / "images"))
    for entry in document["images"]:
        file = files.find(entry["file_name"])
        problems = (
            segmentation_problem(outline, (entry["height"], entry["width"]))
            for outline in people[entry["id"]]
        )
        problem = next((problem for problem in problems if problem), None)
        if file is None:
            lost = path.parent / entry["file_name"]
            missing.append(Missing(lost, f"{entry['file_name']} does not exist"))
        elif problem is not None:
            missing.append(Missing(file, f"{entry['file_name']}: {problem}"))
        else:
            entries.append((file, entry))
    ids = _short_ids([file for file, _ in entries])
    samples = (
        Sample(
            id=name,
            image=file,
            annotations=tuple(people[entry["id"]]),
            size=(entry["height"], entry["width"]),
        )
        for name, (file, entry) in zip(ids, entries, strict=True)
    )
    return Pairs(tuple(samples), tuple(missing))


def _document(path: Path) -> dict[str, Any]:
    """A COCO file with every field that is used, of the right type."""
    fields: dict[str, dict[str, type]] = {
        "images": {"id": int, "file_name": str, "height": int, "width": int},
        "annotations": {"image_id": int, "category_id": int},
        "categories": {"id": int, "name": str},
    }
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error}).") from error
    for section, needed in fields.items():
        rows = document.get(section) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise DataError(f"{path}: is not a COCO file (it has no list named {section!r}).")
        for index, row in enumerate(rows):
            for field, kind in needed.items():
                if not isinstance(row, dict) or not isinstance(row.get(field), kind):
                    raise DataError(
                        f"{path}: {section}[{index}] has no {field!r} ({kind.__name__}); "
                        "is it a COCO file?"
                    )
                if field in ("height", "width") and row[field] < 1:
                    raise DataError(f"{path}: {section}[{index}].{field} is {row[field]}.")
    return dict(document)


def _person_annotations(path: Path, document: dict[str, Any]) -> dict[int, list[Segmentation]]:
    """Outlines of people by image id."""
    names = {row["id"]: row["name"] for row in document["categories"]}
    wanted = {key for key, name in names.items() if name.strip().lower() == _CATEGORY}
    if not wanted:
        raise DataError(
            f"{path}: has no category {_CATEGORY!r}; its categories are "
            f"{', '.join(sorted(names.values())[:10]) or 'none'}. Rename yours."
        )
    known = {row["id"] for row in document["images"]}
    people: dict[int, list[Segmentation]] = defaultdict(list)
    for row in document["annotations"]:
        if row["image_id"] not in known:
            raise DataError(
                f"{path}: an annotation belongs to image {row['image_id']}, which is not listed."
            )
        if row["category_id"] in wanted:
            people[row["image_id"]].append(row.get("segmentation", []))
    return people
