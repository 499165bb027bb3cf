"""Keep freed memory in the process: training frees and asks for the same buffers every step.

glibc hands large buffers back to the system on every `free`, and the kernel must find and clear
fresh pages for the next step: hundreds of thousands of page faults for one batch of 16.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1

# What glibc's own adaptation arrives at with buffers of this size (malloc/malloc.c).
_USUAL = {
    _M_MMAP_MAX: 65_536,
    _M_MMAP_THRESHOLD: 32 * 2**20,
    _M_TRIM_THRESHOLD: 64 * 2**20,
}
_KEEPING = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER}


@contextmanager
def keep_freed_memory() -> Iterator[bool]:
    """Do not return memory to the system inside this block; yields whether that is possible here.

    Only glibc (Linux) needs it and is changed; elsewhere nothing happens. At the end, what is free
    is returned.
    """
    library = _glibc()
    if library is None:
        yield False
        return
    for parameter, value in _KEEPING.items():
        library.mallopt(parameter, value)
    try:
        yield True
    finally:
        for parameter, value in _USUAL.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
