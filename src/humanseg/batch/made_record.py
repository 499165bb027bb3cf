"""How the results in a folder were made: `.humanseg.json` in it, so that no two kinds get mixed."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from humanseg.annotations.label_output import LabelOutput, OutputHolder
from humanseg.batch.discovery import RECORD_NAME, VIDEO_TARGET_SUFFIXES, Job, is_written
from humanseg.effects.effect import effect_of
from humanseg.system.atomic import write_bytes
from humanseg.system.errors import UsageError

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
    inputs: frozenset[str] = frozenset()
    """Folders, absolute, from which on results keep the names of their inputs."""

    @classmethod
    def read(cls, folder: Path) -> MadeRecord | None:
        """That of a folder; None if it has none, or none that can be read."""
        try:
            values = json.loads((folder / RECORD_NAME).read_bytes())
            inputs = frozenset(map(str, values.get("inputs", ())))
            return cls(dict(values["settings"]), float(values["since"]), inputs)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Write it, unless the folder has the same one already."""
        if MadeRecord.read(folder) != self:
            inputs = sorted(self.inputs)
            values = {"settings": dict(self.settings), "since": self.since, "inputs": inputs}
            write_bytes(folder / RECORD_NAME, f"{json.dumps(values, indent=1)}\n".encode())


def claim_folder(
    folder: Path, settings: Mapping[str, str], jobs: Iterable[Job], *, overwrite: bool
) -> MadeRecord:
    """The record that a folder gets when work in it begins; `jobs` are those of other shards too.

    With `overwrite`, results of other settings may be replaced, all of them at once; where all are,
    their inputs are forgotten. `jobs` are then gone through twice.

    Raises:
        UsageError: the folder has results of other settings, or of unknown ones, or some of them
            would stay.
    """
    written = None
    if MadeRecord.read(folder) is None:
        written = next((job for job in jobs if is_written(job.target)), None)
    before = MadeRecord.read(folder)  # once more: another shard may have begun meanwhile
    if before is not None and before.settings == settings:
        anew = overwrite and _kept(folder, settings, jobs) is None
        return replace(before, inputs=frozenset()) if anew else before
    if before is not None and _shows_anything(folder):
        reason = f"{folder}: its results were made with {difference(before.settings, settings)}"
    elif before is None and written is not None:
        reason = f"{written.target}: exists, and how it was made is not known"
    else:
        return MadeRecord(settings)
    if not overwrite:
        raise UsageError(f"{reason}; give another folder with -o, or --overwrite to replace them.")
    kept = _kept(folder, settings if before is None else before.settings, jobs)
    if kept is not None:
        raise UsageError(
            f"{reason}; {kept} would stay among these, as none of the inputs gives it: name all "
            "inputs, or give another folder with -o."
        )
    return MadeRecord(settings, time.time() - _COARSE)


def with_inputs(
    record: MadeRecord, folder: Path, jobs: Iterable[Job], existing: Sequence[Job]
) -> MadeRecord:
    """The record with the inputs of the jobs; `existing` are those whose results are left alone.

    Inputs that have moved, or are seen from another machine, count as the same.

    Raises:
        UsageError: one of these results was made of another input.
    """
    others: dict[str, str | None] = {}
    for job in existing:
        place = _place(job, folder)
        if place not in others:
            others[place] = _other(place, record.inputs)
        if (other := others[place]) is not None:
            raise UsageError(
                f"{job.target}: exists, and was made of an input in {other}, not of {job.source}; "
                "give another folder with -o, or --overwrite to replace it."
            )
    return replace(record, inputs=record.inputs | {_place(job, folder) for job in jobs})


def _place(job: Job, folder: Path) -> str:
    """The folder of an input from which on its result, below `folder`, keeps its name."""
    parts = len(job.target.relative_to(folder).parts)
    return os.path.abspath(job.source).rsplit(os.sep, parts)[0] or os.sep  # noqa: PTH100


def _other(place: str, inputs: Iterable[str]) -> str | None:
    """One of the folders of inputs that is there, if this one is none of them."""
    there = [each for each in sorted(inputs) if Path(each).is_dir()]
    if any(each == place or Path(each).samefile(place) for each in there):
        return None
    return next(iter(there), None)


def _kept(folder: Path, made: Mapping[str, str], jobs: Iterable[Job]) -> Path | None:
    """A result of these settings that none of the jobs would replace, if there is one."""
    replaced = {job.target.with_suffix("") for job in jobs}
    results = _results(folder, made)
    return next((path for path in results if path.with_suffix("") not in replaced), None)


def _results(folder: Path, made: Mapping[str, str]) -> Iterator[Path]:
    """Files in a folder that look like results of these settings."""
    suffixes: tuple[str, ...] = (f".{made.get('--format')}", *VIDEO_TARGET_SUFFIXES, ".tar")
    if "--format" not in made:
        labels = effect_of(made.get("--as", ""), among=OutputHolder)  # type: ignore[arg-type]
        if isinstance(labels, LabelOutput):
            folder, suffixes = folder / labels.folder, (labels.suffix,)
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            Path(root, name)
            for name in names
            if name.endswith(suffixes) and not name.startswith(".")
        )


def _shows_anything(folder: Path) -> bool:
    return any(not path.name.startswith(".") for path in folder.iterdir())


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
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
