"""Find the pictures and masks of a data set on disk.

Layouts: `folders` (images/ and masks/, paired by path without suffix), `original` (the public data
set's Training_Images/ and Ground_Truth/), `csv` (a table with the columns images and masks) and
`coco` (a JSON file with outlines of the category person).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from humanseg.config.schema import Layout
from humanseg.data.annotations import Missing, Pairs, read_coco, read_csv
from humanseg.data.samples import Sample
from humanseg.errors import DataError, UsageError
from humanseg.images import SUFFIXES as _PICTURES

KnownLayout = Literal["folders", "original", "csv", "coco"]

SUFFIXES = _PICTURES
"""Files with other endings in the folders are ignored, hidden files too."""

_FOLDERS: dict[str, tuple[str, str]] = {
    "original": ("Training_Images", "Ground_Truth"),
    "folders": ("images", "masks"),
}
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Found:
    """A data set's place once its layout is known."""

    layout: KnownLayout
    path: Path
    """The folder of both subfolders, or the CSV or JSON file."""


def discover(root: Path, layout: Layout = "auto") -> list[Sample]:
    """Find every picture with its mask.

    Order: sorted by id as strings (1, 10, 100, 2) for `folders` and `original`, which is the order
    of the public data set's table; the file's own order for `csv` and `coco`.

    Args:
        root: a folder, CSV file or COCO JSON file.
        layout: how pairs are found; `auto` recognises it.

    Raises:
        UsageError: no such path, or a layout that `root` does not have.
        DataError: nothing in it, a picture or mask without its partner, ids that are not unique,
            or a table that cannot be read.
    """
    pairs = find_pairs(root, layout)
    if pairs.missing:
        first = "; ".join(missing.message for missing in pairs.missing[:_SHOWN])
        more = len(pairs.missing) - _SHOWN
        raise DataError(
            f"{root}: {len(pairs.missing)} pictures or masks have no usable partner: {first}"
            f"{f'; and {more} more' if more > 0 else ''}. Run `humanseg data check {root}` for the "
            "whole list."
        )
    return list(pairs.samples)


def find_pairs(root: Path, layout: Layout = "auto") -> Pairs:
    """Like `discover`, but list pictures and masks without a partner instead of refusing them."""
    found = find_layout(root, layout)
    if found.layout == "csv":
        pairs = read_csv(found.path)
    elif found.layout == "coco":
        pairs = read_coco(found.path)
    else:
        images, masks = _FOLDERS[found.layout]
        pairs = _pair_folders(found.path / images, found.path / masks)
    if not pairs.samples and not pairs.missing:
        raise DataError(f"{root}: no pictures found (layout {found.layout}); check the folder.")
    counts = Counter(sample.id for sample in pairs.samples)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise DataError(
            f"{root}: {len(repeated)} ids are used more than once "
            f"({', '.join(repeated[:_SHOWN])}); "
            "list each picture once and give files names that differ in more than the suffix."
        )
    return pairs


def find_layout(root: Path, layout: Layout = "auto") -> Found:
    """Recognise the layout of `root`, or check that it has the one asked for.

    A folder with Training_Images/ and Ground_Truth/ is `original` even with a table beside them.

    Raises:
        UsageError: no such path, an unknown layout, or not the layout asked for.
    """
    if not root.exists():
        raise UsageError(f"{root}: no such file or folder; give the place of your pictures.")
    choices = _choices(root)
    if layout == "auto":
        if choices:
            return choices[0]
        raise UsageError(
            f"{root}: no known layout{_contents(root)}. Give a folder with images/ and masks/, one "
            "with Training_Images/ and Ground_Truth/, a CSV file with the columns images and "
            "masks, or a COCO JSON file."
        )
    for choice in choices:
        if choice.layout == layout:
            return choice
    needs = {
        "folders": "the subfolders images/ and masks/",
        "original": "the subfolders Training_Images/ and Ground_Truth/",
        "csv": "a CSV file (train.csv, or the only one in the folder)",
        "coco": "a COCO JSON file (or the only one in the folder)",
    }
    if layout not in needs:
        raise UsageError(f"layout is {layout!r}; allowed are auto, {', '.join(needs)}.")
    raise UsageError(f"{root}: layout {layout} needs {needs[layout]}{_contents(root)}.")


def _choices(root: Path) -> list[Found]:
    """Every layout that `root` could be read as, the likeliest first."""
    if root.is_file():
        suffix = root.suffix.lower()
        if suffix == ".csv":
            return [Found("csv", root)]
        return [Found("coco", root)] if suffix == ".json" else []
    choices = []
    for layout in ("original", "folders"):
        if all((root / name).is_dir() for name in _FOLDERS[layout]):
            choices.append(Found("original" if layout == "original" else "folders", root))
    tables = [root / "train.csv"] if (root / "train.csv").is_file() else _visible(root, "*.csv")
    if len(tables) == 1:
        choices.append(Found("csv", tables[0]))
    documents = _visible(root, "*.json")
    if len(documents) == 1:
        choices.append(Found("coco", documents[0]))
    return choices


def _visible(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _contents(root: Path) -> str:
    """What a folder holds, for an error."""
    if not root.is_dir():
        return " in this file"
    names = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    if not names:
        return "; the folder is empty"
    return f"; it holds {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}"


def _pair_folders(images: Path, masks: Path) -> Pairs:
    """Pair two folder trees by relative path without suffix."""
    with ThreadPoolExecutor(2) as pool:  # on a network's disk, most of the time is waiting
        pictures, truths = pool.map(_files_by_id, (images, masks))
    samples, missing = [], []
    for name in sorted(pictures.keys() | truths.keys()):
        if name not in truths:
            path = pictures[name]
            missing.append(Missing(path, f"{_short(path, images)} has no mask in {masks.name}/"))
        elif name not in pictures:
            path = truths[name]
            missing.append(Missing(path, f"{_short(path, masks)} has no picture in {images.name}/"))
        else:
            samples.append(Sample(id=name, image=pictures[name], mask=truths[name]))
    return Pairs(tuple(samples), tuple(missing))


def _short(path: Path, folder: Path) -> str:
    return path.relative_to(folder.parent).as_posix()


def _files_by_id(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    twice: list[tuple[Path, Path]] = []
    for name, path in _walk(folder, ""):
        other = files.setdefault(name, path)
        if other is not path:
            twice.append((min(other, path), max(other, path)))
    if twice:
        first, second = min(twice)
        name = first.relative_to(folder).with_suffix("").as_posix()
        raise DataError(
            f"{folder}: {first.name} and {second.name} have the same id {name}; keep one of them."
        )
    return files


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Id and path of every picture file below `folder`; links to folders are not followed."""
    folders = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, _, suffix = entry.name.rpartition(".")
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif stem and f".{suffix.lower()}" in SUFFIXES and entry.is_file():
                    yield prefix + stem, folder / entry.name
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}).") from error
    for name in folders:
        yield from _walk(folder / name, f"{prefix}{name}/")
