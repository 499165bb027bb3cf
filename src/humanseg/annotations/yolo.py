"""YOLO's text for segmentation: a line per outline, a class number and x, y as shares of the sides.

Pictures lie in folders called images/, texts of the same names in labels/ beside them; a YAML file,
classes.txt or obj.names says which class has which number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from humanseg.annotations.contours import bridged
from humanseg.annotations.label_output import YOLO_FILE
from humanseg.annotations.label_set import Classes, LabelledImage, LabelSet, Missing, read_text
from humanseg.annotations.outlines import Segmentation
from humanseg.annotations.partners import by_stem, folders_beside, paired, visible
from humanseg.annotations.person_regions import Region
from humanseg.config.loading import YAML_ERRORS
from humanseg.images import SUFFIXES
from humanseg.images.resize import Size
from humanseg.system.errors import DataError

_LISTS = ("classes.txt", "obj.names")
_BOX = 4  # numbers of a line of YOLO's other kind


def read_yolo(path: Path, classes: Sequence[str]) -> LabelSet:
    """Read YOLO's labels; an empty text says that nobody is in its picture.

    `path` is the folder that holds images/ and labels/, or parts such as train/ that do; or the
    data.yaml in it. `classes` names the classes of people; one without a name has its number.

    Raises:
        DataError: a text that is not YOLO's, or none of the classes.
    """
    root = path if path.is_dir() else path.parent
    table, names = _class_names(root, path)
    wanted = Classes(classes)
    entries: list[LabelledImage] = []
    missing: list[Missing] = []
    for folder in folders_beside(root, "labels", "images"):
        pictures = by_stem(folder.with_name("images"), SUFFIXES, missing)
        texts = by_stem(folder, {".txt"}, missing)
        partners = paired(pictures.keys(), texts.keys())
        for stem, picture in pictures.items():
            if stem not in partners:
                message = f"{picture.name} has no text in {folder.name}/; an empty one says nobody"
                missing.append(Missing(picture, message))
                continue
            text = texts.pop(partners[stem])
            people, problem = _people(text, names, wanted)
            name = str(picture.absolute())
            entries.append(LabelledImage((name,), text, None, people, problem=problem))
        missing += [
            Missing(text, f"{text.name} has no picture in images/") for text in texts.values()
        ]
    taken = wanted.taken(table, names.values() if names else None)
    if not names and wanted.is_person("person"):
        taken += (
            f"; no file names the classes, so class 0 was taken for people ({YOLO_FILE} can tell)"
        )
    return LabelSet(tuple(entries), (root,), taken, tuple(missing))


def _class_names(root: Path, path: Path) -> tuple[Path, Mapping[int, str]]:
    """The file that says it, and names by number; `root` and none where no file does.

    It is `path`, data.yaml, or the only YAML file with names, whatever it is called.
    """
    config = path if path.is_file() else root / YOLO_FILE
    if config.is_file():
        names = _names_in(config)
        if names is None:
            raise DataError(f"{config}: has no list of class names under `names`; add it.")
        return config, names
    files = visible(root, "*.y*ml")
    having = {file: names for file in files if (names := _names_in(file)) is not None}
    if len(having) > 1:
        raise DataError(
            f"{root}: several files have names of classes "
            f"({', '.join(file.name for file in having)}); call the right one {YOLO_FILE}."
        )
    for named in having.items():
        return named
    for table in (root / name for name in _LISTS):
        if table.is_file():
            return table, dict(enumerate(read_text(table).splitlines()))
    return root, {}


def _names_in(config: Path) -> dict[int, str] | None:
    """Names of classes by number, of a YAML file; None if it has no such list."""
    try:
        document = yaml.safe_load(read_text(config))
    except YAML_ERRORS as error:
        raise DataError(f"{config}: is not YAML ({' '.join(str(error).split())}).") from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(key, int) for key in names):
        return None
    return {key: str(name) for key, name in names.items()}


def _people(
    path: Path, names: Mapping[int, str], classes: Classes
) -> tuple[tuple[Segmentation, ...], str | None]:
    """Outlines in a text, in shares of the sides, and what is wrong with it."""
    people: list[Segmentation] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            kind, *values = (float(word) for word in words)
            label = int(kind)
            if label != kind or kind < 0:
                raise ValueError("no number of a class")
        except (ValueError, OverflowError) as error:  # infinity is no class
            raise DataError(f"{path}: line {number} is not YOLO's, but {line[:40]!r}.") from error
        # Without names class 0 is a person, as in YOLO's own list, where its number is not asked.
        first = not names and not label and classes.is_person("person")
        unnamed = "person" if first else str(label)
        if not classes.person(names.get(label, unnamed)):
            continue
        if len(values) == _BOX:
            people.append([])  # a box
        elif len(values) % 2 or not values:
            return (), f"line {number} of {path.name} is not a class and x, y pairs"
        else:
            people.append([values])
    return tuple(people), None


def yolo_text(size: Size, regions: Iterable[Region], tolerance: float) -> str:
    """A picture's people, a line each; holes are joined to their outline by seams without width.

    Of a picture without people it is an empty line, so that the file is not taken for one that a
    power cut left empty. For `tolerance` see `Region.polygons`.
    """
    factors = 1 / np.array(size[::-1])
    rings = (bridged(region.polygons(tolerance)) * factors for region in regions)
    lines = (" ".join(["0", *(f"{value:.6f}" for value in ring.ravel())]) for ring in rings)
    return "\n".join(lines) + "\n"
