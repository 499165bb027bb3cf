"""From what a user names to a list of jobs: which file becomes which, before anything is read.

Inputs are files, folders and patterns. Results keep the names and sub-folders of their inputs.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from humanseg import images
from humanseg.batch.manifest import read_manifest
from humanseg.system.errors import UsageError

IMAGE_SUFFIXES = images.SUFFIXES
"""Suffixes, in lower case, that make a file in a folder a picture."""

VIDEO_SUFFIXES = frozenset(
    {
        ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
        ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv",
    }
)  # fmt: skip
"""Suffixes, in lower case, that make a file a video. Here, so that images need no video module."""

VIDEO_TARGET_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")
"""Suffixes of videos that can be written; transparent cut-outs as .webm and .mov only."""

_MAGIC = frozenset("*?[")
_SHARED_WITH_CODE = frozenset({".ts", ".mts"})
"""Suffixes of MPEG transport streams and of TypeScript."""
_PACKETS = (188, 192, 204)
"""Bytes in a packet of a transport stream: plain, with times, with checksums."""
_SYNC = 0x47

RECORD_NAME = ".humanseg.json"
"""In a folder of results: how they were made, see `humanseg.batch.made_record`."""


@dataclass(frozen=True, slots=True)
class Job:
    """One input and where its result goes."""

    source: Path
    target: Path
    video: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One file that was found, and its name below the input that it was found by."""

    path: Path
    name: PurePath
    video: bool = False


@dataclass
class Discovery:
    """What the inputs hold."""

    items: list[Item] = field(default_factory=list)
    """Each file once, in the order of the inputs, sorted by name within a folder or pattern."""
    others: int = 0
    """Files that are neither pictures nor videos."""
    results: list[Path] = field(default_factory=list)
    """Folders below the inputs that hold results, which are not read."""
    problems: list[str] = field(default_factory=list)
    """Folders that could not be read, a sentence each."""
    single: bool = False
    """Exactly one file was named."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what is left out."""

    jobs: tuple[Job, ...]
    existing: tuple[Job, ...]
    """Jobs whose results are there already."""
    older: tuple[Job, ...]
    """Those of them whose inputs were written to later."""
    other_shards: int
    """Jobs of other shards."""


def discover(
    inputs: Sequence[str], *, output: Path, video_suffixes: frozenset[str] = VIDEO_SUFFIXES
) -> Discovery:
    """Find the pictures and videos that are meant.

    A file that is named is taken whatever its suffix. In folders, which are read with all their
    sub-folders, and for patterns the suffix decides, in upper or lower case; names that begin with
    a dot are passed over, and so is TypeScript, which shares its suffix with videos. Links to
    folders are followed; each folder is read once, so that loops end, and under its own name where
    it has one. The output folder is not read, nor are folders of results that were not named.

    Args:
        inputs: files, folders, patterns with `*`, `?`, `[...]` and `**` for any sub-folders, and
            `@FILE`, see `read_manifest`.
        output: where results go.
        video_suffixes: suffixes, in lower case, of files that are videos.

    Raises:
        UsageError: an input that does not exist, holds or matches nothing, or is also the output.
    """
    discovery = Discovery()
    seen: set[str] = set()
    for word in inputs:
        items = _of_input(word, output, video_suffixes, discovery)
        for item in items:
            path = os.path.abspath(item.path)  # noqa: PTH100  links keep their own names
            if path not in seen:
                seen.add(path)
                discovery.items.append(item)
    discovery.single = len(inputs) == 1 and Path(inputs[0]).is_file()
    return discovery


def _of_input(word: str, output: Path, videos: frozenset[str], discovery: Discovery) -> list[Item]:
    if word.startswith("@"):
        named = read_manifest(Path(word[1:]))
        return [Item(path, name, path.suffix.lower() in videos) for path, name in named]
    path, mode = Path(word), _mode(word)
    if mode is None and word.startswith(("http://", "https://")):
        raise UsageError(f"{word}: is an address; download the image, and give its file.")
    if mode is None and _MAGIC & set(word):
        items = _by_pattern(path, output, videos, discovery)
        nothing = "matches no picture; put the pattern in quotes, with ** for sub-folders"
    elif mode is None:
        raise UsageError(f"{word}: does not exist; give files, folders, patterns or -.")
    elif stat.S_ISDIR(mode):
        _refuse_same_folder(path, output)
        items = _taken(path, _walk(path, output, discovery), videos, discovery)
        nothing = "holds no picture or video; give a folder that does"
    elif stat.S_ISREG(mode):
        return [Item(path, PurePath(path.name), path.suffix.lower() in videos)]
    else:
        raise UsageError(f"{word}: is neither a file nor a folder; pipe the picture into `-`.")
    if not items and not discovery.problems:
        raise UsageError(f"{word}: {nothing}.")
    return items


