"""Describe the machine of a measurement, without importing torch."""

from __future__ import annotations

import os

from humanseg.benchmark.speed_record import Machine
from humanseg.system.cpu import processor, usable_cores

_FEATURES = {
    "amx_bf16", "amx_int8", "amx_tile", "asimd", "asimddp", "avx", "avx2", "avx512_bf16",
    "avx512_fp16", "avx512_vnni", "avx512f", "avx_vnni", "bf16", "fma", "i8mm", "sve", "sve2",
}  # fmt: skip
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "KMP_BLOCKTIME",
)


def load() -> float | None:
    """Processes that wanted to run, mean of the last minute; None where unknown."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # Windows has no such function
        return None


def describe_machine(load_before: float | None) -> Machine:
    """What the environment leaves out; call it when all is measured."""
    return Machine(
        usable_cores=usable_cores(),
        memory=_memory(),
        features=tuple(sorted(_FEATURES.intersection(processor().features or ()))),
        load_before=load_before,
        load_after=load(),
        thread_variables={
            name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ
        },
    )


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
