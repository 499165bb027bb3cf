"""Report the course of a training: epoch, losses, IoU, images per second."""

from __future__ import annotations

import time

from lightning import Callback, LightningModule, Trainer

from humanseg.system.progress import Progress
from humanseg.training.batches import Batch
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.module import as_segmentation

_EVERY = 0.5
"""Seconds between two reports within an epoch; reading the loss makes a GPU wait."""


class ProgressReporter(Callback):
    """Reports optimiser steps twice a second, and every epoch as a milestone."""

    def __init__(self, progress: Progress, name: str, recorder: EpochRecorder) -> None:
        self._progress = progress
        self._name = name
        self._recorder = recorder
        self._reported = self._began = 0.0
        self._images = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Report where a resumed run stands."""
        self._began = time.perf_counter()
        self._report(trainer, "starting")

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: Batch, *_: object
    ) -> None:
        """Report the epoch so far."""
        self._images += batch["shard"][1]
        now = time.perf_counter()
        if now - self._reported < _EVERY:
            return
        self._reported = now
        score = as_segmentation(module).training_score.peek()
        loss, iou = score or (float("nan"), float("nan"))
        rate = self._images / (now - self._began)
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self._report(trainer, f"{epoch}, loss {loss:.3f}, IoU {iou:.3f}, {rate:.1f} images/s")

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Report the epoch's figures."""
        epoch = self._recorder.epochs[-1]
        detail = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        detail += f", loss {epoch.train_loss:.3f}, IoU {epoch.train_iou:.3f}"
        if epoch.validation_loss is not None and epoch.validation_iou is not None:
            detail += f", validation loss {epoch.validation_loss:.3f}"
            detail += f", IoU {epoch.validation_iou:.3f}"
        detail += f", {epoch.images_per_second:.1f} images/s"
        self._report(trainer, detail, milestone=True)

    def _report(self, trainer: Trainer, detail: str, *, milestone: bool = False) -> None:
        total = int(trainer.estimated_stepping_batches)
        self._progress(
            trainer.global_step, total, stage=self._name, detail=detail, milestone=milestone
        )
