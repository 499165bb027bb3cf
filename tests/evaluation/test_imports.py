"""What runs without torch and Lightning, in a process where they cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.command

WITHOUT = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
from humanseg.cli import main
sys.argv = ["humanseg", *{words!r}]
main()
"""


def run(hidden: tuple[str, ...], *words: str | Path) -> str:
    """Run the command line where some packages are missing; what it prints."""
    script = WITHOUT.format(hidden=hidden, words=[str(word) for word in words])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def evaluated(brightness_model: Path, drawn: Path, tmp_path: Path) -> Path:
    """An evaluation that was made without torch and Lightning."""
    output = tmp_path / "scored"
    words = ("--data", drawn, "--backend", "onnxruntime", "-o", output)
    printed = run(("lightning", "torch"), "evaluate", brightness_model, *words)
    assert "Run by onnxruntime in fp32 on cpu, files read as for predict." in printed
    return output


def test_evaluate_and_report_side_by_side_need_neither(evaluated: Path, tmp_path: Path) -> None:
    again = evaluated.rename(tmp_path / "first")
    (tmp_path / "second").mkdir()
    for name in ("evaluation.json", "data.json"):
        (tmp_path / "second" / name).write_bytes((again / name).read_bytes())
    words = ("report", again, tmp_path / "second", "-o", tmp_path / "page")
    assert "report.html" in run(("lightning", "torch"), *words)
    assert (tmp_path / "page" / "report.html").is_file()


def test_analysis_and_statistics_load_no_torch() -> None:
    script = (
        "import sys, humanseg.evaluation.analysis, humanseg.evaluation.statistics, "
        "humanseg.evaluation.evaluate_model; "
        "assert not {'torch', 'lightning'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
