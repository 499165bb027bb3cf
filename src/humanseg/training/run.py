"""One training run from configuration to scored model."""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from humanseg.config import TrainConfig
from humanseg.datamodule import SegmentationDataModule
from humanseg.errors import DataError, Interrupted, UsageError
from humanseg.models import SegmentationNetwork, build_network, start_network
from humanseg.results import Resolved, RunResult
from humanseg.segmentation_module import SegmentationModule
from humanseg.training.allocator import keep_freed_memory
from humanseg.training.checkpoints import EpochCheckpoints
from humanseg.training.data import RunData, find_data
from humanseg.training.environment import describe_environment
from humanseg.training.extra import check_start
from humanseg.training.folder import RunFolder, RunState
from humanseg.training.guards import TrainingGuards, check_floor
from humanseg.training.memory import reset_peak_memory
from humanseg.training.mode import Mode, choose_mode, resolve_device
from humanseg.training.outcome import measure_cost, save_model, score_network
from humanseg.training.progress import ProgressBar
from humanseg.training.recorder import EpochRecorder


def train(
    config: TrainConfig,
    *,
    output: Path,
    resume: bool = False,
    quiet: bool = False,
    data: RunData | None = None,
) -> RunResult:
    """Train one network, score it on the test part, and leave a run folder.

    Args:
        config: everything the run depends on.
        output: run folder; see `humanseg.training.folder` for what it will hold.
        resume: go on with an unfinished run in `output`; a finished one is only read.
        quiet: show no progress bar even on a terminal.
        data: the pictures of `config`, divided as it says, if they have been found already.

    Raises:
        UsageError: no data, an impossible configuration, or a folder of another run.
        FolderBusy: another process trains in this folder.
        DataError: pictures that cannot be trained on, or that changed since the run began.
        ModelError: encoder weights that cannot be had.
        GuardError: the result would mean nothing.
        Interrupted: Ctrl-C; finished epochs are saved.
    """
    recorder = EpochRecorder(output / "metrics.csv", began=time.perf_counter())
    _check(config)
    folder = RunFolder(output)
    folder.check(config, resume=resume)
    data = data or find_data(config)
    finished = folder.result(data.fingerprint, data.split, data.extra_fingerprints)
    if finished is not None:
        return finished
    with folder.held():
        return _train(config, folder, data, recorder, quiet=quiet)


def _train(
    config: TrainConfig, folder: RunFolder, data: RunData, recorder: EpochRecorder, *, quiet: bool
) -> RunResult:
    reset_peak_memory()
    train_grid = data.train_grid(config)
    batches = SegmentationDataModule(train_grid, data.grid(data.split.validation, config), config)
    with keep_freed_memory():
        network, mode, state = _prepare(config, data, folder)
        module = SegmentationModule(mode.place(network), config)
        trainer = _trainer(config, folder, mode, recorder, batches, quiet=quiet)
        folder.begin(config, state)
        _fit(trainer, module, batches, folder)
    kept_epoch, kept = _keep(config, folder, module, recorder)
    outcome = score_network(config, folder, data, train_grid, kept, mode.device)
    if config.split.protocol != "source":  # failing on a source is what that test is to show
        check_floor(outcome.summary, outcome.floors)
    save_model(config, folder, kept, state, outcome.summary)
    result = RunResult(
        name=folder.root.name,
        config=config,
        resolved=state.resolved,
        split=data.split,
        data_fingerprint=data.fingerprint,
        extra=data.extra_fingerprints,
        epochs=tuple(recorder.epochs),
        kept_epoch=kept_epoch,
        scores=outcome.scores,
        summary=outcome.summary,
        floors=outcome.floors,
        calibration=outcome.calibration,
        band_calibration=outcome.band_calibration,
        train_summary=outcome.train_summary,
        cost=measure_cost(config, kept, recorder, mode.device),
        environment=state.environment,
    )
    folder.write_result(result)
    return result


def preflight(config: TrainConfig) -> SegmentationNetwork:
    """Fail on what would stop every run of a plan; the first network, as it would start.

    Raises:
        UsageError, ModelError: see `train`.
    """
    _check(config)
    return start_network(config.model)


