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

from humanseg.serving.problem_details import Problem
from humanseg.serving.serve_metrics import ServeMetrics

T = TypeVar("T")


class Pool:
    """Runs one picture per thread.

    Attributes:
        images: pictures that wait or are computed.
        held: bytes of all requests that are read, wait or are computed.
        draining: whether nothing new is taken on.
    """

    def __init__(
        self, workers: int, *, queue: int, max_held_bytes: int, metrics: ServeMetrics
    ) -> None:
        """Start no thread yet.

        Args:
            workers: pictures at a time.
            queue: pictures that may wait.
            max_held_bytes: of all requests together.
            metrics: are told of times.
        """
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
    def holding(self, size: int) -> Iterator[None]:
        """Hold room for the bytes of a request, which are read from here on, in the block.

        Args:
            size: bytes of the request.

        Raises:
            Problem: there is no room for them or their pictures, or the server is being stopped.
        """
        if self.draining:
            raise Problem(
                "stopping",
                "The server is being stopped; ask another one.",
                headers={"Retry-After": "5"},
            )
        if self.held + size > self._max_held:
            raise self._busy(f"{self.held} bytes are under way; at most {self._max_held}")
        self._check_room(1)
        self.held += size
        try:
            yield
        finally:
            self.held -= size

    @contextmanager
    def admitted(self, images: int) -> Iterator[None]:
        """Hold room for pictures, which are there, in the block.

        Raises:
            Problem: there is no room.
        """
        self._check_room(images)
        self._admit(images)
        try:
            yield
        finally:
            self._admit(-images)

    def _check_room(self, images: int) -> None:
        if self.images + images > self._limit:
            raise self._busy(f"{self.images} pictures are under way; at most {self._limit}")

    def _busy(self, why: str) -> Problem:
        seconds = max(1, math.ceil(self.images * self._mean / self.workers))
        return Problem(
            "busy",
            f"{why} are taken on. Ask again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )

    def _admit(self, images: int) -> None:
        with self._lock:  # threads that nobody waits for end on their own
            self.images += images

    async def run(self, work: Callable[[], T], *, gone: asyncio.Future[None], seconds: float) -> T:
        """Do work in a thread; work that nobody waits for any more is not begun.

        Args:
            work: called in a thread.
            gone: is done when the client has gone.
            seconds: that it may wait and take.

        Raises:
            Problem: the time is over.
            ClientDisconnect: the client has gone.
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

        future = self._executor.submit(timed)
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
            if not future.cancel() and future.running():
                # A thread cannot be stopped: its picture counts until it is done.
                self._admit(1)
                future.add_done_callback(lambda _: self._admit(-1))
            job.cancel()

    def close(self) -> None:
        """End the threads when they have done what they have begun; further work gets new ones."""
        self._executor.shutdown(cancel_futures=True)
        self._executor = self._new_executor()

    def _new_executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.workers, thread_name_prefix="segment")
