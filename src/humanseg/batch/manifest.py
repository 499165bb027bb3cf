"""`@list.txt`: inputs that a file names, one a line, so that nobody has to list a folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from humanseg.system.errors import UsageError


def read_manifest(path: Path) -> list[tuple[Path, PurePath]]:
    """Files that a text file names, none of which is looked at.

    Args:
        path: UTF-8 text, with or without a byte order mark, with a file's path per line, from the
            working folder on; empty lines and lines that begin with # are passed over.

    Returns:
        Each file, and the name that its result keeps: its path as it is written, or, where one of
        them is absolute or leads upwards, its path below the folder that all have in common.

    Raises:
        UsageError: the file is missing, no text, or names nothing.
    """
    try:
        text = path.read_text("utf-8-sig")  # Windows writes a mark first
        if "\0" in text:
            raise ValueError("no path may hold a zero byte")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"@{path}: cannot be read as a list of files; give a text file."
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise UsageError(f"@{path}: names no file; write one path per line.")
    files = [Path(name) for name in names]
    if not any(file.is_absolute() or ".." in file.parts for file in files):
        return [(file, PurePath(file)) for file in files]
    absolute = [os.path.abspath(file) for file in files]  # noqa: PTH100  links keep their names
    common = os.path.commonpath([os.path.dirname(file) for file in absolute])  # noqa: PTH120
    return [
        (file, PurePath(os.path.relpath(full, common)))
        for file, full in zip(files, absolute, strict=True)
    ]
