"""Resident memory of another process over time, as Linux tells it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.large_record import Memory

EVERY = 0.2
"""Seconds between two looks."""


@dataclass
class Watch:
    """Resident memory of a process over time."""

    pid: int
    seen: list[tuple[float, float]] = field(default_factory=list)
    """(time.monotonic(), MiB)."""
    wall: float = 0.0

    def look_until_it_ends(self) -> None:
        """Look every 0.2 s."""
        while (now := resident(self.pid)) is not None:
            self.seen.append((time.monotonic(), now))
            time.sleep(EVERY)

    def during(self, begin: float, end: float) -> Memory:
        """Between two moments; a stretch too short for any look counts as its last one before."""
        peak = max((mib for _, mib in self.seen), default=0.0)
        within = [mib for moment, mib in self.seen if begin <= moment <= end]
        within = within or [mib for moment, mib in self.seen if moment <= end][-1:] or [0.0]
        third = max(1, len(within) // 3)
        first, last = statistics.mean(within[:third]), statistics.mean(within[-third:])
        minutes = max(end - begin, EVERY) * 2 / 3 / 60
        return Memory(
            peak_mib=round(peak, 1),
            first_third_mib=round(first, 1),
            last_third_mib=round(last, 1),
            growth_mib_per_minute=round((last - first) / minutes, 2),
            measurements=len(within),
        )


def resident(pid: int) -> float | None:
    """MiB of memory that a process has now; None if there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    words = [line.split() for line in lines if line.startswith("VmRSS:")]
    return int(words[0][1]) / 1024 if words else None
