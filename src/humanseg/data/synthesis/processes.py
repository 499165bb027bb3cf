"""Do something with many numbers in several processes, which end with the one that began them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

_AT_ONCE = 8
"""Numbers that a process is given at a time."""


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
