"""One training run from configuration to scored model."""

from __future__ import annotations

import logging
import signal
import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from humanseg.config import TrainConfig
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.splits import make_split
from humanseg.datamodule import Grid, SegmentationDataModule, load_grid
from humanseg.errors import Interrupted, UsageError
from humanseg.evaluation import score_floors, score_samples
from humanseg.inference import Predictor
from humanseg.model_directory import ModelRecord, Preprocessing
from humanseg.models import (
    SegmentationNetwork,
    TorchBackend,
    build_network,
    count_macs,
    count_parameters,
    save_network,
)
from humanseg.results import (
    Cost,
    Environment,
    ImageScore,
    Resolved,
    RunResult,
    ScoreSummary,
    SplitRecord,
)
from humanseg.segmentation_module import SegmentationModule
from humanseg.training.allocator import keep_freed_memory
from humanseg.training.environment import describe_environment
from humanseg.training.folder import RunFolder, RunState
from humanseg.training.guards import TrainingGuards, check_floor
from humanseg.training.memory import peak_memory, reset_peak_memory
from humanseg.training.mode import Mode, choose_mode, resolve_device
from humanseg.training.progress import ProgressBar
from humanseg.training.recorder import EpochRecorder


@dataclass(frozen=True)
class _Data:
    """The samples of a run, by part."""

    samples: dict[str, Sample]
    fingerprint: str
    split: SplitRecord

    def part(self, ids: tuple[str, ...]) -> list[Sample]:
        return [self.samples[name] for name in ids]


def train(
    config: TrainConfig, *, output: Path, resume: bool = False, quiet: bool = False
) -> RunResult:
    """Train one network, score it on the test part, and leave a run folder.

    Args:
        config: everything the run depends on.
        output: run folder; see `humanseg.training.folder` for what it will hold.
        resume: go on with an unfinished run in `output`; a finished one is only read.
        quiet: show no progress bar even on a terminal.

    Raises:
        UsageError: no data, an impossible configuration, or a folder of another run.
        DataError: pictures that cannot be trained on, or that changed since the run began.
        ModelError: encoder weights that cannot be had.
        GuardError: the result would mean nothing.
        Interrupted: Ctrl-C; finished epochs are saved.
    """
    began = time.perf_counter()
    _check(config)
    folder = RunFolder(output)
    folder.check(config, resume=resume)
    finished = folder.result()
    if finished is not None:
        return finished
    reset_peak_memory()
    data = _find_data(config)
    train_grid = _load(config, data.part(data.split.train))
    with keep_freed_memory():
        network, mode, state = _prepare(config, data, folder.state(data.fingerprint))
        folder.begin(config, state)
        module, recorder = _fit(config, folder, data, train_grid, network, mode, quiet=quiet)
    kept_epoch, kept = _keep(config, folder, module, recorder)
    scored = _score(config, folder, data, train_grid, kept, mode)
    check_floor(scored.summary, scored.floors)
    environment = describe_environment(mode.device)
    _save(config, folder, kept, state, scored.summary, environment)
    result = RunResult(
        name=output.name,
        config=config,
        resolved=state.resolved,
        split=data.split,
        data_fingerprint=data.fingerprint,
        epochs=tuple(recorder.epochs),
        kept_epoch=kept_epoch,
        scores=tuple(scored.scores),
        summary=scored.summary,
        floors=scored.floors,
        cost=_cost(config, kept, recorder, mode, time.perf_counter() - began),
        environment=environment,
    )
    folder.write_result(result)
    return result


def preflight(config: TrainConfig) -> None:
    """Fail on what would stop every run of a plan: its data, its split, its encoder's weights.

    Raises:
        UsageError, DataError, ModelError: see `train`.
    """
    _check(config)
    _find_data(config)
    build_network(config.model)


def _check(config: TrainConfig) -> None:
    no_validation = config.split.protocol == "holdout" and config.split.validation == 0
    if config.training.checkpoint == "best" and no_validation:
        raise UsageError(
            "training.checkpoint: got best, which needs a validation part; set split.validation "
            "above 0 or take training.checkpoint last."
        )
    resolve_device(config.training.device)


def _find_data(config: TrainConfig) -> _Data:
    if config.data.root is None:
        raise UsageError("data.root: not given; name the folder with --data.")
    samples = discover(config.data.root, config.data.layout)
    split = make_split(samples, config.split)
    return _Data({sample.id: sample for sample in samples}, fingerprint(samples), split)


def _load(config: TrainConfig, samples: list[Sample]) -> Grid:
    return load_grid(samples, config.model.image_size, config.data.mask_resize)


