"""A bar on the terminal for work of known or unknown length. Silent when piped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def bar(
    name: str, *, total: int | None, unit: str, quiet: bool
) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on stderr while the block runs.

    Args:
        name: what is being done.
        total: how much there is, if that is known.
        unit: what is counted, for the rate.
        quiet: show nothing; nothing is shown either where stderr is no terminal.

    Yields:
        a function of (done, total) that moves the bar; a total of None leaves it as it is.
    """
    console = Console(stderr=True)
    began = time.perf_counter()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        redirect_stdout=False,  # results go there, not onto the terminal
        disable=quiet or not console.is_terminal,
    ) as progress:
        task = progress.add_task(name, total=total, rate="")

        def show(done: int, of: int | None = None) -> None:
            seconds = time.perf_counter() - began
            rate = f"{done / seconds:.1f} {unit}/s" if done and seconds else ""
            progress.update(task, completed=done, rate=rate)
            if of is not None:
                progress.update(task, total=of)

        yield show