def _check(config: TrainConfig) -> None:
    no_validation = config.split.protocol != "reference" and config.split.validation == 0
    if config.training.checkpoint == "best" and no_validation:
        raise UsageError(
            "training.checkpoint: got best, which needs a validation part; set split.validation "
            "above 0 or take training.checkpoint last."
        )
    resolve_device(config.training.device)


def _prepare(
    config: TrainConfig, data: RunData, folder: RunFolder
) -> tuple[SegmentationNetwork, Mode, RunState]:
    """Build the network and settle how it computes; a resumed run repeats its first choices."""
    torch.manual_seed(config.training.seed)  # the decoder's initial weights
    state = folder.state(data.fingerprint, data.extra_fingerprints)
    if state is not None and folder.last.exists():
        # All weights come from the checkpoint: the hub need not be within reach any more.
        weightless = {"encoder_weights": "none", "start_from": None}
        network = build_network(config.model.model_copy(update=weightless))
        _check_same_split(state, data, folder)
        resolved = state.resolved
        network.normalise_by(resolved.mean, resolved.std)
        device = resolve_device(config.training.device)
        mode = Mode(device, resolved.precision, resolved.memory_format, resolved.timings)
        return network, mode, state
    network = start_network(config.model)
    started_from = check_start(config, data.fingerprint)
    mode = choose_mode(network, config)
    resolved = Resolved(
        device=mode.device,
        precision=mode.precision,
        memory_format=mode.memory_format,
        encoder_weights=network.weights,
        mean=network.mean.flatten().tolist(),
        std=network.std.flatten().tolist(),
        timings=mode.timings,
    )
    state = RunState(
        data_fingerprint=data.fingerprint,
        extra=data.extra_fingerprints,
        started_from=started_from,
        split=data.split,
        resolved=resolved,
        environment=describe_environment(mode.device),
    )
    return network, mode, state


def _check_same_split(state: RunState, data: RunData, folder: RunFolder) -> None:
    if state.split != data.split:
        raise DataError(
            f"{folder.root}: the split comes out differently than when this run began, so its test "
            "pictures may have been trained on. Use the versions in its run.json or begin anew."
        )


def _trainer(
    config: TrainConfig,
    folder: RunFolder,
    mode: Mode,
    recorder: EpochRecorder,
    batches: SegmentationDataModule,
    *,
    quiet: bool,
) -> lightning.Trainer:
    with _calm_lightning():
        return lightning.Trainer(
            accelerator="gpu" if mode.device.startswith("cuda") else "cpu",
            devices=1,
            precision="bf16-mixed" if mode.precision == "bf16" else "32-true",
            max_epochs=config.training.epochs,
            callbacks=[
                TrainingGuards(),
                recorder,
                ProgressBar(folder.root.name, quiet=quiet),
                EpochCheckpoints(folder, recorder),
            ],
            logger=_logger(config, folder),
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if batches.validated else 0,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder.root,
        )


def _fit(
    trainer: lightning.Trainer,
    module: SegmentationModule,
    batches: SegmentationDataModule,
    folder: RunFolder,
) -> None:
    last = folder.last if folder.last.exists() else None
    with _calm_lightning(), _ctrl_c(trainer, folder):
        trainer.fit(module, datamodule=batches, ckpt_path=last, weights_only=True)


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


def _keep(
    config: TrainConfig, folder: RunFolder, module: SegmentationModule, recorder: EpochRecorder
) -> tuple[int, SegmentationNetwork]:
    """The epoch whose weights are kept, and the network with them."""
    epoch = config.training.epochs
    if config.training.checkpoint == "best":
        checkpoint = torch.load(folder.best, map_location="cpu", weights_only=True)
        module.load_state_dict(checkpoint["state_dict"])
        epoch = int(checkpoint["epoch"]) + 1
        if epoch != recorder.best_epoch:
            raise DataError(
                f"{folder.best}: is of epoch {epoch}, but epoch {recorder.best_epoch} was best; "
                "the folder has been tampered with. Train anew."
            )
    return epoch, module.kept
