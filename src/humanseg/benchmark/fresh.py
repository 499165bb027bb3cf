"""Run the probe in a fresh process and take its answer apart."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from humanseg.benchmark.speed_record import Configuration
from humanseg.results import Record

LONGEST = 1800
"""Seconds after which a process is given up."""

_PROBE = Path(__file__).with_name("probe.py")


class ProbeRequest(Record):
    """What a fresh process is to measure."""

    model: str
    """Model directory."""
    way: Configuration
    """How to run the network, as `Segmenter` takes it: each may be `auto`."""
    pictures: tuple[str, ...]
    """Files that are timed."""
    usual: int
    """Index of the file for the first mask and for throughput."""
    calls: int
    warm_up: int
    workers: int = 0
    """For throughput: threads that each work on a picture of their own; 0 for latency."""


class ProbeAnswer(Record):
    """What it measured, in seconds, bytes and pictures per second."""

    opened: Configuration
    image_size: tuple[int, int]
    """Height and width of the network's grid."""
    flip_averaging: bool
    """Whether a mask takes two runs of the network; the model's own setting."""
    imported: float = 0.0
    loaded: float = 0.0
    first: float = 0.0
    total: float = 0.0
    network: tuple[float, ...] = ()
    pictures: tuple[tuple[float, ...], ...] = ()
    rate: float = 0.0
    memory: int | None


Probe = Callable[[ProbeRequest], ProbeAnswer | str]
"""Measures, or says in a sentence why it cannot."""


def run_probe(request: ProbeRequest) -> ProbeAnswer | str:
    """Measure in a fresh process; a sentence where that is not possible."""
    content = request.model_dump() | {"started": time.monotonic()}
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_PROBE)],  # -P: its folder's names hide no other modules
            input=json.dumps(content),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"gave no answer within {LONGEST} seconds."
    return _read(done)


def _read(done: subprocess.CompletedProcess[str]) -> ProbeAnswer | str:
    try:
        answer = json.loads(done.stdout)
        if "unavailable" in answer:
            return str(answer["unavailable"])
        return ProbeAnswer.model_validate(answer)
    except (ValueError, TypeError):  # no JSON, or no answer
        errors = done.stderr.strip().splitlines()
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
        return f"its process ended with {how}{f': {errors[-1].strip()}' if errors else ''}"
