"""A bar on the terminal: epoch, losses, IoU, images per second, time left. Silent when piped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from humanseg.training.batches import Batch
from humanseg.training.module import SegmentationModule

_REFRESH = 0.5  # seconds between updates; reading the loss makes a GPU wait


@contextmanager
def count(name: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar for work other than training; gives a function of (done, total) that moves it."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        disable=quiet or not console.is_terminal,
    ) as progress:
        task = progress.add_task(name, total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield show


class ProgressBar(lightning.Callback):
    """Shows a run while it goes, if somebody watches."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        """Label the bar with the run's name; `quiet` hides it."""
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._name = name
        self._task: TaskID | None = None
        self._validation = ""
        self._shown = self._began = 0.0
        self._images = 0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Show the bar where a resumed run stands."""
        total = int(trainer.estimated_stepping_batches)
        self._progress.start()
        self._task = self._progress.add_task(
            self._name, total=total, completed=trainer.global_step, figures="starting"
        )
        self._began = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,  # noqa: ANN401  Lightning's own type
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Move on."""
        self._images += batch["shard"][1]
        now = time.perf_counter()
        if self._progress.disable or now - self._shown < _REFRESH or self._task is None:
            return
        self._shown = now
        score = module.training_score.peek() if isinstance(module, SegmentationModule) else None
        loss, iou = score or (float("nan"), float("nan"))
        rate = self._images / (now - self._began)
        self._progress.update(
            self._task,
            completed=trainer.global_step,
            description=f"{self._name} epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
            figures=f"loss {loss:.3f} IoU {iou:.3f}{self._validation} {rate:.1f} images/s",
        )

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Show the validation figures with the next epoch's."""
        metrics = trainer.callback_metrics
        if "validation_loss" in metrics:
            loss, iou = metrics["validation_loss"].item(), metrics["validation_iou"].item()
            self._validation = f" | val loss {loss:.3f} IoU {iou:.3f} |"

    def on_exception(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Leave the terminal in order after an error or Ctrl-C."""
        self._progress.stop()

    def teardown(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str
    ) -> None:
        """Leave the terminal in order."""
        self._progress.stop()
