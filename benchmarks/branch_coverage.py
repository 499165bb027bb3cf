"""Which lines, branches and `raise` statements of the package no test reaches, room by room.

    make coverage  # runs the suite once and writes build/coverage/coverage.json
    .venv/bin/python -m benchmarks.branch_coverage build/coverage/coverage.json --output FILE

Commands that tests start are followed too. What a killed process had reached is lost, so code that
only runs in such processes counts as not reached.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.tables import link, table

from humanseg.results import Environment, Record, read_record, write_record
from humanseg.results.provenance import describe_environment

PACKAGE = "humanseg"


class Reached(Record):
    """Counts of one room, a folder or file at the top of the package."""

    room: str
    statements: int
    statements_reached: int
    branches: int
    """Ways that an `if`, a loop or a `match` can go on, two or more each."""
    branches_reached: int
    raises: int
    """`raise` statements: the errors that the code can end with."""
    raises_reached: int


FIELDS = tuple(name for name in Reached.model_fields if name != "room")


class Result(Record):
    """The result file."""

    environment: Environment
    coverage: str
    """Version of coverage.py."""
    rooms: tuple[Reached, ...]
    unreached_raises: tuple[str, ...]
    """`file:line` of each, within the package."""


def raising_lines(source: str) -> list[int]:
    """First lines of the `raise` statements of a module."""
    nodes = ast.walk(ast.parse(source))
    return sorted(node.lineno for node in nodes if isinstance(node, ast.Raise))


def count(files: dict[str, Any], root: Path) -> tuple[tuple[Reached, ...], tuple[str, ...]]:
    """Counts by room, and the `raise` statements that no test reaches.

    Args:
        files: what `coverage json` says of each file, by path relative to `root`.
        root: folder in which the files are.
    """
    rooms: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
    unreached = []
    for name, told in sorted(files.items()):
        parts = Path(name).parts
        inside = parts[parts.index(PACKAGE) + 1 :]
        summary, executed = told["summary"], set(told["executed_lines"])
        raising = raising_lines((root / name).read_text("utf-8"))
        missed = [line for line in raising if line in set(told["missing_lines"])]
        unreached += [f"{'/'.join(inside)}:{line}" for line in missed]
        counts = (
            summary["num_statements"],
            summary["covered_lines"],
            summary["num_branches"],
            summary["covered_branches"],
            len(raising),
            sum(line in executed for line in raising),
        )
        room = rooms[inside[0].removesuffix(".py")]
        room[:] = [before + more for before, more in zip(room, counts, strict=True)]
    return (
        tuple(
            Reached(room=room, **dict(zip(FIELDS, counts, strict=True)))
            for room, counts in sorted(rooms.items())
        ),
        tuple(unreached),
    )


def coverage_table(path: Path) -> str:
    """Counts by room as a table for a page beside `benchmarks`."""
    result = read_record(path, Result)
    counts = [(room.room, *(getattr(room, name) for name in FIELDS)) for room in result.rooms]
    whole = ("all", *map(sum, zip(*(row[1:] for row in counts), strict=True)))
    rows = [
        [str(name), *(_reached(*pair) for pair in zip(each[::2], each[1::2], strict=True))]
        for name, *each in (*counts, whole)
    ]
    header = ["", "statements reached", "branches reached", "`raise` reached"]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def _reached(there: int, reached: int) -> str:
    share = f"{100 * reached / there:.1f} % of " if there else ""
    return f"{share}{there:,}"


def main() -> None:
    """Write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("told", type=Path, help="file of `coverage json`")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    told = json.loads(arguments.told.read_text("utf-8"))
    rooms, unreached = count(told["files"], Path.cwd())
    result = Result(
        environment=describe_environment(device="cpu", threads=None),
        coverage=told["meta"]["version"],
        rooms=rooms,
        unreached_raises=unreached,
    )
    write_record(arguments.output, result)


if __name__ == "__main__":
    main()
