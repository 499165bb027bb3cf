"""What a run leaves on disk, and what it needs to go on.

config.yaml      the whole configuration
run.json         split, data fingerprint, chosen mode: fixed at the start
metrics.csv      one row per epoch
checkpoints/     last.ckpt after every epoch, best.ckpt with validation; for resuming only
model/           the model directory
predictions/     probability maps of the test pictures, see `humanseg.images.stored_maps`
result.json      `RunResult`; its presence says that the run is finished
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from pydantic import Field

from humanseg.config.loading import read_stored, to_yaml
from humanseg.config.schema import MOVABLE, TrainConfig
from humanseg.data.signatures import ImageBits
from humanseg.data.training_images import read_training_images, write_training_images
from humanseg.results import (
    Environment,
    Record,
    Resolved,
    RunResult,
    SplitRecord,
    read_record,
    write_record,
    write_text,
)
from humanseg.system.archives import is_whole_zip
from humanseg.system.atomic import is_leftover, remove_leftovers
from humanseg.system.errors import DataError, FolderBusy, UsageError
from humanseg.system.lock import held
from humanseg.training.preparation import RunData

_LOCK = ".lock"
"""Held by the process that trains; one that was killed leaves it, free."""


class RunState(Record):
    """run.json: what must be the same when a run goes on."""

    schema_version: Literal[1] = 1
    settings: str | None = None
    """See `settings_digest`; None in runs that began before it was kept."""
    data_fingerprint: str
    extra: dict[str, str] = Field(default={})
    """Fingerprints of the further data sets by name."""
    started_from: tuple[str, ...] = ()
    """Fingerprints of all data that the model to start from had been trained on."""
    inherited: tuple[str, ...] = ()
    """Sources of the pictures that the model to start from was trained on."""
    teacher: str | None = None
    """SHA-256 of the weights of the model to learn from; None where there is none."""
    split: SplitRecord
    resolved: Resolved
    environment: Environment
    """Where the run began; a resumed run keeps it."""


def settings_digest(config: TrainConfig) -> str:
    """SHA-256 of the settings that a run may not change: all but where pictures lie, and doubts."""
    movable = {"data": {*MOVABLE}, "split": {"groups"}}
    settings = config.model_dump(mode="json", exclude_defaults=True, exclude=movable)
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class RunFolder:
    """Paths and state of one run."""

    def __init__(self, root: Path) -> None:
        """Point at a run folder, existing or not."""
        self.root = root
        self.checkpoints = root / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.best = self.checkpoints / "best.ckpt"
        self.model = root / "model"
        self.predictions = root / "predictions"
        self._config = root / "config.yaml"
        self._state = root / "run.json"
        self.result_file = root / "result.json"  # marks the run as finished

    def prediction(self, name: str) -> Path:
        """File of the probability map of a test picture."""
        return self.predictions / f"{name}.png"

    def whole(self, checkpoint: Path) -> Path:
        """A checkpoint of this run, which has been looked through.

        Raises:
            DataError: it is damaged or gone; torch would take wrong numbers for right ones.
        """
        if not is_whole_zip(checkpoint):
            raise DataError(
                f"{checkpoint}: is damaged or gone; restore it, or delete {self.checkpoints} and "
                "run the same command again, which begins with the first epoch."
            )
        return checkpoint

    def check(self, config: TrainConfig, *, resume: bool) -> None:
        """See that a run of this configuration can begin or go on here; writes nothing.

        Raises:
            UsageError: it exists and resuming was not asked for, belongs to another configuration,
                or its config.yaml was changed.
        """
        if self._config.exists():
            if not resume:
                raise UsageError(
                    f"{self.root}: holds a run already; go on with --resume, or name another "
                    "folder."
                )
            stored = settings_digest(read_stored(TrainConfig, self._config))
            if self._state.exists():
                began = read_record(self._state, RunState).settings
                if began not in (None, stored):
                    raise UsageError(
                        f"{self._config}: has changed since this run began; restore it, or begin "
                        "anew in another folder."
                    )
            if stored != settings_digest(config):
                raise UsageError(
                    f"{self.root}: holds a run of another configuration (see its config.yaml); "
                    "name another folder."
                )
            return
        names = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
        if self.root.is_file() or any(name != _LOCK and not is_leftover(name) for name in names):
            raise UsageError(f"{self.root}: is not empty and no run folder; name another folder.")

    def result(self, data: RunData) -> RunResult | None:
        """The result, if the run is finished.

        Raises:
            DataError: the data, or how it is split, has changed since.
        """
        if not self.result_file.exists():
            return None
        result = read_record(self.result_file, RunResult)
        self._check_data(self.result_file, result.data_fingerprint, result.further_data, data)
        if result.split != data.split:
            raise DataError(
                f"{self.root}: the split comes out differently than when this run was made, such "
                "as with another table of sources; restore it or begin in another folder."
            )
        return result

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out of this folder where the file system can: see `_refuse`."""
        lock = self.root / _LOCK
        try:
            with held(lock, waiting=self._refuse):
                remove_leftovers((self.root, self.checkpoints, self.predictions), seconds=0)
                try:
                    yield
                finally:
                    with suppress(OSError):  # Windows removes it later, once it is free
                        lock.unlink()
        finally:
            with suppress(OSError):  # nothing came of it
                self.root.rmdir()

    def _refuse(self) -> None:
        raise FolderBusy(
            f"{self.root}: another process is training here; wait for it or name another folder."
        )

    def state(self, data: RunData) -> RunState | None:
        """What an unfinished run fixed at its start, if it got that far.

        Raises:
            DataError: the data has changed since.
        """
        if not self._state.exists():
            return None
        state = read_record(self._state, RunState)
        self._check_data(self._state, state.data_fingerprint, state.extra, data)
        return state

    def _check_data(
        self, file: Path, fingerprint: str, extra: dict[str, str], data: RunData
    ) -> None:
        if (fingerprint, extra) != (data.fingerprint, data.extra_fingerprints):
            raise DataError(
                f"{self.root}: the pictures or masks have changed since this run began "
                f"(see its {file.name}); begin a new one in another folder."
            )

    def begin(
        self, config: TrainConfig, state: RunState, trained_on: Callable[[], ImageBits]
    ) -> None:
        """Make the folder and fix what must stay the same.

        The training images are written once: a run that goes on no longer needs the model that it
        started from.
        """
        write_text(self._config, to_yaml(config))  # first: it says whose folder this is
        if read_training_images(self.root) is None:
            write_training_images(self.root, trained_on())
        write_record(self._state, state)
