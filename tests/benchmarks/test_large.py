"""`python -m benchmarks.large`: a trial of everything it does, and its figures of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="looks for memory in /proc"
)


def _run(folder: Path, output: Path) -> subprocess.CompletedProcess[str]:
    words = ["--pictures", "320", "--size", "32", "32", "--grid", "32", "32", "--rounds", "1"]
    words += ["--few-epochs", "1", "--folder", str(folder), "--output", str(output)]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.large", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_large__kills_goes_on_compares_and_trains(tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    done = _run(tmp_path / "large", output)
    assert done.returncode == 0, done.stderr
    assert "all over a tenth: " in done.stdout
    result = json.loads(output.read_text())
    assert result["drawing"]["drawn_now"] == 320
    restart = result["restart"]
    assert restart["killed_after"] == 300
    assert 0 < restart["kept"] == restart["taken_as_they_are"] <= 320
    assert restart["rows_compared"] == 200
    assert result["filling"]["pictures"] == 320 - restart["taken_as_they_are"]
    runs = [*result["few"], *result["all"]]
    assert [(run["pictures"], run["epochs"]) for run in runs] == [(100, 1), (320, 1)]
    assert all(run["images_per_second"] > 0 for run in runs)
    assert all(run["memory"]["peak_mib"] > 100 for run in runs)
    assert result["ratio"] > 0
    assert str(tmp_path) not in output.read_text()


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`benchmarks/large_watch.py`."""
    monkeypatch.syspath_prepend(ROOT)
    return import_module("benchmarks.large_watch")


class TestWatch:
    def test_steady_memory__does_not_grow(self, watching: ModuleType) -> None:
        memory = watching.Watch(0, [(t / 5, 100.0) for t in range(300)]).during(0, 60)
        assert (memory.peak_mib, memory.growth_mib_per_minute) == (100, 0)
        assert memory.measurements == 300

    def test_growing_memory__is_told_per_minute(self, watching: ModuleType) -> None:
        watch = watching.Watch(0, [(t / 5, 100.0 + t / 5) for t in range(600)])  # 1 MiB per second
        memory = watch.during(0, 120)
        assert memory.growth_mib_per_minute == pytest.approx(60, rel=0.01)
        assert (memory.first_third_mib, memory.last_third_mib) == pytest.approx((120, 200), abs=1)
        assert memory.peak_mib == pytest.approx(220, abs=1)

    def test_only_the_stretch_that_is_measured__counts(self, watching: ModuleType) -> None:
        watch = watching.Watch(0, [(1, 10.0), (2, 50.0), (3, 50.0), (4, 50.0), (5, 900.0)])
        memory = watch.during(2, 4)
        assert (memory.measurements, memory.first_third_mib, memory.peak_mib) == (3, 50, 900)

    def test_process__has_memory_while_it_lives(self, watching: ModuleType) -> None:
        program = "import time; print('up', flush=True); time.sleep(60)"
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            now = watching.resident(process.pid)
            process.kill()
        assert now is not None
        assert now > 1
        assert watching.resident(process.pid) is None
