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


class _Pace:
    """Rate and time left of the stage that is under way."""

    def __init__(self, stage: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begin(stage, 0)

    def _begin(self, stage: str, done: int) -> None:
        self._stage, self._first, self._began = stage, done, self._clock()

    def follow(self, stage: str, done: int) -> bool:
        """Whether a stage is new; a resumed one does not begin at 0."""
        if stage == self._stage:
            return False
        self._begin(stage, done)
        return True

    def rate(self, done: int) -> float:
        """Items per second; 0 while that is not known."""
        seconds = self._clock() - self._began
        return (done - self._first) / seconds if seconds > 0 else 0.0

    def left(self, done: int, total: int | None) -> str:
        """Time that the rest will take; empty while that is not known."""
        rate = self.rate(done)
        return "" if total is None or not rate else f"{duration((total - done) / rate)} left"


class Log:
    """Writes lines to stderr: one a minute, and one for every milestone."""

    def __init__(
        self, stage: str, unit: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to take the time; `clock` gives seconds since any moment."""
        self._stage, self._unit = stage, unit
        self._clock = clock
        self._pace = _Pace(stage, clock)
        self._last_line = clock()

    def __call__(
        self,
        done: int,
        total: int | None,
        *,
        stage: str = "",
        detail: str = "",
        milestone: bool = False,
    ) -> None:
        """See `humanseg.system.progress.Progress`."""
        stage = stage or self._stage
        self._pace.follow(stage, done)
        now = self._clock()
        if not milestone and now - self._last_line < _EVERY:
            return
        self._last_line = now
        of = "" if total is None else f" of {total}"
        unit = f" {self._unit}" if self._unit else ""
        count = f"{done}{of}{unit}, {self._pace.rate(done):.1f} per second"
        parts = [detail or count, self._pace.left(done, total)]
        note(f"humanseg: {stage}: {', '.join(part for part in parts if part)}")


class Bars:
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

        self._stage, self._unit = stage, unit
        self._pace = _Pace(stage, time.monotonic)
        self._task: TaskID | None = None
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

    def __call__(
        self,
        done: int,
        total: int | None,
        *,
        stage: str = "",
        detail: str = "",
        milestone: bool = False,
    ) -> None:
        """See `humanseg.system.progress.Progress`."""
        stage = stage or self._stage
        if self._pace.follow(stage, done) or self._task is None:
            self._task = self._bars.add_task(stage, total=total, figures="")
        rate = f"{self._pace.rate(done):.1f} {self._unit}/s" if self._unit else ""
        self._bars.update(self._task, completed=done, total=total, figures=detail or rate)
        now = time.monotonic()
        if now - self._drawn_at >= _REFRESH or done == total:
            self._drawn_at = now
            self._bars.refresh()
