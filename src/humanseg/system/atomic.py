"""Write files and folders at once or not at all: under a temporary name, then renamed.

`write_bytes` and `replacing` for one file, `replacing_together` for files that belong together,
`replacing_folder` for a folder: folders above are made if need be, and what has the name already is
replaced. What a killed process leaves behind, `remove_leftovers` finds.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
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

    Raises:
        OSError: the folder cannot be made or written to; names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rights = _rights(path)
    temporary = _temporary(path)
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


@contextlib.contextmanager
def replacing_together(path: Path) -> Iterator[Path]:
    """A path to write `path` to, and other files beside it; all replace their namesakes in the end.

    It has the same name, in an empty folder beside it. `path` itself moves last, so that whoever
    sees it sees the others too. If anything goes wrong, nothing moves.

    Raises:
        OSError: the folder cannot be made or written to; names `path`.
    """
    with _staging_folder(path) as folder:
        yield folder / path.name
        _open_to_readers(folder)
        for file in sorted(folder.iterdir(), key=lambda file: file.name == path.name):
            file.replace(path.parent / file.name)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` that becomes it in the end, or vanishes if anything goes wrong.

    Raises:
        OSError: the folder cannot be made or written to; names `path`.
    """
    with _staging_folder(path) as folder:
        yield folder
        _open_to_readers(folder)
        before = _temporary(path)
        if path.exists():  # a process that is killed now leaves the whole old one, if hidden
            path.replace(before)
        folder.replace(path)
        shutil.rmtree(before, ignore_errors=True)


@contextlib.contextmanager
def _staging_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` that is gone in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = _temporary(path)
    with _naming(path):
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open_to_readers(folder: Path) -> None:
    """Give files the rights that the umask left the folder; some libraries keep theirs closed."""
    for file in filter(Path.is_file, folder.iterdir()):
        file.chmod(folder.stat().st_mode & 0o666)


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is one that this module has yet to rename."""
    return _LEFTOVER.fullmatch(name) is not None


def remove_leftovers(folders: Iterable[Path], *, seconds: float = _ABANDONED) -> int:
    """Remove the temporary files and folders of processes that were killed outright; says how many.

    Only those that this module named, and only those that were last written to a day ago, or so
    many seconds: younger ones may belong to another process, or to another machine that shares the
    folder.
    """
    oldest = time.time() - seconds
    removed = 0
    for path in (path for folder in folders for path in folder.glob(".humanseg-*.part")):
        with contextlib.suppress(OSError):  # another process was faster
            status = path.lstat()
            if is_leftover(path.name) and status.st_mtime < oldest:
                if stat.S_ISDIR(status.st_mode):
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed += 1
    return removed


def _temporary(path: Path) -> Path:
    """A hidden name beside a file or folder that nobody else has."""
    return path.with_name(f".humanseg-{secrets.token_hex(8)}.part")


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
