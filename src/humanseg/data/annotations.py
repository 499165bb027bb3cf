"""Read the pairs of a data set from a CSV or COCO JSON file."""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from humanseg.data.samples import Sample, Segmentation, segmentation_problem
from humanseg.system.errors import DataError

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
    for line, row in table_rows(path, set(_COLUMNS).issubset, "columns images and masks"):
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


def table_rows(
    path: Path, complete: Callable[[set[str]], bool], needed: str
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with their line numbers.

    Args:
        path: the table, in UTF-8 with or without a byte order mark.
        complete: whether a table with these columns is one of the kind.
        needed: the columns that are, in words.

    Raises:
        DataError: not a readable table, or without the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:  # spreadsheets write a BOM
            reader = csv.DictReader(stream)
            columns = [name.strip() for name in reader.fieldnames or ()]
            if not complete(set(columns)):
                raise DataError(
                    f"{path}: needs the {needed}, separated by commas; its first line is "
                    f"{','.join(columns)!r}."
                )
            reader.fieldnames = columns
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file in UTF-8 ({error}).") from error


class _Files:
    """Files as tables name them: as written, or with leading folders dropped.

    A name that is not there as written is taken for the one file whose name looks the same, see
    `folded`.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        """Look in `folders`."""
        self._folders = folders
        self._existing = cache(self._parents)
        self._names = cache(_names_by_look)

    def find(self, name: str) -> Path | None:
        """The file that `name` means; None if there is none, or several may be meant."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for exact in (True, False):
            for start in range(len(parts)):
                for parent in self._existing(parts[start:-1], exact):
                    path = self._child(parent, parts[-1], exact)
                    if path is not None and path.is_file():
                        return path
        return None

    def _parents(self, parts: tuple[str, ...], exact: bool) -> tuple[Path, ...]:
        """Existing folders below those to look in: few, in which many files are looked for."""
        parents = []
        for folder in self._folders:
            parent: Path | None = folder
            for part in parts:
                parent = None if parent is None else self._child(parent, part, exact)
            if parent is not None and parent.is_dir():
                parents.append(parent)
        return tuple(parents)

    def _child(self, folder: Path, name: str, exact: bool) -> Path | None:
        # An absolute path ignores the folder it is joined to, as it should.
        path = folder / name
        if exact or path.exists() or not folder.is_dir():
            return path
        names = self._names(folder).get(folded(name), [])
        same = [other for other in names if normalize("NFC", other) == normalize("NFC", name)]
        for candidates in (same, names):  # but for capitals only where nothing else fits
            if len(candidates) == 1:
                return folder / candidates[0]
        return None


def folded(name: str) -> str:
    """What two names have in common that a person would call the same.

    Accents in one or two characters (Unicode's NFC, and NFD as a Mac's archives have it), capitals
    or not.
    """
    return normalize("NFC", normalize("NFC", name).casefold())


def _names_by_look(folder: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    for path in folder.iterdir():
        names[folded(path.name)].append(path.name)
    return names


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

    return [normalize("NFC", (within(path.parent) / path.stem).as_posix()) for path in paths]


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
    fields: dict[str, dict[str, Callable[[object], object]]] = {
        "images": {"id": _identifier, "file_name": _text, "height": _length, "width": _length},
        "annotations": {"image_id": _identifier, "category_id": _identifier},
        "categories": {"id": _identifier, "name": _text},
    }
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))  # some tools write a BOM
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error}).") from error
    for section, needed in fields.items():
        rows = document.get(section) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise DataError(f"{path}: is not a COCO file (it has no list named {section!r}).")
        for index, row in enumerate(rows):
            try:
                _convert(row, needed)
            except ValueError as error:
                raise DataError(f"{path}: {section}[{index}]{error}") from error
    return dict(document)


def _convert(row: object, needed: Mapping[str, Callable[[object], object]]) -> None:
    """Bring the fields of an entry to their types, in place.

    Raises:
        ValueError: one is not there or of no use; the end of a sentence.
    """
    for field, convert in needed.items():
        if not isinstance(row, dict) or row.get(field) is None:
            raise ValueError(f" has no {field!r}; is it a COCO file?")
        try:
            row[field] = convert(row[field])
        except ValueError as error:
            raise ValueError(f".{field} is {row[field]!r}; {error}.") from error


def _identifier(value: object) -> int | str:
    """Numbers, whatever a tool writes them as: 7, 7.0 and "7" are one; other text as it is."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else value
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
    path: Path, document: dict[str, Any]
) -> dict[int | str, list[Segmentation]]:
    """Outlines of people by image id."""
    names = {row["id"]: row["name"] for row in document["categories"]}
    wanted = {key for key, name in names.items() if name.strip().lower() == _CATEGORY}
    if not wanted:
        raise DataError(
            f"{path}: has no category {_CATEGORY!r}; its categories are "
            f"{', '.join(sorted(names.values())[:10]) or 'none'}. Rename yours."
        )
    listed = {row["id"] for row in document["images"]}
    people: dict[int | str, list[Segmentation]] = defaultdict(list)
    for row in document["annotations"]:
        if row["image_id"] not in listed:
            raise DataError(
                f"{path}: an annotation belongs to image {row['image_id']}, which is not listed."
            )
        if row["category_id"] in wanted:
            people[row["image_id"]].append(row.get("segmentation", []))
    return people
