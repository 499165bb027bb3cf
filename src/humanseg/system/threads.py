"""Work in threads: results in order, and never far ahead of who takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice, repeat, takewhile
from typing import TypeVar

from humanseg.system.cpu import usable_cores

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    threads: int | None = None,
    depth: int | None = None,
) -> Generator[R, None, None]:
    """`map(work, items)` in threads.

    Unlike `Executor.map`, it takes items as they are needed and holds few results, so memory does
    not grow with their number. Closing it, or an exception where it is read, drops what has not
    begun and waits for what has.

    Args:
        work: called in the threads.
        items: taken on the caller's thread.
        threads: at least 1; as many as there are usable cores by default.
        depth: items that are at most begun and not yet given out, at least 1; four per thread by
            default, so that one large image stops nobody.

    Raises:
        Exception: what `work` or `items` raised, in its item's turn.
    """
    threads = threads or usable_cores()
    depth = depth or 4 * threads
    pool = ThreadPoolExecutor(threads, thread_name_prefix="humanseg")
    begun: deque[Future[R]] = deque()
    source = iter(items)
    try:
        while True:
            try:
                item = next(source)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001  raised in its turn
                begun.append(Future())
                begun[-1].set_exception(error)
                break
            begun.append(pool.submit(work, item))
            if len(begun) >= depth:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_ahead(items: Generator[T, None, None], *, depth: int) -> Generator[T, None, None]:
    """Run a generator in a thread of its own: one stage of a pipeline.

    Args:
        items: advanced in the new thread only, and closed in the end.
        depth: items that may be finished and not yet given out, at least 1.

    Raises:
        Exception: what `items` raised, after the items before it.
    """

    def advance(source: Iterator[T]) -> list[T]:
        return list(islice(source, 1))

    stage = ordered_map(advance, repeat(items), threads=1, depth=depth)
    with closing(items), closing(stage):
        for step in takewhile(bool, stage):  # an empty one is the end
            yield from step
