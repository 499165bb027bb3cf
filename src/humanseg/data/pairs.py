"""Pair pictures with their truth as a CSV table or labels name them."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from humanseg.annotations.label_set import LabelledImage, LabelSet, Missing
from humanseg.annotations.outlines import segmentation_problem
from humanseg.annotations.partners import by_look, folded
from humanseg.data.samples import Sample
from humanseg.images import MAX_PIXELS, read_size
from humanseg.images.resize import Size
from humanseg.system.errors import DataError, ImageError

_COLUMNS = ("images", "masks")
_LONGEST_PART, _LONGEST = 255, 3000
"""Bytes of a name in a folder, and of all parts of a path, that no file system here exceeds."""
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a data set holds: whole pairs, and what is left over."""

    samples: tuple[Sample, ...]
    missing: tuple[Missing, ...]
    taken: str = ""
    """What was taken for a person, as the end of a sentence; empty of masks."""


def read_csv(path: Path) -> Pairs:
    """Read a table with the columns `images` and `masks`, in any order, others ignored.

    Paths count from the table's folder; leading folders that are not there are dropped, so a table
    that was written elsewhere still works. Ids are the picture paths without what all share.

    Raises:
        DataError: not a readable table, or without these columns.
    """
    samples: list[tuple[Path, Path]] = []
    missing: list[Missing] = []
    files = Files((path.parent,))
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
    """Rows of a CSV file, in UTF-8 with or without a byte order mark, with their line numbers.

    `complete` says whether a table with these columns is one of the kind; `needed` are those
    columns in words.

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


class Files:
    """Files as tables name them: as written, or with leading folders dropped.

    A name that is not there as written is taken for the one file whose name looks the same, see
    `partners.folded`.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._existing = cache(self._parents)
        self._names = cache(lambda folder: by_look(path.name for path in folder.iterdir()))

    def find(self, name: str) -> Path | None:
        """The file that `name` means; None if there is none, or several may be meant."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for exact in (True, False):
            for start in range(_first_possible(parts), len(parts)):
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


def _first_possible(parts: Sequence[str]) -> int:
    """From which part on a name is short enough for a file system."""
    lengths = [len(part.encode(errors="surrogatepass")) for part in parts]
    return next(
        (
            start
            for start in range(len(parts))
            if max(lengths[start:]) <= _LONGEST_PART and sum(lengths[start:]) <= _LONGEST
        ),
        len(parts),
    )


def _short(name: str) -> str:
    """A name for a message: signed addresses have hundreds of characters."""
    return name if len(name) <= _SHOWN else f"{name[: _SHOWN // 2]}...{name[-_SHOWN // 2 :]}"


def _without_folders(file: Path, name: str, names: Sequence[str]) -> bool:
    """Whether a file was found without the folders in its name, and `names` never lack them."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    found = file.parts[-len(parts) :]
    return parts[-1] not in names and [folded(part) for part in found] != [
        folded(part) for part in parts
    ]


def _short_ids(paths: Sequence[Path]) -> list[str]:
    """Paths without the folders that all share and without suffix: `12`, `sub/a`."""
    folders = {path.parent for path in paths}
    # Two dots in a name would lead out of every folder that is made from it.
    whole = {folder: Path(os.path.normpath(folder.absolute())) for folder in folders}
    common = os.path.commonpath(whole.values()) if whole else ""
    within = {folder: path.relative_to(common) for folder, path in whole.items()}
    return [normalize("NFC", (within[path.parent] / path.stem).as_posix()) for path in paths]


def pair_labels(labels: LabelSet, path: Path) -> Pairs:
    """Find the pictures of labels; order as in the labels, ids as in `read_csv`.

    Raises:
        DataError: one picture is labelled twice.
    """
    files = Files(labels.folders)
    entries: dict[Path, LabelledImage] = {}
    missing = list(labels.missing)
    dropped: list[str] = []
    for entry in labels.images:
        found = ((name, file) for name in entry.names if (file := files.find(name)))
        name, file = next(found, ("", None))
        if file is None:
            lost = _short(entry.names[0])
            missing.append(Missing(labels.folders[0] / lost, f"{lost} does not exist"))
            continue
        if _without_folders(file, name, entry.names):
            dropped.append(name)
        if file in entries:
            both = dict.fromkeys((entries[file].labels.name, entry.labels.name))
            raise DataError(
                f"{path}: {file.name} is labelled twice (in {' and '.join(both)}); keep one of "
                "the two."
            )
        entries[file] = entry
    samples: list[tuple[Path, LabelledImage, Size]] = []
    for file, entry in entries.items():
        try:
            size = entry.size or read_size(file)
        except ImageError as error:
            missing.append(Missing(file, str(error).removesuffix(".")))
            continue
        entry = entry if entry.size else entry.scaled(size)
        problems = (segmentation_problem(outline, size) for outline in entry.people)
        problem = _size_problem(size) or entry.problem
        problem = problem or next((text for text in problems if text), None)
        if problem is None:
            samples.append((file, entry, size))
        else:
            missing.append(Missing(file, f"{entry.names[0]}: {problem}"))
    ids = _short_ids([file for file, _, _ in samples])
    return Pairs(
        tuple(
            Sample(id=name, image=file, annotations=entry.people, size=size, ignored=entry.ignored)
            for name, (file, entry, size) in zip(ids, samples, strict=True)
        ),
        tuple(missing),
        labels.taken + _dropped_folders(dropped),
    )


def _size_problem(size: Size) -> str | None:
    """Why no picture has such a size, as half a sentence."""
    if min(size) > 0 and size[0] * size[1] <= MAX_PIXELS:
        return None
    return (
        f"its labels say that it has {size[1]}x{size[0]} pixels; allowed are 1x1 to "
        f"{MAX_PIXELS // 1_000_000} million pixels"
    )


def _dropped_folders(names: Sequence[str]) -> str:
    """What is to be said of pictures that do not lie in the folders that labels name."""
    if not names:
        return ""
    count = f"{len(names)} pictures were" if len(names) > 1 else "1 picture was"
    return f"; {count} found without the folders in the labels, such as {_short(names[0])}"
