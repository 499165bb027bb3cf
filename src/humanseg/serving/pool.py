"""Threads for the work, and how much of it is taken on: what is too much is refused at once."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

from humanseg.serving.problem_details import Problem, stopping
from humanseg.serving.serve_metrics import ServeMetrics

T = TypeVar("T")


class Pool:
    """Runs `workers` pictures at a time, one per thread, and lets `queue` more of them wait.

    Attributes:
        images: pictures that wait or are computed.
        held: bytes of all requests that are read, wait or are computed.
        draining: whether nothing new is taken on.
    """

    def __init__(
        self, workers: int, *, queue: int, max_held_bytes: int, metrics: ServeMetrics
    ) -> None:
        self.workers = workers
        self.images = 0
        self.held = 0
        self.draining = False
        self._limit = workers + queue
        self._max_held = max_held_bytes
        self._metrics = metrics
        self._lock = threading.Lock()
        self._executor = self._new_executor()
        self._mean = 0.1
        metrics.watch(
            "humanseg_waiting", "Pictures that wait or are computed.", lambda: self.images
        )
        metrics.watch("humanseg_held_bytes", "Bytes of requests.", lambda: self.held)

    @contextmanager
    def holding(self, declared: int) -> Iterator[Callable[[int], None]]:
        """Hold room for the bytes of a request, which are read from here on, in the block.

        The `declared` ones take no room before they are here: who only announces much would keep
        all others out. What is yielded is told of bytes as they arrive.

        Raises:
            Problem: there is no room for them or their pictures, or the server is being stopped.
        """
        if self.draining:
            raise stopping()
        self._check_bytes(declared, of=declared)
        self.check_room(1)
        own = 0

        def hold(arrived: int) -> None:
            nonlocal own
            self._check_bytes(arrived, of=own + arrived)
            own += arrived
            self.held += arrived

        try:
            yield hold
        finally:
            self.held -= own

    def _check_bytes(self, more: int, *, of: int) -> None:
        if of > self._max_held:
            raise Problem(
                "too-large",
                f"The request has {of} bytes; at most {self._max_held} are taken on at a time. "
                "Send a smaller one.",
            )
        if self.held + more > self._max_held:
            raise self._busy(f"{self.held} bytes are under way; at most {self._max_held}")

    def check_room(self, images: int) -> None:
        """Refuse so many pictures more where there is no room for them."""
        if images > self._limit:
            raise Problem(
                "too-large",
                f"The request has {images} pictures; at most {self._limit} are taken on at a time. "
                "Send fewer in a request.",
            )
        if self.images + images > self._limit:
            raise self._busy(f"{self.images} pictures are under way; at most {self._limit}")

    def _busy(self, why: str) -> Problem:
        seconds = max(1, math.ceil(self.images * self._mean / self.workers))
        return Problem(
            "busy",
            f"{why} are taken on. Ask again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )

    def _count(self, images: int) -> None:
        with self._lock:  # threads end on their own
            self.images += images

    async def run(self, work: Callable[[], T], *, gone: asyncio.Future[None], seconds: float) -> T:
        """Do work in a thread; work that nobody waits for any more is not begun.

        Raises:
            Problem: the seconds that it may wait and take are over.
            ClientDisconnect: `gone` is done.
            CancelledError: the task was cancelled, as by a stop that does not wait any longer.
            Exception: what `work` raised.
        """
        asked = time.perf_counter()

        def timed() -> T:
            began = time.perf_counter()
            try:
                return work()
            finally:
                took = time.perf_counter() - began
                self._mean += 0.1 * (took - self._mean)
                self._metrics.computed(waited=began - asked, computed=took)

        self._count(1)
        future = self._executor.submit(timed)
        # A thread cannot be stopped: its picture counts until it is done, whoever waits for it.
        future.add_done_callback(lambda _: self._count(-1))
        job = asyncio.wrap_future(future)
        try:
            futures: set[asyncio.Future[Any]] = {job, gone}
            await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if job.done():
                return job.result()
            if gone.done():
                raise ClientDisconnect
            raise Problem(
                "timeout",
                f"The answer was not ready after {seconds:g} s; ask again, or send a smaller "
                "picture.",
                headers={"Retry-After": "5"},
            )
        finally:
            future.cancel()  # if it is not begun
            job.cancel()

    def close(self) -> None:
        """End the threads when they have done what they have begun; further work gets new ones.

        This waits for them, except when draining: what was worth it was waited for by then.
        """
        self._executor.shutdown(wait=not self.draining, cancel_futures=True)
        self._executor = self._new_executor()

    def _new_executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.workers, thread_name_prefix="segment")
