"""What the functions that carry out one run share."""

from __future__ import annotations

from dataclasses import dataclass

from humanseg.config.schema import TrainConfig
from humanseg.system.progress import Progress
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.distributed import Processes
from humanseg.training.preparation import RunData
from humanseg.training.run_folder import RunFolder


@dataclass(frozen=True)
class RunContext:
    """One run in this process."""

    config: TrainConfig
    folder: RunFolder
    data: RunData
    processes: Processes
    recorder: EpochRecorder
    progress: Progress | None
    """Told how far the run is; None where nobody watches, as in all processes but the first."""
