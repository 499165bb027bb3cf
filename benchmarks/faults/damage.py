"""Damage files, a byte or a piece at a time, and read them as a user would."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.kills import fresh
from benchmarks.faults.mutations import mutants
from benchmarks.faults.warm import Ended, run

_NOTHING = "nothing was read"
_WEAK = "no better than"


@dataclass(frozen=True)
class Reader:
    """A command, and the file that is damaged before it reads it."""

    kind: str
    build: Callable[[Path], Path]
    """Makes what the command reads in a folder; gives the file to damage."""
    words: Callable[[Path], list[str]]
    """The command for that folder."""
    result: Callable[[Path, Ended], object] | None = None
    """What must come out the same if it comes out at all; None where a file's content is data."""
    weak: bool = False
    """Whether a network comes out, with exit code 1 if it is a weak one."""
    named: str = ""
    """What a refusal may name instead of the file."""


@dataclass(frozen=True)
class Damage:
    """What a command said of one damaged file."""

    kind: str
    file: str
    outcome: str
    """`refused`, `read`, or what is wrong."""
    wrong: bool


def damage(reader: Reader, scratch: Path, *, count: int) -> Iterator[Damage]:
    """Damage a file in `count` ways, each time from its sound state."""
    sound = fresh(scratch).with_name("sound")
    shutil.rmtree(sound, ignore_errors=True)
    sound.mkdir()
    file = reader.build(sound)
    expected = _read(reader, sound, scratch, file.read_bytes(), file)
    if expected[1] == _NOTHING:
        raise SystemExit(f"{reader.kind}: fails undamaged: {expected[0].err}{expected[0].out}")
    for content in mutants(file.read_bytes(), count, reader.kind + file.name):
        ended, result = _read(reader, sound, scratch, content, file)
        problem = ended.problem
        if problem is None and result not in (expected[1], _NOTHING):
            problem = "read as something else without a word"
        if problem is None and result == _NOTHING:
            said = ended.err + ended.out
            if not any(name in said for name in (file.name, reader.named or file.name)):
                problem = f"does not name the file: {said.strip()[-300:]}"
        outcome = problem or ("refused" if result == _NOTHING else "read")
        yield Damage(reader.kind, file.name, outcome, problem is not None)


def _read(
    reader: Reader, sound: Path, scratch: Path, content: bytes, file: Path
) -> tuple[Ended, object]:
    folder = fresh(scratch)
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    (folder / file.relative_to(sound)).write_bytes(content)
    ended = run(reader.words(folder), folder)
    if ended.code != 0 and not (reader.weak and _WEAK in ended.err):
        return ended, _NOTHING
    return ended, reader.result(folder, ended) if reader.result else "read"
