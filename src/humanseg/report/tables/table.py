"""Tables as data: HTML and Markdown are drawn from the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

RowKind = Literal["plain", "spread", "baseline", "bound", "changed", "problem"]
Value = float | str | None


@dataclass(frozen=True)
class Column:
    """A column; neighbours with the same group share a heading."""

    label: str
    group: str = ""
    numeric: bool = True
    aside: bool = False
    """Set apart from its neighbours, because it must not be compared with them."""
    wide: bool = False
    """Holds sentences, which may wrap."""


@dataclass(frozen=True)
class Row:
    """Cells as text."""

    cells: tuple[str, ...]
    kind: RowKind = "plain"
    slot: int = 0
    """Number of the network's colour for the first cell; 0 for none."""
    anchor: str = ""
    """Name of the place on the page that the first cell leads to."""
    values: tuple[Value, ...] = ()
    """What each cell sorts by; empty where the table is not sorted."""


@dataclass(frozen=True)
class Table:
    """Headings and rows; the first column names each row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """Heading groups with the number of columns each spans; empty without any group."""
        if not any(column.group for column in self.columns):
            return ()
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return tuple(spans)


NETWORK = Column("Network", numeric=False)


def words(*labels: str) -> list[Column]:
    """Columns of text."""
    return [Column(label, numeric=False) for label in labels]


def numbers(*labels: str, group: str = "") -> list[Column]:
    """Columns of numbers under one heading."""
    return [Column(label, group) for label in labels]


def table_of(caption: str, columns: Iterable[Column], rows: Iterable[Row]) -> Table | None:
    """A table; None without a row."""
    table = Table(caption, tuple(columns), tuple(rows))
    return table if table.rows else None
