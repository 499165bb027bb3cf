"""How much memory this process may still take, and how much it took at most."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_MEMINFO = Path("/proc/meminfo")
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Forget earlier peaks of this process, where the system allows it (Linux)."""
    with contextlib.suppress(OSError):
        _RESET.write_text("5")


def peak_memory() -> int | None:
    """Bytes of this process that were resident at most since the reset; None on Windows.

    Where the system keeps no peak that can be reset, that of the whole process.
    """
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def available_memory() -> int | None:
    """Bytes: what Linux says is available, or what the tightest container limit leaves of it.

    A file's pages that the kernel keeps in memory count as available: it drops them when need be.
    None where the system does not say, such as on macOS and Windows.
    """
    try:
        lines = _MEMINFO.read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        machine = int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return None
    return max(0, min([machine, *_left_in_groups()]))


def _left_in_groups() -> Iterator[int]:
    """What each control group that this process is in leaves, where it has a limit."""
    try:
        entries = [line.split(":", 2) for line in _OWN_GROUPS.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in entries:
        if not controllers:  # version 2: one tree for all controllers
            yield from _left_above(_GROUPS, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left_above(_GROUPS / "memory", path, *names)


def _left_above(root: Path, path: str, limit: str, usage: str, cached: str) -> Iterator[int]:
    """The same for a group and all that it lies in, up to `root`."""
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        with contextlib.suppress(OSError, ValueError, KeyError):  # no such group here, or "max"
            lines = (folder / "memory.stat").read_text().splitlines()
            cache = dict(line.split() for line in lines)[cached]
            used = int((folder / usage).read_text()) - int(cache)
            yield int((folder / limit).read_text()) - used
        if folder == root:
            return
