"""How far work is, on stderr: a bar on a terminal, lines in a log; see `terminal.shown`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from humanseg.cli.terminal import duration, note

if TYPE_CHECKING:
    from rich.progress import TaskID

_EVERY = 60.0
"""Seconds between two lines of a log."""
_REFRESH = 0.1
"""Seconds between two drawings of a bar."""


class _Display:
    """Rate of the stage that is under way, and time left."""

    def __init__(self, stage: str, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to take the time; `clock` gives seconds since any moment."""
        self._usual_stage, self._unit, self._clock = stage, unit, clock
        self._stage, self._first, self._began = stage, 0, clock()

    def __call__(
        self,
        done: int,
        total: int | None,
        *,
        stage: str = "",
        detail: str = "",
        milestone: bool = False,
    ) -> None:
        stage = stage or self._usual_stage
        if stage != self._stage:  # a resumed one does not begin at 0
            self._stage, self._first, self._began = stage, done, self._clock()
        seconds = self._clock() - self._began
        rate = (done - self._first) / seconds if seconds > 0 else 0.0
        self._show(done, total, rate, detail, milestone=milestone)

    def _show(
        self, done: int, total: int | None, rate: float, detail: str, *, milestone: bool
    ) -> None:
        """Show how far the stage is; the rate, items per second, is 0 while it is not known."""
        raise NotImplementedError


class Log(_Display):
    """Writes lines to stderr: one a minute, and one for every milestone."""

    def __init__(
        self, stage: str, unit: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(stage, unit, clock)
        self._last_line = clock()

    def _show(
        self, done: int, total: int | None, rate: float, detail: str, *, milestone: bool
    ) -> None:
        now = self._clock()
        if not milestone and now - self._last_line < _EVERY:
            return
        self._last_line = now
        of = "" if total is None else f" of {total}"
        unit = f" {self._unit}" if self._unit else ""
        parts = [detail or f"{done}{of}{unit}, {rate:.1f} per second"]
        if total is not None and rate:
            parts.append(f"{duration((total - done) / rate)} left")
        note(f"humanseg: {self._stage}: {', '.join(parts)}")


class Bars(_Display):
    """Draws one bar per stage."""

    def __init__(self, stage: str, unit: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        super().__init__(stage, unit)
        self._task: tuple[str, TaskID] | None = None
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
            redirect_stdout=False,  # results go there, not onto the terminal
            auto_refresh=False,  # a thread that draws would disturb what is timed
        )
        self._drawn_at = float("-inf")

    @contextmanager
    def drawn(self) -> Iterator[Bars]:
        """Keep the terminal in order, however the block ends."""
        with self._bars:
            yield self

    def _show(
        self, done: int, total: int | None, rate: float, detail: str, *, milestone: bool
    ) -> None:
        if self._task is None or self._task[0] != self._stage:
            added = self._bars.add_task(self._stage, total=total, figures="")
            self._task = self._stage, added
        figures = detail or (f"{rate:.1f} {self._unit}/s" if self._unit else "")
        self._bars.update(self._task[1], completed=done, total=total, figures=figures)
        now = time.monotonic()
        if now - self._drawn_at >= _REFRESH or done == total:
            self._drawn_at = now
            self._bars.refresh()
