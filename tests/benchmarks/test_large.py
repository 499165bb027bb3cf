"""`python -m benchmarks.large`: a trial of everything it does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.training

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="kills processes and asks for their memory")
def test_large__kills_goes_on_compares_and_trains(tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    words = ["--pictures", "320", "--size", "32", "32", "--grid", "32", "32", "--rounds", "1"]
    words += ["--few-epochs", "1", "--folder", str(tmp_path / "large"), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.large", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    assert "all over a tenth: " in done.stdout
    result = json.loads(output.read_text())
    filling = result["filling"]
    assert filling["killed_after"] == 106
    assert 106 <= filling["taken_as_they_are"] < 320
    assert filling["images_compared"] == 200
    assert filling["peak_mib"] > 10
    runs = [*result["few"], *result["all"]]
    assert [(run["images"], run["epochs"]) for run in runs] == [(100, 1), (320, 1)]
    assert all(run["images_per_second"] > 0 and run["peak_mib"] > 100 for run in runs)
    assert result["ratio"] > 0
    assert str(tmp_path) not in output.read_text()
