"""What this machine's processor can do, and how much of it is ours."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_TOPOLOGY = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_VNNI = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


@dataclass(frozen=True)
class Processor:
    """A processor as Linux describes it; elsewhere its features are not known."""

    name: str
    machine: str
    """Architecture, such as `x86_64` or `arm64`."""
    features: frozenset[str] | None
    """Names as in /proc/cpuinfo; None where they cannot be read."""

    @property
    def is_arm(self) -> bool:
        """Whether it is a 64-bit ARM."""
        return self.machine.lower() in ("arm64", "aarch64")

    @property
    def is_x86(self) -> bool:
        """Whether it is an Intel or AMD processor, of 32 or 64 bits."""
        return self.machine.lower() in ("x86_64", "amd64", "i386", "i686", "x86")

    @property
    def exact_int8(self) -> bool:
        """Whether int8 networks neither saturate nor slow down.

        x86 processors without VNNI add pairs of int8 products in 16 bits, which overflow
        (onnxruntime.ai, "Quantize ONNX models", on U8S8).
        """
        if self.is_arm:
            return True
        return bool(self.features and self.features & _VNNI)

    @property
    def bf16_in_tiles(self) -> bool:
        """Whether bf16 matrices are multiplied in tiles (AMX), at least as fast as int8 ones."""
        return bool(self.features and "amx_bf16" in self.features)


@cache
def processor() -> Processor:
    """The processor of this machine."""
    entries: dict[str, str] = {}
    with suppress(OSError):
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            entries.setdefault(key.strip(), value.strip())
    flags = entries.get("flags") or entries.get("Features")
    return Processor(
        name=entries.get("model name") or platform.processor() or platform.machine(),
        machine=platform.machine(),
        features=None if flags is None else frozenset(flags.split()),
    )


def usable_cores() -> int:
    """Physical cores that this process may use, by its affinity and its container's quota.

    Two threads on one core compute no faster than one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = {_siblings(number) for number in os.sched_getaffinity(0)}
    quota = _quota()
    return max(1, len(cores) if quota is None else min(len(cores), round(quota)))


def _siblings(number: int) -> str:
    """Name of the physical core behind a logical one."""
    try:
        return (_TOPOLOGY / f"cpu{number}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(number)


def _quota() -> float | None:
    """Cores' worth of time that the container may use; None without a limit."""
    try:
        used, period = _QUOTA.read_text().split()
        return None if used == "max" else int(used) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
