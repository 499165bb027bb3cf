"""Lightning's part of a run: the loop, its callbacks, Ctrl-C."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import lightning
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from lightning.pytorch.plugins.layer_sync import LayerSync
from lightning.pytorch.strategies import DDPStrategy

from humanseg.config.schema import TrainConfig
from humanseg.model_directory import find_model
from humanseg.models import SegmentationNetwork, load_network
from humanseg.system.errors import Interrupted, UsageError
from humanseg.system.quiet_logs import quiet_logs
from humanseg.training.autotune import ComputeMode, explaining_memory
from humanseg.training.batches import batches_of_parts
from humanseg.training.callbacks.guards import TrainingGuards
from humanseg.training.callbacks.recorder import EpochCheckpoints
from humanseg.training.callbacks.reporter import ProgressReporter
from humanseg.training.distributed import Processes, SynchronisedBatchNorm
from humanseg.training.further_data import all_trained_on
from humanseg.training.module import SegmentationModule
from humanseg.training.run_folder import RunFolder, RunState
from humanseg.training.run_start import RunContext


def fit(run: RunContext, network: SegmentationNetwork, state: RunState) -> SegmentationModule:
    """Train a network in place, from the last checkpoint of the run's folder if there is one.

    The folder is begun as soon as nothing else can stand in the way. Raises what `train` does.
    """
    data, folder = run.data, run.folder
    mode = ComputeMode(run.device, state.resolved.precision, state.resolved.memory_format)
    train, validation = batches_of_parts(
        data.data_set.resized,
        run.config,
        train=data.training_rows(run.config),
        validation=data.data_set.rows(data.split.validation),
        device=mode.device,
        processes=run.processes,
    )
    with explaining_memory(network, run.config, mode):
        teacher = _teacher(run.config, mode)
        module = SegmentationModule(mode.place(network), run.config, *teacher)
        trainer = _trainer(run, mode, validated=len(validation) > 0)
        run.processes.on_main_process(
            lambda: folder.begin(
                run.config, state, lambda: all_trained_on(run.config, data.trained_on)
            )
        )
        last = folder.whole(folder.last) if folder.last.exists() else None
        if last is not None and folder.best.exists():
            folder.whole(folder.best)
        with _calm_lightning(), _ctrl_c(trainer, folder):
            trainer.fit(module, train, validation, ckpt_path=last, weights_only=True)
    return module


def _teacher(config: TrainConfig, mode: ComputeMode) -> list[SegmentationNetwork]:
    name = config.loss.teacher
    return [] if name is None else [mode.place(load_network(find_model(name))[0])]


def _trainer(run: RunContext, mode: ComputeMode, *, validated: bool) -> lightning.Trainer:
    """Lightning's trainer with our callbacks; data-parallel where several processes train."""
    processes, folder = run.processes, run.folder
    callbacks: list[lightning.Callback] = [TrainingGuards(), run.recorder]
    if run.progress is not None:
        callbacks.append(ProgressReporter(run.progress, folder.root.name, run.recorder))
    callbacks.append(EpochCheckpoints(folder, run.recorder))
    with _calm_lightning():
        return lightning.Trainer(
            accelerator="gpu" if mode.device.startswith("cuda") else "cpu",
            devices=processes.local_count,
            num_nodes=processes.nodes,
            strategy="auto" if processes.count == 1 else DDPStrategy(gradient_as_bucket_view=True),
            plugins=[*_plugins(processes, mode.device)],
            use_distributed_sampler=False,  # batches are divided already, exactly
            precision="bf16-mixed" if mode.precision == "bf16" else "32-true",
            max_epochs=run.config.training.epochs,
            callbacks=callbacks,
            logger=_loggers(run.config, folder) if processes.is_main else False,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if validated else 0,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder.root,
        )


def _plugins(processes: Processes, device: str) -> list[LayerSync | ClusterEnvironment]:
    """How several processes meet and, on GPUs, share their batch statistics."""
    if processes.environment is None:
        return []
    return [processes.environment, *([SynchronisedBatchNorm()] if "cuda" in device else [])]


def _loggers(config: TrainConfig, folder: RunFolder) -> list[Logger] | bool:
    """What is asked for, each writing below the run's folder; False for none."""
    root, name = folder.root, folder.root.name
    makers: dict[str, Callable[[], Logger]] = {  # by the package that each needs, but for csv
        "csv": lambda: CSVLogger(root, name="csv", version=""),
        "tensorboard": lambda: TensorBoardLogger(root, name="tensorboard", version=""),
        "wandb": lambda: WandbLogger(name=name, project="humanseg", save_dir=root),
        "mlflow": lambda: MLFlowLogger("humanseg", run_name=name, save_dir=str(root / "mlflow")),
    }
    loggers = []
    for chosen in dict.fromkeys(config.training.loggers):
        try:
            loggers.append(makers[chosen]())
        except ModuleNotFoundError as error:
            raise UsageError(
                f"training.loggers: {chosen} needs the package {chosen}, which is not installed. "
                f"Install it with: pip install {chosen}"
            ) from error
    return loggers or False


@contextmanager
def _calm_lightning() -> Iterator[None]:
    """Silence remarks that a user can do nothing about."""
    with quiet_logs("lightning.pytorch"), warnings.catch_warnings():
        # One process feeds batches from memory; workers would only copy them.
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        warnings.filterwarnings("ignore", message=".*GPU available but not used")
        # What is logged is the same in every process already.
        warnings.filterwarnings("ignore", message=".*sync_dist=True")
        # Lightning against a newer torch; nothing of ours.
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
        yield


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
