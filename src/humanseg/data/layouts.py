"""Find the pictures and masks of a data set on disk.

Layouts: `folders` (images/ and masks/, paired by path without suffix), `original` (the public data
set's Training_Images/ and Ground_Truth/), `csv` (a table with the columns images and masks) and
`coco` (a JSON file with outlines of the category person).
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unicodedata import normalize

from humanseg.config.schema import Layout
from humanseg.data.annotations import Missing, Pairs, folded, read_coco, read_csv
from humanseg.data.samples import Sample
from humanseg.images import SUFFIXES
from humanseg.system.errors import DataError, UsageError

KnownLayout = Literal["folders", "original", "csv", "coco"]

_FOLDERS: dict[str, tuple[str, str]] = {
    "original": ("Training_Images", "Ground_Truth"),
    "folders": ("images", "masks"),
}
_WORDS = re.compile(
    r"[ ._-]?(masks?|mattes?|alpha|labels?|seg|segmentation|annotations?|gt|image|img)$"
)
"""What tools put at the end of names; ids differ by no more, and yet are no pair."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class DetectedLayout:
    """Where a data set is, once its layout is known."""

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
    detected = find_layout(root, layout)
    if detected.layout == "csv":
        pairs = read_csv(detected.path)
    elif detected.layout == "coco":
        pairs = read_coco(detected.path)
    else:
        images, masks = _FOLDERS[detected.layout]
        pairs = _pair_folders(detected.path / images, detected.path / masks)
    if not pairs.samples and not pairs.missing:
        raise DataError(f"{root}: no pictures found (layout {detected.layout}); check the folder.")
    counts = Counter(sample.id for sample in pairs.samples)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise DataError(
            f"{root}: {len(repeated)} ids are used more than once "
            f"({', '.join(repeated[:_SHOWN])}); "
            "list each picture once and give files names that differ in more than the suffix."
        )
    return pairs


def find_layout(root: Path, layout: Layout = "auto") -> DetectedLayout:
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


def _choices(root: Path) -> list[DetectedLayout]:
    """Every layout that `root` could be read as, the likeliest first."""
    if root.is_file():
        suffix = root.suffix.lower()
        if suffix == ".csv":
            return [DetectedLayout("csv", root)]
        return [DetectedLayout("coco", root)] if suffix == ".json" else []
    choices = []
    for layout in ("original", "folders"):
        if all((root / name).is_dir() for name in _FOLDERS[layout]):
            choices.append(DetectedLayout("original" if layout == "original" else "folders", root))
    tables = [root / "train.csv"] if (root / "train.csv").is_file() else _visible(root, "*.csv")
    if len(tables) == 1:
        choices.append(DetectedLayout("csv", tables[0]))
    documents = _visible(root, "*.json")
    if len(documents) == 1:
        choices.append(DetectedLayout("coco", documents[0]))
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
        image_files, mask_files = pool.map(_files_by_id, (images, masks))
    partners = {name: name for name in image_files.keys() & mask_files.keys()}
    partners |= _same_but_for_capitals(
        image_files.keys() - partners.keys(), mask_files.keys() - partners.keys()
    )
    samples = [
        Sample(id=name, image=image_files[name], mask=mask_files[partner])
        for name, partner in sorted(partners.items())
    ]
    lone_images = image_files.keys() - partners.keys()
    lone_masks = mask_files.keys() - set(partners.values())
    hints = _hints(lone_images, lone_masks)
    missing = []
    for name in sorted(lone_images | lone_masks):
        if name in lone_images:
            path, lacks = image_files[name], f"mask in {masks.name}/"
            hint = f"; {mask_files[hints[name]].name} needs the same name" if name in hints else ""
        else:
            path, lacks, hint = mask_files[name], f"picture in {images.name}/", ""
        short = path.relative_to(path.parents[name.count("/") + 1]).as_posix()
        missing.append(Missing(path, f"{short} has no {lacks}{hint}"))
    return Pairs(tuple(samples), tuple(missing))


def _same_but_for_capitals(images: Iterable[str], masks: Iterable[str]) -> dict[str, str]:
    """Mask ids by image id, where exactly one of each is left that differ in capitals alone."""
    by_look: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, names in enumerate((images, masks)):
        for name in names:
            by_look[folded(name)][side].append(name)
    return {
        image[0]: mask[0] for image, mask in by_look.values() if len(image) == 1 and len(mask) == 1
    }


def _hints(images: Iterable[str], masks: Iterable[str]) -> dict[str, str]:
    """Mask ids by image id, of those that only look like a pair: `a` and `a_mask`."""
    by_stem = {_WORDS.sub("", folded(name)): name for name in masks}
    stems = ((name, _WORDS.sub("", folded(name))) for name in images)
    return {name: by_stem[stem] for name, stem in stems if stem in by_stem}


def _files_by_id(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    twice: list[tuple[Path, Path]] = []
    for name, path in _walk(folder):
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


def _walk(top: Path) -> Iterator[tuple[str, Path]]:
    """Id and path of every picture file below `top`; links to folders are not followed.

    Ids are in Unicode's form NFC, so that names from a Mac's archive and from elsewhere are alike.
    """
    pending = [("", top)]
    while pending:
        prefix, folder = pending.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = [entry for entry in scanned if not entry.name.startswith(".")]
        except OSError as error:
            raise DataError(f"{folder}: cannot be read ({error.strerror}).") from error
        for entry in entries:
            stem, _, suffix = entry.name.rpartition(".")
            if entry.is_dir(follow_symlinks=False):
                pending.append((f"{prefix}{entry.name}/", folder / entry.name))
            elif stem and f".{suffix.lower()}" in SUFFIXES and entry.is_file():
                yield normalize("NFC", prefix + stem), folder / entry.name
