"""Work on many pictures in threads: in order, and never far ahead of who takes the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from humanseg.system.cpu import usable_cores

T = TypeVar("T")
R = TypeVar("R")


def in_threads(
    work: Callable[[T], R], items: Iterable[T], *, ahead: int = 4
) -> Generator[R, None, None]:
    """`map(work, items)` with as many threads as there are usable cores.

    Unlike `Executor.map`, it takes items as they are needed and holds few results, so memory does
    not grow with their number. Closing it, or an exception where it is read, drops what has not
    begun and waits for what has.

    Args:
        work: called in the threads.
        items: taken on the caller's thread.
        ahead: results per thread that may wait, so that one large picture stops nobody.

    Raises:
        Exception: what `work` raised, in its item's turn.
    """
    threads = usable_cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="humanseg-data")
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= threads * ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
