"""Where finished folders keep what the report shows."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from pathlib import Path

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
    parent = folder.resolve().parent
    return (folder, parent.parent) if parent.name == "runs" else (folder,)


def read_data(folder: Path) -> DataRecord | None:
    """The data set of a folder; None where the folder does not say."""
    for home in _homes(folder):
        if (home / "data.json").exists():
            return read_record(home / "data.json", DataRecord)
    return None


def image_files(folders: Sequence[Path]) -> dict[str, Path]:
    """File of each image by its id, as far as the folders say; the first folder wins."""
    images = ChainMap(*(record.images for record in map(read_data, folders) if record))
    return {id_: Path(file) for id_, file in images.items()}


def truth_file(folders: Sequence[Path], id_: str) -> Path:
    """Truth mask of an image, whether it is there or not."""
    files = [home / "truth" / f"{id_}.png" for folder in folders for home in _homes(folder)]
    return next((file for file in files if file.exists()), files[0])
