"""Run `humanseg train` in a process of its own, and read what the run left."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from benchmarks.training.record import Epoch
from benchmarks.training.task import Task, failure, run_process

from humanseg.config.loading import resolve
from humanseg.config.schema import TrainConfig
from humanseg.results import Resolved, RunResult, read_record, write_text
from humanseg.training.module import early_epochs

PROGRAM = (sys.executable, "-m", "humanseg")
RETURNING_MEMORY = (sys.executable, "-P", str(Path(__file__).with_name("returning_memory.py")))

Settings = dict[str, Any]


@dataclass(frozen=True)
class OurEnd:
    """What one run of `humanseg train` gave."""

    seconds: float
    epochs: tuple[Epoch, ...]
    resolved: Resolved
    config: TrainConfig
    result: RunResult | None
    refusal: str | None

    @property
    def early_epochs(self) -> int:
        """Epochs at a smaller size."""
        return early_epochs(self.config.training)


def settings_of(task: Task, further: Mapping[str, str]) -> Settings:
    """The settings of `task` for the preset `default`, and `further` ones, which win.

    Args:
        task: what both loops do.
        further: values, as YAML, by dotted key.
    """
    settings: Settings = {
        "data": {"root": str(task.data), "mask_resize": "nearest"},
        "split": {"protocol": task.split.protocol},
        "model": {
            "arch": task.arch,
            "encoder_name": task.encoder,
            "encoder_weights": task.weights,
            "image_size": list(task.size),
        },
        "training": {
            "epochs": task.epochs,
            "batch_size": task.batch,
            "device": task.device,
            "seed": task.seed,
        },
    }
    for key, value in further.items():
        section, _, name = key.partition(".")
        settings.setdefault(section, {})[name] = yaml.safe_load(value)
    return settings


def configuration(settings: Settings) -> TrainConfig:
    """What `humanseg train` makes of the settings.

    Raises:
        ConfigError: they are not valid.
    """
    return resolve(TrainConfig, preset="default", overrides=settings)


class EpochWatch:
    """Notes when each row of a run's metrics.csv appears."""

    def __init__(self, file: Path) -> None:
        """Watch `file`, which need not exist yet and is only ever replaced as a whole."""
        self._file = file
        self.stamps: list[float] = []

    def look(self, seconds: float) -> None:
        """Give every row that has come since the last look the time `seconds`."""
        missing = len(self.rows()) - len(self.stamps)
        self.stamps.extend([seconds] * missing)

    def rows(self) -> list[dict[str, str]]:
        """What the file holds, none without one."""
        if not self._file.exists():
            return []
        return list(csv.DictReader(io.StringIO(self._file.read_text(encoding="utf-8"))))


def read_epochs(rows: Sequence[Mapping[str, str]], stamps: Sequence[float]) -> tuple[Epoch, ...]:
    """Epochs from the rows of a metrics.csv and the seconds at which they appeared."""
    return tuple(
        Epoch(
            epoch=int(row["epoch"]),
            images=round(float(row["images_per_second"]) * float(row["seconds"])),
            train_seconds=float(row["seconds"]),
            train_loss=float(row["train_loss"]),
            validation_loss=float(row["validation_loss"]),
            validation_iou=float(row["validation_iou"]),
            seconds=stamp,
        )
        for row, stamp in zip(rows, stamps, strict=True)
    )


def run_ours(
    settings: Settings,
    folder: Path,
    *,
    program: Sequence[str] = PROGRAM,
) -> OurEnd:
    """Run the command to its end.

    Args:
        settings: by section and name.
        folder: for its files and its run folder.
        program: what starts humanseg.

    Raises:
        SystemExit: it failed before its last epoch was over.
    """
    file, run, log = folder / "settings.yaml", folder / "run", folder / "ours.log"
    config = configuration(settings)
    write_text(file, yaml.safe_dump(settings))
    watch = EpochWatch(run / "metrics.csv")
    command = [*program, "train", "--preset", "default", "--config", str(file), "--quiet"]
    code, seconds = run_process([*command, "-o", str(run)], log, look=watch.look)
    epochs = read_epochs(watch.rows(), watch.stamps)
    if code != 0 and len(epochs) < config.training.epochs:
        raise failure(f"humanseg train ({config.model.arch})", code, log)
    state = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return OurEnd(
        seconds=seconds,
        epochs=epochs,
        resolved=Resolved.model_validate(state["resolved"]),
        config=config,
        result=read_record(run / "result.json", RunResult) if code == 0 else None,
        refusal=None if code == 0 else log.read_text(encoding="utf-8").splitlines()[-1],
    )
