"""Do the next items' work in a thread while the last ones are used: stages of a pipeline."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_POLL = 0.05
"""Seconds after which a waiting thread looks whether it should stop."""


class _End:
    """The last thing in the queue; carries what went wrong."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Iterator[T], Generic[T]):
    """Iterate over `items` in a thread of its own, at most `depth` items ahead of the reader.

    Items come in order, and so does an exception, once the items before it are read. Use it in a
    `with` statement: leaving it stops the thread, closes `items`, and waits for both.
    """

    def __init__(self, items: Iterator[T], *, depth: int) -> None:
        """Start the thread.

        Args:
            items: what to read; used from the new thread only.
            depth: how many finished items may wait, at least 1.
        """
        self._items = items
        self._queue: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="humanseg-read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as raised:  # noqa: BLE001  raised again where the items are read
            error = raised
        if hasattr(self._items, "close"):
            self._items.close()
        self._put(_End(error))

    def _put(self, item: T | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL)
            except queue.Full:
                continue
            return True
        return False

    def __next__(self) -> T:
        if self._ended:
            raise StopIteration
        item = self._next()
        if not isinstance(item, _End):
            return item
        self._ended = True
        if item.error is not None:
            raise item.error
        raise StopIteration

    def _next(self) -> T | _End:
        """Wait in slices, so that another thread's stop, or Ctrl-C on Windows, gets through."""
        while not self._stopped.is_set():
            try:
                return self._queue.get(timeout=_POLL)
            except queue.Empty:
                continue
        return _End(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()


def ordered_map(
    pool: Executor, work: Callable[[T], R], items: Iterable[T], *, depth: int
) -> Iterator[R]:
    """`work` of every item, in order, with at most `depth` items begun and not yet given out.

    `Executor.map` would read all items at once.

    Raises:
        Whatever `work` or `items` raise, at its place in the order.
    """
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) >= depth:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()