def _prepare(
    config: TrainConfig, data: _Data, state: RunState | None
) -> tuple[SegmentationNetwork, Mode, RunState]:
    """Build the network and settle how it computes; a resumed run repeats its first choices."""
    torch.manual_seed(config.training.seed)  # the decoder's initial weights
    if state is not None:
        network = build_network(config.model.model_copy(update={"encoder_weights": "none"}))
        resolved = state.resolved
        device = resolve_device(config.training.device)
        mode = Mode(device, resolved.precision, resolved.memory_format, resolved.timings)
        return network, mode, state
    network = build_network(config.model)
    mode = choose_mode(network, config)
    mean, std = (tuple(buffer.flatten().tolist()) for buffer in (network.mean, network.std))
    resolved = Resolved(
        device=mode.device,
        precision=mode.precision,
        memory_format=mode.memory_format,
        encoder_weights=network.weights,
        mean=mean,
        std=std,
        timings=mode.timings,
    )
    state = RunState(data_fingerprint=data.fingerprint, split=data.split, resolved=resolved)
    return network, mode, state


def _fit(
    config: TrainConfig,
    folder: RunFolder,
    data: _Data,
    train_grid: Grid,
    network: SegmentationNetwork,
    mode: Mode,
    *,
    quiet: bool,
) -> tuple[SegmentationModule, EpochRecorder]:
    validation = _load(config, data.part(data.split.validation))
    datamodule = SegmentationDataModule(train_grid, validation, config)
    module = SegmentationModule(mode.place(network), config)  # type: ignore[arg-type]
    recorder = EpochRecorder(folder.metrics)
    callbacks = [
        TrainingGuards(),
        recorder,
        ProgressBar(folder.root.name, quiet=quiet),
        *_checkpoints(folder, validated=bool(validation.ids)),
    ]
    with _calm_lightning():
        trainer = lightning.Trainer(
            accelerator="gpu" if mode.device.startswith("cuda") else "cpu",
            devices=1,
            precision="bf16-mixed" if mode.precision == "bf16" else "32-true",
            max_epochs=config.training.epochs,
            callbacks=callbacks,
            logger=_logger(config, folder),
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if validation.ids else 0,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder.root,
        )
        last = folder.last if folder.last.exists() else None
        with _ctrl_c(trainer, folder):
            trainer.fit(module, datamodule=datamodule, ckpt_path=last, weights_only=True)
    return module, recorder


def _checkpoints(folder: RunFolder, *, validated: bool) -> list[ModelCheckpoint]:
    def keep(name: str, monitor: str | None) -> ModelCheckpoint:
        return ModelCheckpoint(
            dirpath=folder.checkpoints,
            filename=name,
            monitor=monitor,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    best = [keep("best", "validation_loss")] if validated else []
    return [*best, keep("last", None)]


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
            warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists")
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
    """The network whose weights are kept, and the epoch they are from."""
    epoch = config.training.epochs
    if config.training.checkpoint == "best":
        checkpoint = torch.load(folder.best, map_location="cpu", weights_only=True)
        module.load_state_dict(checkpoint["state_dict"])
        epoch = int(checkpoint["epoch"]) + 1
    kept: nn.Module = module.kept
    if not isinstance(kept, SegmentationNetwork):
        raise TypeError("The kept network is not a SegmentationNetwork.")
    return epoch, kept


@dataclass(frozen=True)
class _Scored:
    scores: list[ImageScore]
    summary: ScoreSummary
    floors: dict[str, ScoreSummary]


def _score(
    config: TrainConfig,
    folder: RunFolder,
    data: _Data,
    train_grid: Grid,
    network: SegmentationNetwork,
    mode: Mode,
) -> _Scored:
    samples = data.part(data.split.test)
    predictor = Predictor(
        TorchBackend(network, device=mode.device),
        image_size=config.model.image_size,
        threshold=config.evaluation.threshold,
        flip_averaging=config.evaluation.flip_averaging,
    )
    scores, summary = score_samples(
        samples,
        predictor.grid_probability,
        cut=predictor.cut,
        grid_size=config.model.image_size,
        mask_resize=config.data.mask_resize,
        predictions=folder.predictions,
    )
    floors = score_floors(samples, train_grid.masks, mask_resize=config.data.mask_resize)
    return _Scored(scores, summary, floors)


def _save(
    config: TrainConfig,
    folder: RunFolder,
    network: SegmentationNetwork,
    state: RunState,
    summary: ScoreSummary,
    environment: Environment,
) -> None:
    resolved = state.resolved
    record = ModelRecord(
        arch=config.model.arch,
        encoder_name=config.model.encoder_name,
        preprocessing=Preprocessing(
            image_size=config.model.image_size, mean=resolved.mean, std=resolved.std
        ),
        threshold=config.evaluation.threshold,
        encoder_weights=resolved.encoder_weights,
        config=config,
        data_fingerprint=state.data_fingerprint,
        summary=summary,
        environment=environment,
    )
    save_network(network, record, folder.model)


def _cost(
    config: TrainConfig,
    network: SegmentationNetwork,
    recorder: EpochRecorder,
    mode: Mode,
    wall_seconds: float,
) -> Cost:
    epochs = recorder.epochs
    return Cost(
        parameters=count_parameters(network),
        macs=count_macs(network, config.model.image_size),
        train_seconds=sum(epoch.seconds for epoch in epochs),
        wall_seconds=wall_seconds,
        images_per_second=statistics.median(epoch.images_per_second for epoch in epochs),
        peak_memory_bytes=peak_memory(mode.device),
    )
