"""Pieces of the pages' tables: numbers as text, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from humanseg.results import Interval

RESULTS = Path(__file__).parent / "results"


def newest(kind: str, folder: Path = RESULTS) -> Path:
    """The newest result file of exactly this kind.

    A name is `DATE-KIND-MACHINE.json`, where MACHINE has three parts, such as `epyc-zen5-2cores`.
    The kind names the encoder too where there is one: `default-lite0` is neither
    `folds-default-lite0` nor `default`.

    Raises:
        SystemExit: no such file, or several of the newest date: which one a table shows must not
            depend on how their machines are called.
    """
    name = re.compile(rf"(\d{{4}}-\d\d-\d\d)-{re.escape(kind)}-[^-]+-[^-]+-[^-]+\.json")
    dated = sorted(
        (match[1], path) for path in folder.iterdir() if (match := name.fullmatch(path.name))
    )
    if not dated:
        raise SystemExit(f"No result file of kind {kind} in {folder}.")
    newest_date = dated[-1][0]
    paths = [path for date, path in dated if date == newest_date]
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise SystemExit(f"Several result files of kind {kind} and one date: {names}; keep one.")
    return paths[0]


def link(path: Path) -> str:
    """The result file as a link from a page in a folder beside `benchmarks`, such as `docs`."""
    return f"[{path.name}](../benchmarks/results/{path.name})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose others are numbers."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "--:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def three(value: float | None) -> str:
    """A score with three decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share in per cent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def points(interval: Interval | None) -> str:
    """A difference in points with its interval."""
    if interval is None:
        return "–"
    text = f"{100 * interval.estimate:+.1f}"
    if interval.low is None or interval.high is None:
        return text
    return f"{text} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def interval(score: Interval | None) -> str:
    """A score with its interval, where it has one."""
    if score is None:
        return "–"
    if score.low is None or score.high is None:
        return three(score.estimate)
    return f"{three(score.estimate)} [{three(score.low)}, {three(score.high)}]"


def p_value(value: float | None) -> str:
    """A p-value with three decimals."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