def _mode(word: str) -> int | None:
    """What a name stands for, as `stat` has it; None for nothing."""
    try:
        return Path(word).stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise UsageError(f"{word}: {_unreadable(error)}") from error


def _unreadable(error: OSError) -> str:
    return f"cannot be read ({(error.strerror or 'not allowed').lower()})."


def _refuse_same_folder(path: Path, output: Path) -> None:
    if output.is_dir() and output.samefile(path):
        raise UsageError(
            f"{path}: is both input and output; results would be read as pictures the next time. "
            "Give another folder with -o, such as one inside it."
        )


def _by_pattern(
    pattern: Path, output: Path, videos: frozenset[str], discovery: Discovery
) -> list[Item]:
    """Files below the part of the pattern without wildcards; walking ends where `glob` loops."""
    fixed = next(at for at, part in enumerate(pattern.parts) if _MAGIC & set(part))
    root, wild = Path(*pattern.parts[:fixed]), pattern.parts[fixed:]
    if not root.is_dir():
        return []
    _refuse_same_folder(root, output)
    depth = None if "**" in wild else len(wild)
    names = _walk(root, output, discovery, depth=depth)
    return _taken(root, [name for name in names if _matches(name.parts, wild)], videos, discovery)


def _matches(parts: Sequence[str], wild: Sequence[str]) -> bool:
    if not wild:
        return not parts
    if wild[0] == "**":
        return any(_matches(parts[at:], wild[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wild[0]) and _matches(parts[1:], wild[1:])


def _taken(
    root: Path, names: Iterable[PurePath], videos: frozenset[str], discovery: Discovery
) -> list[Item]:
    """Pictures and videos among the files; the others are counted."""
    items = []
    for name in names:
        suffix = name.suffix.lower()
        if suffix in IMAGE_SUFFIXES or (suffix in videos and _is_video(root / name, suffix)):
            items.append(Item(root / name, name, suffix in videos))
        else:
            discovery.others += 1
    return sorted(items, key=lambda item: item.name.parts)


def _is_video(path: Path, suffix: str) -> bool:
    """Whether a file with the suffix of a video is one; looked at only where it may be code."""
    if suffix not in _SHARED_WITH_CODE:
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(4 * max(_PACKETS))
    except OSError:
        return True  # told as unreadable rather than passed over
    return any(
        all(byte == _SYNC for byte in head[start : start + 3 * packet : packet])
        for packet in _PACKETS
        for start in range(min(packet, len(head) - 2 * packet))
    )


def _walk(
    root: Path, output: Path, discovery: Discovery, *, depth: int | None = None
) -> list[PurePath]:
    """Names of the files below a folder, each folder read once; links wait for real folders."""
    read = {_identity(output)} - {None}
    names: list[PurePath] = []
    folders, linked = [PurePath()], list[PurePath]()
    while folders or linked:
        folder = folders.pop() if folders else linked.pop(0)
        identity = _identity(root / folder)
        if identity in read or (depth is not None and len(folder.parts) >= depth):
            continue
        read.add(identity)
        try:
            with os.scandir(root / folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            discovery.problems.append(f"{root / folder}: {_unreadable(error)}")
            continue
        if folder.parts and any(entry.name == RECORD_NAME for entry in entries):
            discovery.results.append(root / folder)
            continue
        for entry in entries:
            _sort_in(entry, folder, names, folders, linked)
    return names


def _sort_in(
    entry: os.DirEntry[str],
    folder: PurePath,
    names: list[PurePath],
    folders: list[PurePath],
    linked: list[PurePath],
) -> None:
    if entry.name.startswith("."):
        return
    name = folder / entry.name
    try:
        is_folder, is_file = entry.is_dir(), entry.is_file()
    except OSError:  # a link to itself, or to where one may not look
        is_folder = is_file = False
    if is_folder:
        (linked if entry.is_symlink() else folders).append(name)
    elif is_file or entry.is_symlink():  # a broken link is a picture that is missing
        names.append(name)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def output_jobs(
    items: Iterable[Item], *, output: Path, suffix_of: Callable[[Path], str], keep_suffix: bool
) -> list[Job]:
    """Jobs whose results keep the names and sub-folders of their inputs.

    `keep_suffix` keeps the input's suffix in the result's name: `1.jpg` becomes `1.jpg.png`.
    """
    jobs = []
    for item in items:
        stem = item.name.name if keep_suffix else item.name.stem
        target = output / item.name.parent / f"{stem}{suffix_of(item.path)}"
        jobs.append(Job(item.path, target, item.video))
    return jobs


def refuse_collisions(jobs: Sequence[Job], *, inputs: Sequence[Path] = ()) -> None:
    """Refuse jobs, of all shards, that would destroy something, before the first begins.

    `inputs` are further files that are read, such as a background.

    Raises:
        UsageError: two inputs with one result, or a result in place of an input.
    """
    sources: dict[str, Path] = {}
    clashes = []
    for job in jobs:
        key = os.path.normcase(job.target)
        if key in sources:
            clashes.append((sources[key], job))
        sources.setdefault(key, job.source)
    if clashes:
        first, job = clashes[0]
        more = f" ({len(clashes) - 1} more such pairs)" if len(clashes) > 1 else ""
        raise UsageError(
            f"{first} and {job.source} would both become {job.target}{more}; add --keep-suffix if "
            "they differ in suffix only, or predict them into different folders."
        )
    written = {
        identity: job
        for job in _perhaps_done(jobs)
        if (identity := _identity(job.target)) is not None
    }
    if not written:
        return
    for path in (*(job.source for job in jobs), *inputs):
        same = written.get(_identity(path) or (-1, -1))
        if same is not None:
            raise UsageError(
                f"{same.target}: is an input; inputs are never written over. Give another place "
                "with -o."
            )


def pending(
    jobs: Sequence[Job],
    *,
    output: Path,
    shard: tuple[int, int] = (1, 1),
    overwrite: bool = False,
    since: float = 0.0,
) -> Plan:
    """Choose the jobs of shard (i, n), i from 1, that are still to be done; all with `overwrite`.

    A job belongs to the shard that a hash of its result's name, below `output`, says, so that
    shards never share one and never leave one out, on whatever machine, however many files come or
    go meanwhile, and whatever is done already. `since` is as for `is_written`.
    """
    index, count = shard
    mine = [job for job in jobs if count == 1 or _shard_of(job, output, count) == index]
    asked = () if overwrite else _perhaps_done(mine)
    done = {job: at for job in asked if (at := _written(job.target)) >= since}
    return Plan(
        jobs=tuple(job for job in mine if job not in done),
        existing=tuple(done),
        older=tuple(job for job, at in done.items() if _written(job.source) > at),
        other_shards=len(jobs) - len(mine),
    )


def _shard_of(job: Job, output: Path, count: int) -> int:
    name = os.fsencode(job.target.relative_to(output).as_posix())
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest()) % count + 1


def _perhaps_done(jobs: Iterable[Job]) -> Iterator[Job]:
    """Jobs whose results may be there: of a first run, which has no folders yet, none is asked."""
    holding: dict[Path, bool] = {}
    for job in jobs:
        folder = job.target.parent
        if folder not in holding:
            holding[folder] = _holds_anything(folder)
        if holding[folder]:
            yield job


def _holds_anything(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # may be entered but not listed
        return True


def is_written(path: Path, since: float = 0.0) -> bool:
    """Whether a result is there; a file without content is what a power cut leaves.

    One that was last written to before `since` (seconds since 1970) does not count.
    """
    return _written(path) >= since


def _written(path: Path) -> float:
    """When a file was last written to; -1 for one without content, and for what is no file."""
    try:
        status = path.stat()
    except OSError:
        return -1.0
    return status.st_mtime if stat.S_ISREG(status.st_mode) and status.st_size > 0 else -1.0
