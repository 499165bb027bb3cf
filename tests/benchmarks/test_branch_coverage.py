"""That what no test reaches is counted: real coverage of a tiny package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.branch_coverage import Reached, count, coverage_table, raising_lines
from tests.builders.records import environment

MODULE = """\
def halve(number):
    if number % 2:
        raise ValueError(
            "odd"
        )
    if number < 0:
        raise ValueError("negative")
    return number // 2
"""


def test_count__of_a_module_of_which_one_error_is_reached(tmp_path: Path) -> None:
    """Six statements and four branches; nobody passes a negative even number."""
    package = tmp_path / "humanseg" / "rooms"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "halving.py").write_text(MODULE)
    use = "from humanseg.rooms.halving import halve\nhalve(2)\n"
    use += "try: halve(3)\nexcept ValueError: pass\n"
    (tmp_path / "use.py").write_text(use)
    cover = [sys.executable, "-m", "coverage"]
    options = ["--rcfile=/dev/null", "--branch", "--include=humanseg/*"]
    # The suite itself may be under coverage.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    for words in (["run", *options, "use.py"], ["json", "-q", "-o", "told.json"]):
        subprocess.run([*cover, *words], cwd=tmp_path, env=env, check=True)
    told = json.loads((tmp_path / "told.json").read_text())
    rooms, unreached = count(told["files"], tmp_path)
    assert rooms[-1] == Reached(
        room="rooms",
        statements=6,
        statements_reached=5,
        branches=4,
        branches_reached=3,
        raises=2,
        raises_reached=1,
    )
    assert unreached == ("rooms/halving.py:7",)


def test_table__of_a_file_typed_by_hand(tmp_path: Path) -> None:
    counts = {"statements": 200, "branches": 40, "raises": 0}
    first = {f"{name}{end}": value for name, value in counts.items() for end in ("", "_reached")}
    second = first | {"statements_reached": 199, "branches_reached": 30, "raises": 4}
    rooms = [{"room": "a"} | first, {"room": "b"} | second | {"raises_reached": 3}]
    file = tmp_path / "2026-01-02-coverage-a-b-c.json"
    told = {"coverage": "7.1", "rooms": rooms, "unreached_raises": ["b/c.py:1"]}
    file.write_text(json.dumps(told | {"environment": environment().model_dump()}))
    assert coverage_table(file).splitlines()[2:5] == [
        "| a | 100.0 % of 200 | 100.0 % of 40 | 0 |",
        "| b | 99.5 % of 200 | 75.0 % of 40 | 75.0 % of 4 |",
        "| all | 99.8 % of 400 | 87.5 % of 80 | 75.0 % of 4 |",
    ]


def test_raising_lines() -> None:
    assert raising_lines(MODULE) == [3, 7]
