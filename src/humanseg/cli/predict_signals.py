"""Ctrl-C and SIGTERM: what is begun is finished or cleaned away, and the exit code says which."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from humanseg.errors import Interrupted


class Terminated(Interrupted):
    """SIGTERM ended the work. Exit code 143, as shells expect."""

    exit_code = 143


class _Terminate(KeyboardInterrupt):
    """SIGTERM as Python knows Ctrl-C: no decoder takes it for damage to its file."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that no temporary file is left.

    Raises:
        Terminated: SIGTERM came.
    """

    def on_terminate(*_: object) -> None:
        raise _Terminate

    before = signal.signal(signal.SIGTERM, on_terminate)
    try:
        yield
    except _Terminate as error:
        raise Terminated("stopped.") from error
    finally:
        signal.signal(signal.SIGTERM, before)


class Stop(threading.Event):
    """Set by the first Ctrl-C or SIGTERM; the second one ends at once."""

    def __init__(self) -> None:
        super().__init__()
        self._terminated = False

    def error(self, text: str) -> Interrupted:
        """What to raise for work that is left, by what stopped it."""
        return Terminated(text) if self._terminated else Interrupted(text)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Set the event on these signals while the block runs."""

        def on_signal(number: int, _: object) -> None:
            terminated = number == signal.SIGTERM
            if self.is_set():
                raise _Terminate if terminated else KeyboardInterrupt
            self._terminated = terminated
            self.set()

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
