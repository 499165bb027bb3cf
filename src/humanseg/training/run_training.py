"""One training run from configuration to scored model."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch

from humanseg.config.schema import TrainConfig
from humanseg.errors import DataError, UsageError
from humanseg.models import SegmentationNetwork, build_network, start_network
from humanseg.models.cpu.patching import restore
from humanseg.results import Resolved, RunResult
from humanseg.system.malloc import keep_freed_memory
from humanseg.training.autotune import explaining_memory
from humanseg.training.batches import SegmentationDataModule
from humanseg.training.callbacks.bar import count
from humanseg.training.callbacks.guards import check_floor
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.collective import process_count
from humanseg.training.compute_mode import Mode, choose_mode, resolve_device
from humanseg.training.distributed import SINGLE_PROCESS, Processes, joined
from humanseg.training.environment import describe_environment
from humanseg.training.finish import measure_cost, save_model, score_network
from humanseg.training.fitting import fit, make_trainer
from humanseg.training.further_data import check_start
from humanseg.training.module import SegmentationModule
from humanseg.training.peak_memory import reset_peak_memory
from humanseg.training.preparation import RunData, find_data
from humanseg.training.run_folder import RunFolder, RunState


def train(
    config: TrainConfig,
    *,
    output: Path,
    cache: Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    data: RunData | None = None,
) -> RunResult:
    """Train one network, score it on the test part, and leave a run folder.

    Started by torchrun or by SLURM's srun, all processes train it together and get the same result;
    the first one writes. `training.batch_size` counts the pictures of all of them, and the learning
    rate is the same for any number of processes: so are the losses.

    Args:
        config: everything the run depends on.
        output: run folder; see `humanseg.training.run_folder` for what it will hold.
        cache: folder that keeps decoded pictures on disk; in memory without it.
        resume: go on with an unfinished run in `output`; a finished one is only read.
        quiet: show no progress bar even on a terminal.
        data: the pictures of `config`, divided as it says, if they have been found already; this
            process then trains alone.

    Raises:
        UsageError: no data, an impossible configuration, or a folder of another run.
        FolderBusy: another process trains in this folder.
        DataError: pictures that cannot be trained on, or that changed since the run began.
        ModelError: encoder weights that cannot be had.
        GuardError: the result would mean nothing.
        OutOfMemory: the GPU cannot hold a batch; says which size it can.
        Interrupted: Ctrl-C; finished epochs are saved.
    """
    recorder = EpochRecorder(output / "metrics.csv", began=time.perf_counter())
    _check(config)
    folder = RunFolder(output)
    if data is not None:
        return _attempt(
            config, folder, lambda: data, SINGLE_PROCESS, recorder, resume=resume, quiet=quiet
        )
    with joined(resolve_device(config.training.device)) as processes:
        quiet = quiet or not processes.is_main

        def find() -> RunData:
            return find_data(config, cache=cache, processes=processes.local_count, quiet=quiet)

        return _attempt(
            config,
            folder,
            find if cache is None else lambda: processes.local_first(find),
            processes,
            recorder,
            resume=resume,
            quiet=quiet,
        )


def _attempt(
    config: TrainConfig,
    folder: RunFolder,
    find: Callable[[], RunData],
    processes: Processes,
    recorder: EpochRecorder,
    *,
    resume: bool,
    quiet: bool,
) -> RunResult:
    """Train, unless the folder is in the way or finished already."""
    processes.on_main_process(lambda: folder.check(config, resume=resume))
    data = find()
    finished = processes.on_main_process(
        lambda: folder.result(data.fingerprint, data.split, data.extra_fingerprints)
    )
    if finished is not None:
        return finished
    with ExitStack() as stack:
        processes.on_main_process(lambda: stack.enter_context(folder.held()))
        return _train(config, folder, data, processes, recorder, quiet=quiet)


def _train(
    config: TrainConfig,
    folder: RunFolder,
    data: RunData,
    processes: Processes,
    recorder: EpochRecorder,
    *,
    quiet: bool,
) -> RunResult:
    reset_peak_memory()
    with count("Reading pictures", quiet=quiet) as progress:
        data.prepare(progress)
    with keep_freed_memory():
        network, mode, state = _prepare(config, data, folder, processes)
        batches = SegmentationDataModule(
            data.pictures.resized,
            config,
            train=data.training_rows(config),
            validation=data.pictures.rows(data.split.validation),
            device=mode.device,
            shard=processes.shard,
        )
        with explaining_memory(network, config, mode):
            module = SegmentationModule(mode.place(network), config)
            trainer = make_trainer(config, folder, mode, processes, recorder, batches, quiet=quiet)
            processes.on_main_process(lambda: folder.begin(config, state))
            fit(trainer, module, batches, folder)
    return processes.on_main_process(
        lambda: _finish(config, folder, data, module, mode, state, recorder)
    )


def _finish(
    config: TrainConfig,
    folder: RunFolder,
    data: RunData,
    module: SegmentationModule,
    mode: Mode,
    state: RunState,
    recorder: EpochRecorder,
) -> RunResult:
    """Score the kept network in one process, whatever trained it, and write everything down."""
    kept_epoch, kept = _keep(config, folder, module, recorder)
    restore(kept)
    outcome = score_network(config, folder, data, kept, mode.device)
    if config.split.protocol != "source":  # failing on a source is what that test is to show
        check_floor(outcome.summary, outcome.baselines)
    save_model(config, folder, kept, state, outcome.summary)
    result = RunResult(
        name=folder.root.name,
        config=config,
        resolved=state.resolved,
        split=data.split,
        data_fingerprint=data.fingerprint,
        further_data=data.extra_fingerprints,
        epochs=tuple(recorder.epochs),
        kept_epoch=kept_epoch,
        setup=outcome.setup,
        scores=outcome.scores,
        summary=outcome.summary,
        baselines=outcome.baselines,
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
    config: TrainConfig, data: RunData, folder: RunFolder, processes: Processes
) -> tuple[SegmentationNetwork, Mode, RunState]:
    """Build the network and settle how it computes; a resumed run repeats its first choices."""
    torch.manual_seed(config.training.seed)  # the decoder's initial weights
    state = processes.on_main_process(lambda: _resumed_state(data, folder))
    if state is None:
        network = start_network(config.model)
        state = processes.on_main_process(lambda: _first_state(config, data, network))
    else:
        # All weights come from the checkpoint: the hub need not be within reach any more.
        weightless = {"encoder_weights": "none", "start_from": None}
        network = build_network(config.model.model_copy(update=weightless))
        network.normalise_by(state.resolved.mean, state.resolved.std)
    resolved = state.resolved
    device = processes.device(resolve_device(config.training.device))
    mode = Mode(device, resolved.precision, resolved.memory_format, resolved.timings)
    return network, mode, state


def _resumed_state(data: RunData, folder: RunFolder) -> RunState | None:
    state = folder.state(data.fingerprint, data.extra_fingerprints)
    if state is None or not folder.last.exists():
        return None
    _check_same_split(state, data, folder)
    return state


def _first_state(config: TrainConfig, data: RunData, network: SegmentationNetwork) -> RunState:
    started_from = check_start(config, data.fingerprint)
    frugal = Mode(resolve_device(config.training.device), "bf16", "channels_last", {})
    with explaining_memory(network, config, frugal):
        mode = choose_mode(network, config)
    resolved = Resolved(
        device=mode.device,
        precision=mode.precision,
        memory_format=mode.memory_format,
        encoder_weights=network.weights,
        mean=network.mean.flatten().tolist(),
        std=network.std.flatten().tolist(),
        timings=mode.timings,
        processes=process_count(),
    )
    return RunState(
        data_fingerprint=data.fingerprint,
        extra=data.extra_fingerprints,
        started_from=started_from,
        split=data.split,
        resolved=resolved,
        environment=describe_environment(mode.device),
    )


def _check_same_split(state: RunState, data: RunData, folder: RunFolder) -> None:
    if state.split != data.split:
        raise DataError(
            f"{folder.root}: the split comes out differently than when this run began, so its test "
            "pictures may have been trained on. Use the versions in its run.json or begin anew."
        )


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
