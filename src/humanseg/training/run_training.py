"""One training run from configuration to scored model."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from humanseg.config.schema import TrainConfig
from humanseg.models import SegmentationNetwork, start_network
from humanseg.results import RunResult
from humanseg.system.errors import UsageError
from humanseg.system.malloc import keep_freed_memory
from humanseg.system.progress import Progress, of_stage
from humanseg.training.autotune import resolve_device
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.distributed import SINGLE_PROCESS, Processes, joined
from humanseg.training.finish import finish_run
from humanseg.training.fitting import fit
from humanseg.training.preparation import RunData, find_data_set
from humanseg.training.run_folder import RunFolder
from humanseg.training.run_start import RunContext, start_run


def train(
    config: TrainConfig,
    *,
    output: Path,
    cache: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
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
        progress: called with (done, total) in stages, in the first process only.
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
    recorder = EpochRecorder(output / "metrics.csv")
    _check(config)
    folder = RunFolder(output)

    def carry_out(processes: Processes, data: RunData | None) -> RunResult:
        watched = progress if processes.is_main else None
        processes.on_main_process(lambda: folder.check(config, resume=resume))
        if data is None:
            count = processes.local_count
            find = partial(find_data_set, config, cache=cache, processes=count, progress=watched)
            # With a cache, one process of every machine first: it decodes what others then read.
            data_set = find() if cache is None else processes.local_first(find)
            data = data_set.divided(config.split)
        return _finished_or_trained(RunContext(config, folder, data, processes, recorder, watched))

    if data is not None:
        return carry_out(SINGLE_PROCESS, data)
    with joined(resolve_device(config.training.device)) as processes:
        return carry_out(processes, None)


def _finished_or_trained(run: RunContext) -> RunResult:
    """The result that the folder holds already, or that of training now."""
    data, processes = run.data, run.processes
    finished = processes.on_main_process(lambda: run.folder.result(data))
    if finished is not None:
        return finished
    with ExitStack() as stack:
        processes.on_main_process(lambda: stack.enter_context(run.folder.held()))
        run.recorder.reset_peak_memory()
        data.prepare(of_stage(run.progress, "Reading images"))
        with keep_freed_memory():
            network, state = start_run(run)
            module = fit(run, network, state)
        return processes.on_main_process(lambda: finish_run(run, module, state))


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
