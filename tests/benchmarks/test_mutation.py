"""That what tests say of a planted change is told, and that places are drawn and found again."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from benchmarks.mutation import GROUPS, ROOT, Group, answering, ask, changed, sample
from benchmarks.tables import newest

IT = Group((), ("test_it.py",), libraries=("pytest_socket",))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    path = tmp_path / "src" / "two_lines.py"
    path.write_text("VALUE = 2\n")
    test = "import two_lines\n\ndef test_v(): assert two_lines.VALUE == 2\n"
    (tmp_path / "test_it.py").write_text(test)
    return path


def test_answering__says_what_tests_say_of_each_change(tmp_path: Path, module: Path) -> None:
    """Also of changes of the same length within one second, which a .pyc would not notice."""
    alarm = "import os, signal\nos.kill(os.getpid(), signal.SIGALRM)\n"
    with answering(tmp_path, IT, [module]) as address:
        for text, answer in (
            ("VALUE = 3\n", "failed"),
            ("VALUE = 2\n", "survived"),
            ("VALUE = \n", "not importable"),
            (alarm, "hung"),
            (alarm.replace("ALRM", "KILL"), "crashed"),
            ("VALUE = 2\n", "survived"),
        ):
            module.write_text(text)
            os.utime(module, (10**9, 10**9))
            assert ask(address) == answer
    assert not list((tmp_path / "src").rglob("*.pyc"))
    assert list(tmp_path.rglob("test_it*.pyc"))  # tests do not change


def test_answering__refuses_tests_that_fail_without_a_change(tmp_path: Path, module: Path) -> None:
    module.write_text("VALUE = 3\n")
    with (
        pytest.raises(SystemExit, match=r"^test_it\.py: fail without any change\.$"),
        answering(tmp_path, IT, [module]),
    ):
        pass


def test_answering__refuses_tests_of_another_module(tmp_path: Path, module: Path) -> None:
    other = module.with_name("other.py")
    other.write_text("")
    with (
        pytest.raises(SystemExit, match=r"fail without any change"),
        answering(tmp_path, IT, [module, other]),
    ):
        pass


def test_changed__at_the_nearest_lines_that_are_alike() -> None:
    text = "a = 1\nif a:\n    b = 1\nelse:\n    b = 1\n"
    row = {"file": "x.py", "line": 5, "change": ["-    b = 1", "+    b = 2"]}
    assert changed(text, row) == "a = 1\nif a:\n    b = 1\nelse:\n    b = 2\n"
    assert changed(text, row | {"line": 2}) == "a = 1\nif a:\n    b = 2\nelse:\n    b = 1\n"
    gone = row | {"change": ["-@cache"]}
    assert changed("@cache\ndef f(): ...\n", gone) == "def f(): ...\n"
    with pytest.raises(SystemExit, match="are not there any more"):
        changed("a = 1\n", row)


def test_sample__is_of_places_that_something_evaluates(tmp_path: Path) -> None:
    """`|` in the annotation is none; the two changes of one number are one place."""
    module = tmp_path / "m.py"
    module.write_text("def f(a: int | None) -> int | None:\n    return a + 1\n")
    session = tmp_path / "session.sqlite"
    with sqlite3.connect(session) as database:
        database.execute("CREATE TABLE work_items (job_id)")
        database.execute(
            "CREATE TABLE mutation_specs (job_id, module_path, start_pos_row, start_pos_col, "
            "operator_name, operator_args, occurrence)"
        )
        for job, (row, column) in enumerate([(1, 13), (1, 28), (2, 13), (2, 15), (2, 15)]):
            job_id = f"job{job}"
            database.execute("INSERT INTO work_items VALUES (?)", [job_id])
            values = (job_id, str(module), row, column, f"o{job}", "{}", 0)
            database.execute(f"INSERT INTO mutation_specs VALUES ({','.join('?' * 7)})", values)
    database.close()
    assert sample(session, 9, np.random.default_rng(0)) == 2
    with sqlite3.connect(session) as database:
        left = [job for (job,) in database.execute("SELECT job_id FROM mutation_specs ORDER BY 1")]
        items = [job for (job,) in database.execute("SELECT job_id FROM work_items ORDER BY 1")]
    database.close()
    assert left == items
    assert left in (["job2", "job3"], ["job2", "job4"])


@pytest.mark.parametrize("name", GROUPS)
def test_groups__are_of_files_that_there_are(name: str) -> None:
    assert GROUPS[name].files(ROOT)
    for test in GROUPS[name].tests:
        file, _, function = test.partition("::")
        assert (ROOT / file).exists()
        assert not function or f"def {function}(" in (ROOT / file).read_text()


TABLE = """
geometry | 137 | 40 | 34 | 0 | 6
metrics | 157 | 40 | 35 | 1 | 4
statistics | 307 | 24 | 24 | 0 | 0
outlines | 387 | 24 | 24 | 0 | 0
label-guards | 207 | 24 | 22 | 2 | 0
formats | 450 | 20 | 18 | 2 | 0
guards | 128 | 20 | 13 | 1 | 6
"""
"""Read off the file by hand: places, changed, noticed, of the survivors noticed since, and left."""


def _section(name: str) -> list[list[str]]:
    text = (ROOT / "docs" / "mutation.md").read_text(encoding="utf-8")
    inner = text.partition(f"<!-- {name}: begin -->")[2].partition(f"<!-- {name}: end -->")[0]
    rows = [line for line in inner.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def test_docs__have_the_figures_of_the_file() -> None:
    typed = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
    assert _section("mutation") == typed
    groups = json.loads(newest("mutation").read_bytes())
    assert [row[0] for row in typed] == list(groups)
    for row, group in zip(typed, groups.values(), strict=True):
        left = sum(change.get("again", "survived") == "survived" for change in group["survivors"])
        counts = group["counts"]
        noticed = sum(counts.values()) - counts.get("survived", 0)
        since = len(group["survivors"]) - left
        assert [int(cell) for cell in row[1:]] == [
            *(group["places"], sum(counts.values()), noticed, since, left)
        ]


def test_docs__say_of_every_change_that_is_left_why() -> None:
    rows = _section("left")
    assert all(len(row) == 3 and row[2].endswith(".") for row in rows)
    groups = json.loads(newest("mutation").read_bytes())
    left = [
        Path(change["file"]).name
        for group in groups.values()
        for change in group["survivors"]
        if change.get("again", "survived") == "survived"
    ]
    assert sorted(Path(row[0].strip("`")).name for row in rows) == sorted(left)
