"""How long work reports its progress: to a function that the caller passes in, never to a stream.

`humanseg.cli.terminal.shown` draws it. From Python any function will do:

    def show(done, total, **_):
        print(f"{done} of {total}")
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol


class Progress(Protocol):
    """Called again and again while work goes on, always on the thread that does the work."""

    def __call__(
        self,
        done: int,
        total: int | None,
        *,
        stage: str = "",
        detail: str = "",
        milestone: bool = False,
    ) -> None:
        """Report how far the work is.

        Args:
            done: items done so far, from 0.
            total: all items; None while their number is not known.
            stage: what is being done, for work of several parts; counting begins anew with each.
            detail: figures of the moment, such as a loss.
            milestone: whether these figures are worth a line in a log, such as those of an epoch.
        """
        ...


ItemProgress = Callable[[int, int], None]
"""Called with (items done, all items), on the thread that does the work; a `Progress` will do."""


def of_stage(progress: Progress | None, stage: str) -> Progress | None:
    """Progress of one part of the work, whose own calls name no stage; None stays None."""
    return None if progress is None else partial(progress, stage=stage)
