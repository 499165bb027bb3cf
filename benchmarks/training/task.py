"""What both loops are given, and how a loop is run."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.training.record import PlainBatchNorm

from humanseg.config.architectures import Arch, ModelConfig, model_settings
from humanseg.config.split_config import ReferenceSplit, SplitConfig

_PATIENCE = 0.05
"""Seconds between two looks at a running process."""
_SHOWN = 15
"""Last lines of a process that failed."""


def load_average() -> float:
    """Of this machine over the last minute."""
    return round(os.getloadavg()[0], 2)


@dataclass(frozen=True)
class Task:
    """One training, the same for both loops."""

    arch: Arch
    encoder: str
    weights: str
    data: Path
    """Absolute."""
    epochs: int
    size: tuple[int, int]
    """(height, width)."""
    batch: int
    device: str
    """`cpu` or `cuda`."""
    seed: int
    plain_batch_norm: PlainBatchNorm = "library"

    @property
    def model(self) -> ModelConfig:
        """The network of this task."""
        return model_settings(
            arch=self.arch,
            encoder_name=self.encoder,
            encoder_weights=self.weights,
            image_size=self.size,
        )

    @property
    def split(self) -> SplitConfig:
        """The published split."""
        return ReferenceSplit()


def run_process(
    command: Sequence[str],
    log: Path,
    *,
    output: Path | None = None,
    environment: Mapping[str, str] | None = None,
    look: Callable[[float], None] | None = None,
) -> tuple[int, float]:
    """Run a command to its end.

    Args:
        command: program and arguments.
        log: file for its errors, and for its output unless `output` names another.
        output: file for its output.
        environment: variables to set besides the present ones.
        look: called every 50 ms and once after the end with the seconds since the start.

    Returns:
        Exit code and seconds from start to end.
    """
    variables = {**os.environ, **(environment or {})}
    with log.open("wb") as errors, (output or Path(os.devnull)).open("wb") as results:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=results if output else errors, stderr=errors, env=variables
        )
        try:
            while True:
                try:
                    code = process.wait(_PATIENCE)
                    break
                except subprocess.TimeoutExpired:
                    if look:
                        look(time.monotonic() - began)
            seconds = time.monotonic() - began
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if look:
        look(seconds)
    return code, seconds


def failure(what: str, code: int, log: Path) -> SystemExit:
    """The end of this program where a process failed: its last lines and exit code 1."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
    return SystemExit("\n".join([f"{what} failed with exit code {code}. Its last lines:", *lines]))
