"""Keep freed memory in the process where the same large buffers are asked for again and again.

glibc hands large buffers back to the system on every `free`, and the kernel must find and clear
fresh pages for the next one: hundreds of thousands of page faults for one training step with a
batch of 16, and as long as decoding itself where pictures are decoded in threads.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1

# What glibc's own adaptation arrives at with buffers of this size (malloc/malloc.c).
_USUAL = {_M_MMAP_MAX: 65_536, _M_MMAP_THRESHOLD: 32 * 2**20, _M_TRIM_THRESHOLD: 64 * 2**20}
_KEEPING = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER}


def expect_large_buffers() -> None:
    """From now on keep freed buffers of up to 32 MiB: for a process that handles many pictures.

    glibc gets there by itself only once it has seen a buffer of that size; before, each picture
    of a megapixel costs 2,800 page faults, a fifth of its time on one core. At most 64 MiB per
    thread stay. Only glibc (Linux) needs it and is changed.
    """
    library = _glibc()
    if library is not None:
        _set(library, _USUAL)


_lock = threading.Lock()
_blocks = 0
"""Blocks that are under way."""


@contextmanager
def keep_freed_memory() -> Iterator[bool]:
    """Do not return memory to the system inside this block; yields whether that is possible here.

    Only glibc (Linux) needs it and is changed; elsewhere nothing happens. At the end, what is free
    is returned. Blocks may lie inside each other and in several threads; the last one to end
    ends it.
    """
    global _blocks
    library = _glibc()
    if library is None:
        yield False
        return
    with _lock:
        _blocks += 1
        if _blocks == 1:
            _set(library, _KEEPING)
    try:
        yield True
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                _set(library, _USUAL)
                library.malloc_trim(0)


def _set(library: ctypes.CDLL, parameters: dict[int, int]) -> None:
    for parameter, value in parameters.items():
        library.mallopt(parameter, value)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
