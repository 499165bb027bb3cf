"""Tables as data: HTML and Markdown are drawn from the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from humanseg.report.study import Network

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

    cells: Sequence[str]
    kind: RowKind = "plain"
    slot: int = 0
    """Number of the network's colour for the first cell; 0 for none."""
    anchor: str = ""
    """Name of the place on the page that the first cell leads to."""
    values: Sequence[Value] = ()
    """What each cell sorts by; empty where the table is not sorted."""


@dataclass(frozen=True)
class Table:
    """Headings and rows; the first column names each row. Without rows it is left out."""

    kind: ClassVar[str] = "table"
    name: str
    """Unique on the page."""
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Heading groups with the number of columns each spans; empty without any group."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans if any(label for label, _ in spans) else []


NETWORK = Column("Network", numeric=False)


def words(*labels: str) -> list[Column]:
    """Columns of text."""
    return [Column(label, numeric=False) for label in labels]


def numbers(*labels: str, group: str = "") -> list[Column]:
    """Columns of numbers under one heading."""
    return [Column(label, group) for label in labels]


def network_row(network: Network, *cells: str) -> Row:
    """A row that a network's marker and label begin."""
    return Row((network.label, *cells), slot=network.slot)
