"""Where and with what something was made or measured, without importing torch."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from humanseg.results import Environment
from humanseg.system.cpu import processor
from humanseg.system.version import __version__

_PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "segmentation-models-pytorch",
    "timm",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "numpy",
    "pillow",
    "scipy",
    "fastapi",
    "uvicorn",
)


def describe_environment(*, device: str, threads: int | None) -> Environment:
    """Date, command, versions, commit and hardware."""
    return Environment(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        humanseg=__version__,
        commit=_commit(),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor().name,
        cores=os.cpu_count() or 1,
        threads=threads,
        device=device,
        versions=versions_of(_PACKAGES),
    )


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those of the packages that are installed."""
    versions = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _commit() -> str | None:
    """Commit of the source tree that this package runs from, None outside a checkout."""
    package = Path(__file__).parent

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
