"""Full disks, missing rights, wrong clocks and other locales: a sentence, or the same result."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.kills import fresh
from benchmarks.faults.warm import Ended, run
from benchmarks.faults.works import Material, Work, works

CLOCKS = ("2001-01-01 00:00:00", "2039-06-01 00:00:00", "-1d")
LOCALES = ("C", "tr_TR.UTF-8", "de_DE.UTF-8")
_SPARE = 1 << 30


@dataclass(frozen=True)
class Trouble:
    """What a work made of its surroundings."""

    kind: str
    what: str
    said: str
    wrong: bool


def fill_disks(work: Work, scratch: Path, sizes: Sequence[int]) -> Iterator[Trouble]:
    """Work in file systems of so many bytes, then go on where there is room.

    Without the right to mount one, no file may grow beyond so many bytes.
    """
    folder = fresh(scratch)
    run(work.words(folder / "out"), folder)
    whole = work.parts(folder / "out")
    for size in sizes:
        folder = fresh(scratch)
        with _small(folder, size) as limit:
            full = run(work.words(folder / "out"), folder, bytes_=limit)
            _enlarge(folder, limit)
            again = run(work.words(folder / "out"), folder)
            same = work.parts(folder / "out") == whole
        said = full.problem or again.problem or full.err.strip()[-200:]
        problem = full.problem or again.problem or not same or again.code != 0
        kind = "full disk" if limit is None else "limit of file sizes"
        yield Trouble(kind, f"{work.name} in {size} bytes", said or "fits", bool(problem))


@contextmanager
def _small(folder: Path, size: int) -> Iterator[int | None]:
    """A small file system; where none can be mounted, the largest file that is allowed instead."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield None if mounted else size
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _enlarge(folder: Path, limit: int | None) -> None:
    if limit is None:
        command = ["mount", "-o", f"remount,size={_SPARE}", str(folder)]
        subprocess.run(command, check=True, capture_output=True)


def remove_rights(material: Material, scratch: Path) -> Iterator[Trouble]:
    """Take away the right to read an input or to write an output."""
    table = works(material)
    for name, work in table.items():
        folder = fresh(scratch)
        (folder / "out").mkdir()
        yield _without(folder / "out", 0o555, work.words(folder / "out"), f"{name} into", folder)
    for name, path in (
        ("prediction", material.photos / "03.png"),
        ("prediction", material.model / "model.onnx"),
        ("cache", material.pairs / "masks" / "004.png"),
        ("training", material.pairs / "images"),
        ("training", material.train),
    ):
        folder = fresh(scratch)
        words = table[name].words(folder / "out")
        yield _without(path, 0, words, f"{name} from", folder)


def _without(path: Path, rights: int, words: list[str], what: str, folder: Path) -> Trouble:
    before = path.stat().st_mode & 0o777
    path.chmod(rights)
    # The super-user may do everything unless that right is dropped.
    mighty = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    try:
        ended = _run_apart(words, folder, mighty if os.geteuid() == 0 else ())
    finally:
        if path.exists():  # an empty folder for results goes if nothing came
            path.chmod(before)
    wrong = ended.problem is not None or ended.code == 0
    said = ended.problem or ended.err.strip()[-200:]
    return Trouble("rights", f"{what} {path.name}", said, wrong)


def change_clock_and_locale(material: Material, scratch: Path) -> Iterator[Trouble]:
    """Work at other times, with a clock that goes back, and under other languages."""
    for name in ("prediction", "cache"):
        work = works(material)[name]
        folder = fresh(scratch)
        expected = run(work.words(folder / "out"), folder)
        whole = work.parts(folder / "out")
        for kind, values in (("clock", CLOCKS), ("locale", LOCALES)):
            for value in values:
                folder = fresh(scratch)
                prefix: tuple[str, ...] = ("env", f"LC_ALL={value}")
                if kind == "clock":  # -f: a difference, which would be taken for an option
                    prefix = ("faketime", *(["-f"] if value.startswith("-") else []), value)
                if kind == "clock" and shutil.which("faketime") is None:
                    yield Trouble(kind, value, "not tried: faketime is not installed", False)
                    continue
                ended = _run_apart(work.words(folder / "out"), folder, prefix)
                same = _alike(work.parts(folder / "out"), whole) and ended.out == expected.out
                said = ended.problem or ("the same result" if same else "another result")
                yield Trouble(kind, f"{name}, {value}", said, not same or ended.code != 0)


def _alike(parts: dict[str, object], whole: dict[str, object]) -> bool:
    """Whether both have the same pieces; those of a cache have keys made of files' times."""
    return sorted(map(str, parts.values())) == sorted(map(str, whole.values()))


def _run_apart(words: list[str], folder: Path, prefix: Sequence[str]) -> Ended:
    """A command in a process that nothing was imported in before."""
    began = time.monotonic()
    command = [*prefix, sys.executable, "-m", "humanseg", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    return Ended(done.returncode, done.stdout, done.stderr, changes=0, seconds=seconds)
