"""What a report concludes, on the terminal: the answer, every warning, the number of cautions."""

from __future__ import annotations

from collections.abc import Sequence

from humanseg.cli.terminal import numbered


def verdict(headline: str, warnings: Sequence[str], cautions: int) -> list[str]:
    """Lines below the scores: the answer, all warnings, and how many cautions the page has."""
    lines = ["", headline, *(f"Warning: {text}" for text in warnings)]
    if cautions:
        lines.append(f"{numbered(cautions, 'caution')} before you rely on this: see the report.")
    return lines
