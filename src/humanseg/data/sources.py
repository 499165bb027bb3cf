"""Where pictures come from, and which show the same scene: from a table, else from the pictures.

A data set that was put together from several others looks like one, but a network that saw pictures
of a source knows its cameras, light and framing. Leaving a source out tests what is left then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

from humanseg.data.pairs import table_rows
from humanseg.system.errors import DataError, UsageError

SOURCE_SHARE = 0.1
"""A picture size that this share of a data set has is taken for a source of its own."""
OTHER = "other"
"""Source of pictures whose size is not shared by many."""

_SHOWN = 3

GroupTable = dict[str, dict[str, str]]
"""What a table says of pictures: by name of every column but `id`, its values by id. Ids whose cell
is empty are not in it."""


def read_group_table(path: Path, ids: Sequence[str]) -> GroupTable:
    """Read a CSV table with the column `id` and `group`, `source` or both, and any others.

    Pictures of a group are never divided between parts of a split. An empty cell says nothing.

    Raises:
        UsageError: no such file.
        DataError: not such a table, an id twice, or an id that the data set does not have.
    """
    rows = _rows(path)
    names = [row["id"] for row in rows]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    unknown = sorted(set(names) - set(ids))
    for wrong, problem in ((repeated, "listed twice"), (unknown, "not in the data set")):
        if wrong:
            raise DataError(
                f"{path}: {len(wrong)} ids are {problem} ({', '.join(wrong[:_SHOWN])}); "
                "each picture has one line at most, with its name as `humanseg data split` "
                "prints it."
            )
    table: GroupTable = {}
    for row in rows:
        for column, value in row.items():
            values = table.setdefault(column, {})
            if value:
                values[row["id"]] = value
    table.pop("id", None)
    lacking = sorted(set(ids) - table.get("source", {}).keys())
    if table.get("source") and lacking:
        raise DataError(
            f"{path}: names no source for {len(lacking)} pictures ({', '.join(lacking[:_SHOWN])}); "
            "name one for every picture or leave the column out."
        )
    return table


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        raise UsageError(f"{path}: does not exist; name a CSV table of groups.")
    rows = table_rows(
        path,
        lambda columns: "id" in columns and bool({"group", "source"} & columns),
        "column id and group, source or both",
    )
    # Ids are in Unicode's form NFC, whatever a table's editor writes. Cells beyond the first line
    # have no name.
    return [
        {name: normalize("NFC", (value or "").strip()) for name, value in row.items() if name}
        for _, row in rows
    ]


def sources_by_size(sizes: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """Guess sources from picture sizes: cameras and archives give one, the web gives many.

    A size, upright or not, that at least `SOURCE_SHARE` of all pictures have is a source, named
    like `640x480`; all other pictures are `other`.
    """
    names = {name: "x".join(map(str, sorted(size, reverse=True))) for name, size in sizes.items()}
    counts = Counter(names.values())
    needed = SOURCE_SHARE * len(sizes)
    return {name: size if counts[size] >= max(2, needed) else OTHER for name, size in names.items()}
