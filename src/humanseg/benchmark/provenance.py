"""Describe the machine, the software and the model of a measurement, without importing torch."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import humanseg
from humanseg.benchmark.records import Machine
from humanseg.inference.processor import processor, usable_cores
from humanseg.results import Environment

_PACKAGES = ("numpy", "pillow", "onnxruntime", "onnxruntime-gpu", "openvino", "torch", "scipy")
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
_WEIGHT_SUFFIXES = (".onnx", ".safetensors")


def load() -> float | None:
    """Processes that wanted to run, mean of the last minute; None where unknown."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # Windows has no such function
        return None


def describe_environment(*, device: str, threads: int | None) -> Environment:
    """Date, command, versions, commit and hardware.

    Args:
        device: what the networks ran on.
        threads: largest number of threads of one network.
    """
    return Environment(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        humanseg=humanseg.__version__,
        commit=_commit(),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor().name,
        cores=os.cpu_count() or 1,
        threads=threads,
        device=device,
        versions=_versions(),
    )


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


def describe_model(directory: Path) -> dict[str, str]:
    """SHA-256 by name of the files with weights in a model directory."""
    digests = {}
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.suffix in _WEIGHT_SUFFIXES:
            with path.open("rb") as stream:
                digests[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """Commit of the source tree that this package runs from, None outside a checkout."""
    package = Path(humanseg.__file__).parent

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(package), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if git("ls-files", "--error-unmatch", str(package / "__init__.py")) is None:
        return None  # installed beside some other project's checkout
    commit = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", str(package))
    return f"{commit}-dirty" if commit and changed else commit


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
