"""Peak memory of a stretch of work."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Forget earlier peaks, where the system allows it (Linux, CUDA)."""
    with contextlib.suppress(OSError):
        _RESET.write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> int:
    """Largest memory in use since the reset, in bytes.

    On a GPU its own memory; elsewhere the process's resident memory. Where the system keeps no
    resettable peak, the peak of the whole process.
    """
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated())
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
