"""Draw scenes in several processes, and write them as a data set of the layout `folders`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from humanseg.data.pair_writer import write_pair
from humanseg.data.synthesis.scene import draw_scene
from humanseg.errors import HumansegError, UsageError
from humanseg.images.resize import Size
from humanseg.system.atomic import remove_leftovers

SMALLEST, LARGEST = 32, 4096
"""Sides of an image in pixels."""
_AT_ONCE = 8
"""Images that a process is given at a time."""


@dataclass(frozen=True)
class _Plan:
    """What decides a picture, beside its number."""

    root: Path
    size: Size
    seed: int
    clutter: float

    def draw(self, number: int) -> None:
        """Draw picture `number`, counted from 1, and write it."""
        rng = np.random.default_rng([self.seed, number])
        image, mask = draw_scene(rng, self.size, clutter=self.clutter)
        quality = int(rng.integers(70, 96))
        write_pair(self.root, _name(number), image, mask, quality=quality)

    def files(self, number: int) -> tuple[Path, Path]:
        """The mask and the picture, in the order in which they are written."""
        name = _name(number)
        return self.root / "masks" / f"{name}.png", self.root / "images" / f"{name}.jpg"


def synthesize(
    output: Path,
    *,
    count: int,
    size: Size = (240, 320),
    seed: int = 0,
    clutter: float = 1.0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a data set: images/00001.jpg and masks/00001.png (0 and 255) and so on.

    Picture i depends on `seed`, `size`, `clutter` and i only, so a larger set begins with the
    smaller one. A picture appears in the folder whole or not at all, its mask first; the same call
    goes on where another one was stopped, and pictures that are there are left alone.

    Args:
        output: folder to fill; its images/ and masks/ hold nothing but what is drawn here.
        count: number of pictures.
        size: (height, width) in pixels.
        seed: which pictures.
        clutter: 0 to 1; how hard people are to find, see `draw_scene`.
        workers: processes that draw. More than one are started anew, so that a program that calls
            this needs `if __name__ == "__main__":` around what it does.
        progress: called with (pictures there, `count`), not for those that were there before.

    Returns:
        `output`.

    Raises:
        UsageError: a count, size, seed, clutter or number of workers out of range, or a folder with
            other files, as far as the first, the middle, the last and incomplete pictures tell.
        HumansegError: a folder that cannot be written to, or a process that was killed.
    """
    _check(count, size, seed, clutter, workers)
    plan = _Plan(output, size, seed, clutter)
    try:
        left = _left(plan, count)
        there = count - len(left)
        for drawn in in_processes(plan.draw, left, workers=workers):
            there += drawn
            if progress is not None:
                progress(there, count)
    except OSError as error:
        raise HumansegError(f"{output}: cannot be written to ({error.strerror}).") from error
    except ProcessesEnded as error:
        raise HumansegError(
            f"{output}: a process that draws was killed; the same command again goes on."
        ) from error
    return output


def _left(plan: _Plan, count: int) -> list[int]:
    """Numbers of the pictures that are missing; makes the folders, and refuses those of others."""
    sizes = [
        _sizes(plan.root / part, {f"{_name(number)}{suffix}" for number in range(1, count + 1)})
        for part, suffix in (("masks", ".png"), ("images", ".jpg"))
    ]
    numbers = range(1, count + 1)
    whole = [number for number in numbers if all(_name(number) in part for part in sizes)]
    broken = {number for number in numbers if any(_name(number) in part for part in sizes)}
    _compare(plan, broken.difference(whole), whole[:: max(1, len(whole) // 2)], whole[-1:])
    there = set(whole)
    return [number for number in numbers if number not in there]


def _sizes(folder: Path, expected: set[str]) -> dict[str, int]:
    """Bytes of the files of a folder that have any, by name without suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers([folder])
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if any(path.name not in expected for path in paths):
        raise UsageError(f"{folder}: has other files in it; name a new or empty folder.")
    sizes = {path.stem: path.stat().st_size for path in paths}
    return {name: size for name, size in sizes.items() if size}


def _compare(plan: _Plan, *numbers: Iterable[int]) -> None:
    """Refuse files that these settings would not draw: another seed's, or somebody's own."""
    for number in sorted({number for group in numbers for number in group}):
        with TemporaryDirectory() as scratch:
            again = _Plan(Path(scratch), plan.size, plan.seed, plan.clutter)
            again.draw(number)
            for there, drawn in zip(plan.files(number), again.files(number), strict=True):
                if _content(there) not in (b"", drawn.read_bytes()):
                    raise UsageError(
                        f"{there}: is not what these settings draw; name a new or empty folder, or "
                        "the size, seed and clutter that the folder was drawn with."
                    )


def _content(path: Path) -> bytes:
    """What a file holds; nothing where there is none."""
    return path.read_bytes() if path.exists() else b""


def _name(number: int) -> str:
    return f"{number:05d}"


def _check(count: int, size: Size, seed: int, clutter: float, workers: int) -> None:
    if count < 1:
        raise UsageError(f"count is {count}; at least 1 picture.")
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise UsageError(
            f"size is {size[0]}x{size[1]}; both sides must be {SMALLEST} to {LARGEST} pixels."
        )
    if seed < 0:
        raise UsageError(f"seed is {seed}; 0 or larger.")
    if not 0.0 <= clutter <= 1.0:
        raise UsageError(f"clutter is {clutter}; 0 to 1.")
    if workers < 1:
        raise UsageError(f"workers is {workers}; at least 1.")


class ProcessesEnded(Exception):
    """A process was ended from outside, for instance for want of memory."""


def in_processes(
    work: Callable[[int], None], numbers: Sequence[int], *, workers: int
) -> Iterator[int]:
    """Call a function with each of the numbers.

    Args:
        work: can be pickled if there are several workers.
        numbers: what it is called with.
        workers: processes; with one it is called in this process.

    Yields:
        how many more are done.

    Raises:
        ProcessesEnded: a process was ended from outside.
    """
    if workers == 1 or len(numbers) <= _AT_ONCE:
        for number in numbers:
            work(number)
            yield 1
        return
    parts = (numbers[at : at + _AT_ONCE] for at in range(0, len(numbers), _AT_ONCE))
    running: set[Future[int]] = set()
    # Not forked: threads of this process may hold locks at this moment.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        while True:
            more = islice(parts, 2 * workers - len(running))
            running |= {pool.submit(_each, work, part) for part in more}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    except BrokenProcessPool as error:
        raise ProcessesEnded from error
    finally:
        pool.shutdown(cancel_futures=True)


def _each(work: Callable[[int], None], numbers: Sequence[int]) -> int:
    for number in numbers:
        work(number)
    return len(numbers)


def _begin() -> None:
    """Leave Ctrl-C to the process that began this one, and end when that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
