"""Pieces of the README's tables: numbers as text, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from humanseg.results import Interval

RESULTS = Path(__file__).parent / "results"


def newest(kind: str) -> Path:
    """The newest result file of a kind; names begin with their date."""
    found = sorted(RESULTS.glob(f"*-{kind}-*.json"))
    if not found:
        raise SystemExit(f"No result file for {kind} in {RESULTS}.")
    return found[-1]


def link(path: Path) -> str:
    """The file as a link from the README."""
    return f"[{path.name}](benchmarks/results/{path.name})"


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


def interval(found: Interval | None) -> str:
    """A score with its interval, where it has one."""
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return three(found.estimate)
    return f"{three(found.estimate)} [{three(found.low)}, {three(found.high)}]"


def p_value(value: float | None) -> str:
    """A p-value with three decimals."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
