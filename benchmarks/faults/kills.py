"""End work with signals at points drawn by chance, go on with it, and compare the results."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.faults.warm import Ended, Stop, run
from benchmarks.faults.works import Parts, Work

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
"""A kill that no process sees is as frequent as the two that ask."""
_TWO_DAYS = 2 * 24 * 3600


@dataclass(frozen=True)
class Kill:
    """One work that was ended and gone on with."""

    work: str
    stop: str
    code: int | None
    """How the ended process ended."""
    there: int
    """Pieces of the result that were there then."""
    of: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Whole:
    """Work that nothing disturbed."""

    parts: Parts
    ended: Ended


def kill_work(
    work: Work, scratch: Path, *, count: int, seed: int, timed: bool = True
) -> Iterator[Kill]:
    """End a work `count` times before a change of a file; if `timed`, every other time by time."""
    whole = _undisturbed(work, scratch)
    rng = np.random.default_rng([seed, *work.name.encode()])
    for number in range(count):
        sent = SIGNALS[int(rng.integers(len(SIGNALS)))]
        change = int(rng.integers(1, whole.ended.changes + 1))
        seconds = float(rng.uniform(0.0, whole.ended.seconds))
        stop = Stop(sent, change=change)
        if timed and number % 2:
            stop = Stop(sent, seconds=seconds)
        yield _killed(work, whole, scratch, stop)


def _undisturbed(work: Work, scratch: Path) -> _Whole:
    folder = fresh(scratch)
    ended = run(work.words(folder / "out"), folder)
    if ended.problem or not work.parts(folder / "out"):
        raise SystemExit(f"{work.name}: fails undisturbed: {ended.err}")
    return _Whole(work.parts(folder / "out"), ended)


def _killed(work: Work, whole: _Whole, scratch: Path, stop: Stop) -> Kill:
    folder = fresh(scratch)
    out = folder / "out"
    ended = run(work.words(out), folder, stop=stop)
    problems = [ended.problem]
    there, finished = work.parts(out), work.finished(out)
    problems += [f"{name} is half-written" for name in _other(there, whole.parts)]
    _age(folder)
    again = run(work.words(out), folder)
    problems.append(again.problem)
    if again.code != whole.ended.code:  # 1 of a network that is no better than a mean mask
        problems.append(f"cannot go on: {again.err.strip()[-300:]}")
    else:
        after = work.parts(out)
        problems += [f"{name} comes out otherwise" for name in _other(after, whole.parts)]
        problems += [f"{name} is missing" for name in whole.parts.keys() - after.keys()]
        problems += [f"{name} is done again" for name in _other(finished, work.finished(out))]
        problems += [f"{path.relative_to(folder)} is left" for path in _leftovers(folder)]
    return Kill(
        work.name,
        str(stop),
        ended.code,
        len(there),
        len(whole.parts),
        tuple(problem for problem in problems if problem),
    )


def fresh(scratch: Path) -> Path:
    """An empty folder, always the same: records hold where they lie."""
    folder = scratch / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _other(parts: Parts, whole: Parts) -> list[str]:
    return [name for name, value in parts.items() if name in whole and whole[name] != value] + [
        name for name in parts if name not in whole
    ]


def _age(folder: Path) -> None:
    """Let two days pass for what was left: younger leftovers may be another process's."""
    then = time.time() - _TWO_DAYS
    for path in [found for left in _leftovers(folder) for found in (left, *left.rglob("*"))]:
        os.utime(path, (then, then))


def _leftovers(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.name.endswith((".part", "-journal", ".tmp")) or path.name == ".lock"
    ]
