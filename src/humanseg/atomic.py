"""Write files at once or not at all: under a temporary name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


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
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
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
