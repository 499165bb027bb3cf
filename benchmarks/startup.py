"""How long a start takes: `import humanseg`, `humanseg --help`, and the first mask.

.venv/bin/python benchmarks/startup.py --output benchmarks/results/NAME.json

Every figure is of new processes with warm file caches. `python` is an empty program, which the
others contain. Their limits: 0.2 s for the import, 0.4 s for the help.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from humanseg.results import Environment, Record, write_record

_COUNT = "; import sys; sys.stderr.write(str(len(sys.modules)))"
_MASK = (
    "import numpy as np; from humanseg import Segmenter; "
    "Segmenter(backend={!r}).mask(np.zeros((480, 640, 3), np.uint8))"
)
PROGRAMS = {
    "python": "pass",
    "import humanseg": "import humanseg",
    "humanseg --help": "from humanseg.cli import main; main(['--help'])",
    "humanseg predict --help": "from humanseg.cli import main; main(['predict', '--help'])",
    "from humanseg import Segmenter": "from humanseg import Segmenter",
    "first mask, onnxruntime": _MASK.format("onnxruntime"),
    "first mask, openvino": _MASK.format("openvino"),
}
LIMITS = {"import humanseg": 0.2, "humanseg --help": 0.4}
"""Seconds."""


class Row(Record):
    """One program."""

    program: str
    modules: int
    """Modules that are loaded at its end."""
    seconds: tuple[float, ...]
    """From start to end of the process, one per round."""
    median: float


class Result(Record):
    """The result file."""

    environment: Environment
    rows: tuple[Row, ...]


def _run(code: str) -> tuple[float, int]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code + _COUNT], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - began, int(done.stderr)


def measure(rounds: int) -> tuple[Row, ...]:
    """Run every program once unmeasured, then in rounds, so that drift meets all of them alike."""
    modules = {program: _run(code)[1] for program, code in PROGRAMS.items()}
    seconds: dict[str, list[float]] = {program: [] for program in PROGRAMS}
    for _ in range(rounds):
        for program, code in PROGRAMS.items():
            seconds[program].append(_run(code)[0])
    return tuple(
        Row(
            program=program,
            modules=modules[program],
            seconds=tuple(times),
            median=statistics.median(times),
        )
        for program, times in seconds.items()
    )


def too_slow(rows: Iterable[Row]) -> list[Row]:
    """Programs whose median is above their limit."""
    return [row for row in rows if row.median > LIMITS.get(row.program, float("inf"))]


def main() -> int:
    """Print the table; exit code 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    rows = measure(options.rounds)
    late = {row.program for row in too_slow(rows)}
    for row in rows:
        limit = LIMITS.get(row.program)
        broken = ", BROKEN" if row.program in late else ""
        suffix = "" if limit is None else f"  limit {limit:.1f} s{broken}"
        print(f"{row.program:31} {row.median:6.3f} s  {row.modules:4} modules{suffix}")
    if options.output:
        from humanseg.training import describe_environment

        write_record(options.output, Result(environment=describe_environment("cpu"), rows=rows))
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
