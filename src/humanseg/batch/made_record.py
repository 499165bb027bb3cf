"""How the results in a folder were made: `.humanseg.json` in it, so that no two kinds get mixed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from humanseg.batch.discovery import Job, is_written
from humanseg.system.atomic import write_bytes
from humanseg.system.errors import UsageError

RECORD_NAME = ".humanseg.json"
_COARSE = 0.05
"""Seconds that a file system's clock may be behind the system's."""


@dataclass(frozen=True)
class MadeRecord:
    """What made the results in a folder."""

    settings: Mapping[str, str]
    """By flag, as a user would type them; `` for flags without a value."""
    since: float = 0.0
    """Results that were last written to before this time, in seconds since 1970, are of other
    settings: an `--overwrite` was begun and is not at its end."""

    @classmethod
    def read(cls, folder: Path) -> MadeRecord | None:
        """That of a folder; None if it has none, or none that can be read."""
        try:
            values = json.loads((folder / RECORD_NAME).read_bytes())
            return cls(dict(values["settings"]), float(values["since"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Write it, unless the folder has the same one already."""
        if MadeRecord.read(folder) != self:
            values = {"settings": dict(self.settings), "since": self.since}
            write_bytes(folder / RECORD_NAME, f"{json.dumps(values, indent=1)}\n".encode())


def claim_folder(
    folder: Path, settings: Mapping[str, str], jobs: Iterable[Job], *, overwrite: bool
) -> MadeRecord:
    """The record that a folder gets when work in it begins; `jobs` are those of other shards too.

    With `overwrite`, results of other settings may be replaced.

    Raises:
        UsageError: the folder has results of other settings, or of unknown ones.
    """
    written = None
    if MadeRecord.read(folder) is None:
        written = next((job for job in jobs if is_written(job.target)), None)
    before = MadeRecord.read(folder)  # once more: another shard may have begun meanwhile
    if before is not None and before.settings == settings:
        return before
    if before is not None and _shows_anything(folder):
        reason = f"{folder}: its results were made with {_difference(before.settings, settings)}"
    elif before is None and written is not None:
        reason = f"{written.target}: exists, and how it was made is not known"
    else:
        return MadeRecord(settings)
    if not overwrite:
        raise UsageError(f"{reason}; give another folder with -o, or --overwrite to replace them.")
    return MadeRecord(settings, time.time() - _COARSE)


def _shows_anything(folder: Path) -> bool:
    return any(not path.name.startswith(".") for path in folder.iterdir())


def _difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Both values of every setting that is not the same."""
    flags = dict.fromkeys([*before, *now])
    changed = [flag for flag in flags if before.get(flag) != now.get(flag)]
    then, other = (
        ", ".join(
            f"{flag} {made[flag]}".rstrip() if flag in made else f"no {flag}" for flag in changed
        )
        for made in (before, now)
    )
    return f"{then}, and these would be with {other}"


def fingerprint_files(folder: Path, names: Iterable[str]) -> str:
    """Short digest of files' contents; those that are not there count as that."""
    digest = hashlib.sha256()
    for name in names:
        path = folder / name
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()[:12]
