"""One process at a time: the lock of a file, which the system frees however its holder ends."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What file systems say that have no locks, such as some that are shared over a network."""


@contextmanager
def held(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a file, which is made and may stay; without locks, go on without.

    `waiting` is called once if another process, or another thread of this one, holds it. What it
    raises ends the waiting.

    Raises:
        OSError: the file cannot be made.
    """
    # The soft lock, filelock's own way out, outlives a holder that was killed.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waiting()
            lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
