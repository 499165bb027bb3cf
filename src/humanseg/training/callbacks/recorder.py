"""Keep the course of a run: a record per epoch in memory and as CSV, and checkpoints."""

from __future__ import annotations

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from humanseg.results import EpochRecord, write_text
from humanseg.system.atomic import replacing
from humanseg.system.errors import GuardError
from humanseg.system.memory import peak_memory, reset_peak_memory
from humanseg.training.batches import Batch
from humanseg.training.module import as_segmentation
from humanseg.training.run_folder import RunFolder


class EpochRecorder(Callback):
    """Times training iterations apart from everything else and collects an epoch's figures."""

    def __init__(self, csv_path: Path) -> None:
        """Log to `csv_path`; the run begins, or goes on, now."""
        self._csv_path = csv_path
        self._began = time.perf_counter()
        self._earlier = 0.0
        self._earlier_peak = 0
        self._validation: tuple[float, float] | None = None
        self._images = 0  # of all processes
        self._start = self._seconds = 0.0
        self._device = "cpu"
        self.epochs: list[EpochRecord] = []

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        epochs = [epoch.model_dump() for epoch in self.epochs]
        return {
            "epochs": epochs,
            "wall_seconds": self.wall_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.epochs = [EpochRecord.model_validate(values) for values in state_dict["epochs"]]
        self._earlier = state_dict["wall_seconds"]
        self._earlier_peak = state_dict["peak_memory_bytes"]

    @property
    def peak_memory_bytes(self) -> int:
        """Largest memory in use during the run, before an interruption too; 0 where not known.

        On a GPU its own memory, elsewhere the resident memory of the process.
        """
        on_gpu = self._device.startswith("cuda")
        peak = torch.cuda.max_memory_allocated() if on_gpu else peak_memory()
        return max(self._earlier_peak, peak or 0)

    def reset_peak_memory(self) -> None:
        """Forget what was in use before the run."""
        reset_peak_memory()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    @property
    def best_epoch(self) -> int | None:
        """The epoch of lowest validation loss, the first of equals; None without validation."""
        losses = {e.epoch: e.validation_loss for e in self.epochs if e.validation_loss is not None}
        return min(losses, key=lambda epoch: losses[epoch]) if losses else None

    @property
    def wall_seconds(self) -> float:
        """Since the start of the run; an interrupted one counts up to its last checkpoint."""
        return self._earlier + time.perf_counter() - self._began

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self._device = module.device.type
        self._images, self._validation = 0, None
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: Batch, *_: object
    ) -> None:
        """Count pictures; the last batch stops the clock."""
        self._images += batch["shard"][1]
        if trainer.is_last_batch:
            if module.device.type == "cuda":
                torch.cuda.synchronize()
            self._seconds = time.perf_counter() - self._start

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Take the validation score."""
        self._validation = as_segmentation(module).validation_score.read()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Make the record; the log and the checkpoint's choice read it."""
        training = as_segmentation(module).training_score.read()
        if training is None:
            raise RuntimeError("An epoch ended without a training step.")
        loss, iou = self._validation or (None, None)
        if loss is not None and not math.isfinite(loss):
            raise GuardError(
                f"The validation loss of epoch {trainer.current_epoch + 1} is not finite. Lower "
                "optimiser.learning_rate or train with training.precision fp32."
            )
        # The head's rate; the last group is the encoder's.
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        record = EpochRecord(
            epoch=trainer.current_epoch + 1,
            train_loss=training[0],
            train_iou=training[1],
            validation_loss=loss,
            validation_iou=iou,
            learning_rate=float(rate),
            images_per_second=self._images / self._seconds,
            seconds=self._seconds,
        )
        self.epochs.append(record)
        if trainer.is_global_zero:
            self._write_csv()
        for name, value in record.model_dump(exclude={"epoch"}).items():
            if value is not None:
                module.log(name, value)

    def _write_csv(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(EpochRecord.model_fields))
        writer.writeheader()
        writer.writerows(epoch.model_dump() for epoch in self.epochs)
        write_text(self._csv_path, text.getvalue())


class EpochCheckpoints(Checkpoint):
    """After every epoch: `last.ckpt`, and `best.ckpt` if the validation loss is the lowest yet.

    Any number of processes can go on from them: all hold the same weights and optimiser state.

    Which epoch is best follows from the recorder, which a resumed run restores. Lightning's own
    callback forgets it when the run folder has moved, and writes through the system's temporary
    folder, from where a rename may be a copy.
    """

    def __init__(self, folder: RunFolder, recorder: EpochRecorder) -> None:
        """Write into `folder` by what `recorder` has seen."""
        self._folder = folder
        self._recorder = recorder

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Runs after all other callbacks, as Lightning promises for `Checkpoint`."""
        if self._recorder.best_epoch == self._recorder.epochs[-1].epoch:
            _save(trainer, self._folder.best)
        _save(trainer, self._folder.last)


def _save(trainer: Trainer, path: Path) -> None:
    """Every process takes part; the main one writes."""
    if not trainer.is_global_zero:
        trainer.save_checkpoint(path)
        return
    with replacing(path) as temporary:
        trainer.save_checkpoint(temporary)
