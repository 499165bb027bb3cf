"""That every planted change can be planted, and that a run of tests is read right."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.mutants import MUTANTS, ROOT, Mutant, planted


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.change)
def test_mutant__fits_the_code_as_it_is(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    file, _, test = mutant.tests.partition("::")
    assert f"def {test}" in (ROOT / file).read_text()


@pytest.mark.parametrize(("new", "caught"), [("3", True), ("1 + 1", False)])
@pytest.mark.command
def test_planted__says_whether_the_tests_noticed(tmp_path: Path, new: str, caught: bool) -> None:
    (tmp_path / "src").mkdir()
    module, test = tmp_path / "src" / "planted_module.py", tmp_path / "test_it.py"
    module.write_text("VALUE = 2\n")
    test.write_text("import planted_module\n\ndef test_v(): assert planted_module.VALUE == 2\n")
    row = planted(tmp_path, Mutant("x", "src/planted_module.py", "2", new, "test_it.py"))
    assert row["caught"] is caught
    assert ("test_it.py::test_v" in str(row["failure"])) is caught
    assert module.read_text() == "VALUE = 2\n"
