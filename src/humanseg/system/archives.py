"""Zip archives, which torch's checkpoints and NumPy's .npz files are: what damage looks like."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

ZIP_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OverflowError,
    RuntimeError,  # also NotImplementedError: a method of compression that does not exist
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Python's zipfile, and NumPy upon it, raise over damaged archives."""


def is_whole_zip(path: Path) -> bool:
    """Whether a file is an archive all of whose members have their checksums; reads all of it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except ZIP_ERRORS:
        return False
