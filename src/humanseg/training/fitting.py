"""Lightning's part of a run: the loop, its callbacks, Ctrl-C."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.layer_sync import LayerSync
from lightning.pytorch.strategies import DDPStrategy

from humanseg.config.schema import TrainConfig
from humanseg.errors import Interrupted, UsageError
from humanseg.training.batches import SegmentationDataModule
from humanseg.training.callbacks.bar import ProgressBar
from humanseg.training.callbacks.checkpoints import EpochCheckpoints
from humanseg.training.callbacks.guards import TrainingGuards
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.compute_mode import Mode
from humanseg.training.distributed import Processes, SynchronisedBatchNorm
from humanseg.training.module import SegmentationModule
from humanseg.training.run_folder import RunFolder


def make_trainer(
    config: TrainConfig,
    folder: RunFolder,
    mode: Mode,
    processes: Processes,
    recorder: EpochRecorder,
    batches: SegmentationDataModule,
    *,
    quiet: bool,
) -> lightning.Trainer:
    """Lightning's trainer with our callbacks; data-parallel where several processes train."""
    with _calm_lightning():
        return lightning.Trainer(
            accelerator="gpu" if mode.device.startswith("cuda") else "cpu",
            devices=processes.local_count,
            num_nodes=processes.nodes,
            strategy="auto" if processes.count == 1 else DDPStrategy(gradient_as_bucket_view=True),
            plugins=[*_plugins(processes, mode.device)],
            use_distributed_sampler=False,  # batches are divided already, exactly
            precision="bf16-mixed" if mode.precision == "bf16" else "32-true",
            max_epochs=config.training.epochs,
            callbacks=[
                TrainingGuards(),
                recorder,
                ProgressBar(folder.root.name, quiet=quiet),
                EpochCheckpoints(folder, recorder),
            ],
            logger=_logger(config, folder) if processes.is_main else False,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if batches.validated else 0,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder.root,
        )


def fit(
    trainer: lightning.Trainer,
    module: SegmentationModule,
    batches: SegmentationDataModule,
    folder: RunFolder,
) -> None:
    """Train, from the last checkpoint of the folder if there is one.

    Raises:
        Interrupted: Ctrl-C; finished epochs are saved.
    """
    last = folder.last if folder.last.exists() else None
    with _calm_lightning(), _ctrl_c(trainer, folder):
        trainer.fit(module, datamodule=batches, ckpt_path=last, weights_only=True)


def _plugins(processes: Processes, device: str) -> Iterator[LayerSync | ClusterEnvironment]:
    """How several processes meet and, on GPUs, share their batch statistics."""
    if processes.environment is not None:
        yield processes.environment
        if device.startswith("cuda"):
            yield SynchronisedBatchNorm()


def _logger(config: TrainConfig, folder: RunFolder) -> TensorBoardLogger | bool:
    if not config.training.tensorboard:
        return False
    try:
        return TensorBoardLogger(folder.root, name="tensorboard", version="")
    except ModuleNotFoundError as error:
        raise UsageError(
            "training.tensorboard: TensorBoard is not installed. Install it with: "
            'pip install "humanseg[tensorboard]"'
        ) from error


@contextmanager
def _calm_lightning() -> Iterator[None]:
    """Silence remarks that a user can do nothing about."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # One process feeds batches from memory; workers would only copy them.
            warnings.filterwarnings("ignore", message=".*does not have many workers")
            warnings.filterwarnings("ignore", message=".*GPU available but not used")
            # What is logged is the same in every process already.
            warnings.filterwarnings("ignore", message=".*sync_dist=True")
            # Lightning against a newer torch; nothing of ours.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _ctrl_c(trainer: lightning.Trainer, folder: RunFolder) -> Iterator[None]:
    """Turn Ctrl-C into `Interrupted`; Lightning would end the interpreter."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if not trainer.interrupted:
            raise
        done = trainer.current_epoch if folder.last.exists() else 0
        raise Interrupted(
            f"Stopped after {done} of {trainer.max_epochs} epochs of {folder.root.name}; what was "
            f"finished is saved. Go on with `humanseg train --resume {folder.root}`, or with the "
            "same `humanseg compare` again."
        ) from error
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)
