"""Find the pictures and masks of a data set on disk.

Layouts: `folders` (images/ and masks/, paired by path without suffix), `original` (the public data
set's Training_Images/ and Ground_Truth/), `csv` (a table with the columns images and masks), and
the formats of labelling tools that `humanseg.annotations` reads.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from humanseg.annotations.coco import read_coco
from humanseg.annotations.cvat import read_cvat
from humanseg.annotations.label_set import PERSON, LabelSet, Missing
from humanseg.annotations.label_studio import read_label_studio
from humanseg.annotations.labelme import read_labelme
from humanseg.annotations.partners import by_look, folded, folders_beside, paired, visible
from humanseg.annotations.supervisely import read_supervisely
from humanseg.annotations.voc import MASKS, PICTURES, read_voc
from humanseg.annotations.yolo import read_yolo
from humanseg.config.schema import KnownLayout, Layout
from humanseg.data.pairs import Pairs, pair_labels, read_csv
from humanseg.data.samples import Sample
from humanseg.images import SUFFIXES
from humanseg.system.errors import DataError, UsageError

_FOLDERS: dict[KnownLayout, tuple[str, str]] = {
    "original": ("Training_Images", "Ground_Truth"),
    "folders": ("images", "masks"),
}
_WORDS = re.compile(
    r"[ ._-]?(masks?|mattes?|alpha|labels?|seg|segmentation|annotations?|gt|image|img)$"
    r"|(?<![^/])(masks?|mattes?|alpha|labels?|seg|gt)[ ._-](?=[^/]+$)"
)
"""What tools put at the end or the beginning of the names of masks."""
_FILES: dict[str, KnownLayout] = {".csv": "csv", ".xml": "cvat", ".yaml": "yolo", ".yml": "yolo"}
_SHOWN = 3
_HEAD = 1 << 16

_NEEDS: dict[KnownLayout, str] = {
    "folders": "the subfolders images/ and masks/",
    "original": "the subfolders Training_Images/ and Ground_Truth/",
    "csv": "a CSV file (train.csv, or the only one in the folder)",
    "coco": "a COCO JSON file (or the only one in the folder or its annotations/)",
    "yolo": "images/ and labels/ (or train/images/ and so on), and data.yaml for names of classes",
    "labelme": "JSON files of LabelMe, one for each picture",
    "cvat": "an XML file of CVAT for images 1.1 (or the only one in the folder)",
    "supervisely": "img/ and ann/, or data sets that have them",
    "label_studio": "a JSON export of Label Studio (or the only one in the folder)",
    "voc": "the subfolders JPEGImages/ and SegmentationClass/",
}
_READERS: dict[KnownLayout, Callable[[Path, Sequence[str]], LabelSet]] = {
    "coco": read_coco,
    "yolo": read_yolo,
    "labelme": read_labelme,
    "cvat": read_cvat,
    "supervisely": read_supervisely,
    "label_studio": read_label_studio,
    "voc": read_voc,
}


@dataclass(frozen=True, slots=True)
class DetectedLayout:
    """Where a data set is, once its layout is known."""

    layout: KnownLayout
    path: Path
    """The folder of both subfolders, or the CSV file or that of the labels."""


def discover(root: Path, layout: Layout = "auto", classes: Sequence[str] = PERSON) -> list[Sample]:
    """Find every picture with its mask in a folder, CSV file or file of labels.

    Order: sorted by id as strings (1, 10, 100, 2) for `folders` and `original`, which is the order
    of the public data set's table; the files' own order for tables and labels, of which `classes`
    are people.

    Raises:
        UsageError: no such path, or a layout that `root` does not have.
        DataError: nothing in it, a picture or mask without its partner, ids that are not unique,
            or a table that cannot be read.
    """
    pairs = find_pairs(root, layout, classes)
    if pairs.missing:
        first = "; ".join(missing.message for missing in pairs.missing[:_SHOWN])
        more = len(pairs.missing) - _SHOWN
        raise DataError(
            f"{root}: {len(pairs.missing)} pictures or masks have no usable partner: {first}"
            f"{f'; and {more} more' if more > 0 else ''}. Run `humanseg data check {root}` for the "
            "whole list."
        )
    return list(pairs.samples)


def find_pairs(root: Path, layout: Layout = "auto", classes: Sequence[str] = PERSON) -> Pairs:
    """Like `discover`, but list pictures and masks without a partner instead of refusing them."""
    detected = find_layout(root, layout)
    if detected.layout == "csv":
        pairs = read_csv(detected.path)
    elif detected.layout in _FOLDERS:
        pairs = _pair_folders(*(detected.path / name for name in _FOLDERS[detected.layout]))
    else:
        pairs = pair_labels(_READERS[detected.layout](detected.path, classes), detected.path)
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


def has_layout(root: Path) -> bool:
    """Whether `root` could be read as a data set, in one way or in several."""
    return bool(_choices(root))


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
        _refuse_mixed(root, choices)
        if choices:
            return choices[0]
        raise UsageError(
            f"{root}: no known layout{_contents(root)}. Give a folder with images/ and masks/, one "
            "with Training_Images/ and Ground_Truth/, a CSV file with the columns images and "
            "masks, or labels of COCO, YOLO, LabelMe, CVAT, Supervisely, Label Studio or VOC."
        )
    for choice in choices:
        if choice.layout == layout:
            return choice
    if layout not in _NEEDS:
        raise UsageError(f"layout is {layout!r}; allowed are auto, {', '.join(_NEEDS)}.")
    raise UsageError(f"{root}: layout {layout} needs {_NEEDS[layout]}{_contents(root)}.")


def _refuse_mixed(root: Path, choices: Sequence[DetectedLayout]) -> None:
    """Refuse to guess between labels of several kinds, or between masks and labels."""
    masks = [choice.layout for choice in choices if choice.layout not in _READERS]
    kinds = [*masks[:1], *(choice.layout for choice in choices if choice.layout in _READERS)]
    if len(kinds) > 1:
        raise UsageError(
            f"{root}: holds labels of several kinds ({', '.join(kinds)}); say which are meant with "
            f"--layout, such as --layout {kinds[0]}, or, of further data, give the file of labels "
            "itself."
        )


def _choices(root: Path) -> list[DetectedLayout]:
    """Every layout that `root` could be read as, the likeliest first."""
    if root.is_file():
        suffix = root.suffix.lower()
        kind = (_json_kind(root) or "coco") if suffix == ".json" else _FILES.get(suffix)
        return [DetectedLayout(kind, root)] if kind else []
    choices = [
        DetectedLayout(layout, root)
        for layout, names in _FOLDERS.items()
        if all((root / name).is_dir() for name in names)
    ]
    tables = [root / "train.csv"] if (root / "train.csv").is_file() else visible(root, "*.csv")
    if len(tables) == 1:
        choices.append(DetectedLayout("csv", tables[0]))
    return choices + _label_choices(root)


def _label_choices(root: Path) -> list[DetectedLayout]:
    """Every kind of labels that a folder could hold."""
    choices = []
    if (root / MASKS).is_dir() and any((root / name).is_dir() for name in (PICTURES, "images")):
        choices.append(DetectedLayout("voc", root))
    if folders_beside(root, "labels", "images"):
        choices.append(DetectedLayout("yolo", root))
    if folders_beside(root, "ann", "img"):
        return [*choices, DetectedLayout("supervisely", root)]
    trees = visible(root, "*.xml")
    if len(trees) == 1:
        choices.append(DetectedLayout("cvat", trees[0]))
    documents = visible(root, "*.json") or visible(root / "annotations", "*.json")
    if not documents and not choices:
        documents = visible(root, "**/*.json")
    kinds = {kind: file for file in documents[:_SHOWN] if (kind := _json_kind(file)) is not None}
    for kind, file in kinds.items():
        if kind == "labelme":
            choices.append(DetectedLayout(kind, root))
        elif len(documents) == 1:
            choices.append(DetectedLayout(kind, file))
    return choices


def _json_kind(path: Path) -> KnownLayout | None:
    """Whose labels a JSON file holds, by its beginning and end: it may be large."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(max(_HEAD, path.stat().st_size - _HEAD))
            text = head + stream.read()
    except OSError:
        return None  # told by who reads it
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        whole = b'"annotations"' in text and b'"data"' in text
        return "label_studio" if whole or b'"annotation_id"' in text else None
    if b'"shapes"' in text:
        return "labelme"
    return "coco" if any(key in text for key in (b'"images"', b'"categories"')) else None


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
    partners = paired(image_files.keys(), mask_files.keys(), (folded, _without_words))
    samples = [
        Sample(id=name, image=image_files[name], mask=mask_files[partner])
        for name, partner in sorted(partners.items())
    ]
    lone_images = image_files.keys() - partners.keys()
    lone_masks = mask_files.keys() - set(partners.values())
    several = by_look(lone_masks, _without_words)
    missing = []
    for name in sorted(lone_images | lone_masks):
        if name in lone_images:
            path, lacks = image_files[name], f"mask in {masks.name}/"
            both = sorted(mask_files[mask].name for mask in several.get(_without_words(name), ()))
            hint = f"; {' or '.join(both)} may be meant, keep one" if both else ""
        else:
            path, lacks, hint = mask_files[name], f"picture in {images.name}/", ""
        short = path.relative_to(path.parents[name.count("/") + 1]).as_posix()
        missing.append(Missing(path, f"{short} has no {lacks}{hint}"))
    return Pairs(tuple(samples), tuple(missing))


def _without_words(name: str) -> str:
    return _WORDS.sub("", folded(name))


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
