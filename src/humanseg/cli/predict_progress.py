"""How far `humanseg predict` is: a bar on a terminal, and in a log a line every minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from humanseg.cli.bars import bar
from humanseg.cli.terminal import duration, note

_EVERY = 60.0
"""Seconds between two lines."""


@contextmanager
def watched(name: str, *, total: int, unit: str, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how much is done while the block runs, how fast, and how long the rest will take.

    Args:
        name: what is being done.
        total: how much there is.
        unit: what is counted.
        quiet: show nothing.

    Yields:
        a function of how much is done.
    """
    if quiet or sys.stderr.isatty():
        with bar(name, total=total, unit=unit, quiet=quiet) as show:
            yield lambda done: show(done, None)
    else:
        yield Log(total=total, unit=unit).show


class Log:
    """Writes to stderr once a minute; work that takes less is not talked about."""

    def __init__(
        self, *, total: int, unit: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to take the time.

        Args:
            total: how much there is.
            unit: what is counted.
            clock: seconds since any moment.
        """
        self._total = total
        self._unit = unit
        self._clock = clock
        self._began = self._told = clock()

    def show(self, done: int) -> None:
        """Write a line if the last one is a minute old."""
        now = self._clock()
        if now - self._told < _EVERY:
            return
        self._told = now
        rate = done / (now - self._began)
        left = duration((self._total - done) / rate) if done else "?"
        note(f"humanseg: {done} of {self._total} {self._unit}, {rate:.1f} per second, {left} left.")
