"""A folder with a file for each value: what a cache keeps, and how it survives mishaps.

A file is written at once or not at all, so that a process that is killed leaves whole ones. It ends
in a checksum: a damaged one is as good as none.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from humanseg.system.atomic import remove_leftovers, write_bytes
from humanseg.system.errors import UsageError

_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by humanseg: backups may leave this folder out.
# For information about cache directory tags see https://bford.info/cachedir/
"""


class CacheFolder:
    """Values of several kinds, each under a key that may be part of a file's name.

    Nothing stays open: threads and processes may share it. Every method raises an OSError if the
    disk is full or fails.
    """

    def __init__(self, root: Path) -> None:
        """Make a folder a cache, or raise a UsageError where it is something else."""
        self.root = root
        advice = "give --cache a new or empty folder, or one that humanseg made"
        if root.exists() and not root.is_dir():
            raise UsageError(f"cache {root}: is a file; {advice}.")
        paths = list(root.iterdir()) if root.is_dir() else []
        tag = root / _TAG
        if tag.is_file() and "humanseg" in tag.read_text(encoding="utf-8", errors="replace"):
            remove_leftovers([root, *(path for path in paths if path.is_dir())])
            return
        # Hidden files: another process that makes this very cache may be writing its tag. A disk's
        # own top folder holds lost+found.
        if any(not path.name.startswith(".") and path.name != "lost+found" for path in paths):
            raise UsageError(f"cache {root}: is not empty and no cache; {advice}.")
        write_bytes(tag, _TAG_TEXT.encode())

    def has(self, kind: str, key: str) -> bool:
        """Whether there is a value, which is not read."""
        return (self.root / kind / key).is_file()

    def get(self, kind: str, key: str) -> bytes | None:
        """A value; None where there is none. What is not as it was put there is removed."""
        file = self.root / kind / key
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return None
        value, checksum = content[:-4], content[-4:]
        if value and zlib.crc32(value).to_bytes(4, "little") == checksum:
            return value
        file.unlink(missing_ok=True)
        return None

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Keep a value, in place of one that was there."""
        content = value + zlib.crc32(value).to_bytes(4, "little")
        write_bytes(self.root / kind / key, content)
