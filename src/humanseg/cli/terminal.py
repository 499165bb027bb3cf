"""Plain text for people: results to stdout, everything else to stderr."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from humanseg.system.progress import Progress

_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
"""Ends of lines, and what else a terminal takes for more than a sign."""


def say(*lines: str) -> None:
    """Write results to stdout, at once, so that a full disk shows here."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def note(*lines: str) -> None:
    """Write remarks that are no result to stderr, a line each, whatever names of files hold."""
    sys.stderr.writelines(f"{_BREAKS.sub(_escaped, line)}\n" for line in lines)


def _escaped(sign: re.Match[str]) -> str:
    return repr(sign[0])[1:-1]


def complain(*lines: str) -> None:
    """Write errors to stderr, each line under the program's name."""
    note(*(f"humanseg: {line}" for line in lines))


class _Notes(logging.Handler):
    """What the package has to remark, each once, on stderr; from the first process alone."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._said and not is_secondary_process():
            self._said.add(text)
            note(f"humanseg: note: {text}")


@contextmanager
def notes_shown() -> Iterator[None]:
    """Show remarks of the package, which goes on all the same, while the block runs."""
    logger, handler = logging.getLogger("humanseg"), _Notes()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def shown(stage: str, *, unit: str = "", quiet: bool = False) -> Iterator[Progress]:
    """Show the progress of the work in this block, named `stage` unless it says so itself.

    On a terminal a bar, one after the other for work of several stages. Elsewhere a line every
    minute and one for every milestone, so that short work is not talked about. Nothing from the
    further processes of torchrun. `unit` is what is counted, such as `images`, for the rate.
    """
    if quiet or is_secondary_process():
        yield _silent
    elif sys.stderr.isatty():
        from humanseg.cli.bars import Bars

        with Bars(stage, unit).drawn() as bars:
            yield bars
    else:
        from humanseg.cli.bars import Log

        yield Log(stage, unit)


def _silent(*_: object, **__: object) -> None:
    """Progress that nobody watches."""


def is_secondary_process() -> bool:
    """Whether torchrun started this process beside a first one, which speaks for all."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def score(value: float | None) -> str:
    """A score from 0 to 1 with four decimals; a dash where it is not defined."""
    return "-" if value is None else f"{value:.4f}"


def bracket(low: float | None, high: float | None) -> str:
    """An interval of scores; a dash where there is none."""
    return "-" if low is None or high is None else f"[{score(low)}, {score(high)}]"


def numbered(count: int, noun: str) -> str:
    """A count with its noun: `1 error`, `2 errors`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would use."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def verdict(headline: str, warnings: Sequence[str], cautions: int) -> list[str]:
    """What a report concludes: the answer, all warnings, and how many cautions the page has."""
    lines = ["", headline, *(f"Warning: {text}" for text in warnings)]
    if cautions:
        lines.append(f"{numbered(cautions, 'caution')} before you rely on this: see the report.")
    return lines
