"""Where finished folders keep what the report shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from humanseg.errors import DataError
from humanseg.results import DataRecord, read_record


def names(folders: Sequence[Path]) -> tuple[str, ...]:
    """Names that tell folders apart: the last part of each path, all of it where that is shared."""
    last = [folder.resolve().name for folder in folders]
    return tuple(
        name if last.count(name) == 1 else folder.as_posix()
        for name, folder in zip(last, folders, strict=True)
    )


def _homes(folder: Path) -> tuple[Path, ...]:
    """A folder, and the comparison around it where it is one of its runs."""
    around = folder.resolve().parent
    return (folder, around.parent) if around.name == "runs" else (folder,)


def read_pictures(folder: Path) -> dict[str, Path]:
    """File of each picture; empty where the folder does not say.

    Raises:
        DataError: data.json, or pictures.json of older comparisons, is damaged.
    """
    for home in _homes(folder):
        if (home / "data.json").exists():
            record = read_record(home / "data.json", DataRecord)
            return {id_: Path(file) for id_, file in record.pictures.items()}
        if (home / "pictures.json").exists():
            return _read_older(home / "pictures.json")
    return {}


def read_groups(folder: Path) -> dict[str, str]:
    """Group of each picture; empty where the folder does not say.

    Raises:
        DataError: data.json is damaged.
    """
    for home in _homes(folder):
        if (home / "data.json").exists():
            return read_record(home / "data.json", DataRecord).groups
    return {}


def _read_older(path: Path) -> dict[str, Path]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not JSON; run the comparison again.") from error
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise DataError(f"{path}: must map each test picture to its file's path.")
    return {id_: Path(file) for id_, file in found.items()}


def truth_file(folder: Path, id_: str) -> Path:
    """Truth mask of a picture, whether it is there or not."""
    files = [home / "truth" / f"{id_}.png" for home in _homes(folder)]
    return next((file for file in files if file.exists()), files[0])
