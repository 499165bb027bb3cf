"""Write files at once or not at all: under a temporary name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_LEFTOVER = re.compile(r"\.humanseg-[0-9a-f]{16}\.part")
_ABANDONED = 24 * 3600.0
"""Seconds without a byte written after which nobody can still be writing a file: far more than a
picture, or the next frame of a video, takes on any machine, and than clocks differ."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file at once or not at all; see `replacing`.

    Args:
        path: where to; folders are made. A file that is there already is replaced.
        content: what it will hold.

    Raises:
        OSError: the folder cannot be made or written to, or the disk is full; names `path`.
    """
    with replacing(path) as temporary, _naming(path):
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside `path` that becomes it in the end, or vanishes if anything goes wrong.

    A new file gets the rights that the user's umask leaves, one that is replaced keeps its own:
    results of private pictures stay private.

    Args:
        path: what the file will be called; folders are made.

    Raises:
        OSError: the folder cannot be made or written to; names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rights = _rights(path)
    temporary = path.with_name(f".humanseg-{secrets.token_hex(8)}.part")
    with _naming(path):
        temporary.open("xb").close()
    try:
        if rights is not None:
            with _naming(path):
                temporary.chmod(rights | stat.S_IWUSR)
        yield temporary
        with _naming(path):
            if rights is not None and not rights & stat.S_IWUSR:
                temporary.chmod(rights)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folders: Iterable[Path]) -> int:
    """Remove the temporary files that processes left when they were killed outright.

    Only files that `replacing` named, and only those that were last written to a day ago: younger
    ones may belong to another process, or to another machine that shares the folder.

    Args:
        folders: where to look, not below them; those that are missing or closed are passed over.

    Returns:
        How many were removed.
    """
    oldest = time.time() - _ABANDONED
    removed = 0
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if _LEFTOVER.fullmatch(entry.name):
                    removed += _removed_if_older(entry, oldest)
    return removed


def _removed_if_older(entry: os.DirEntry[str], oldest: float) -> bool:
    """Remove a file last written to before a time; False where another process was faster."""
    try:
        if entry.stat(follow_symlinks=False).st_mtime >= oldest:
            return False
        Path(entry.path).unlink()
    except OSError:
        return False
    return True


def _rights(path: Path) -> int | None:
    """Who may read and write a file; None where there is none."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return None


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have errors of the system name the file that was meant, not the temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
