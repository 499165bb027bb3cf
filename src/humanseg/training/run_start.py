"""How a run begins, or goes on: what all of it shares, its network, and its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from humanseg.config.schema import TrainConfig
from humanseg.model_directory import WEIGHTS_FILE, digests, find_model
from humanseg.models import SegmentationNetwork, build_network, start_network
from humanseg.results import Environment, Resolved, provenance
from humanseg.system.errors import DataError
from humanseg.system.progress import Progress
from humanseg.training.autotune import ComputeMode, choose_mode, explaining_memory, resolve_device
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.distributed import Processes
from humanseg.training.further_data import check_start, find_starts
from humanseg.training.preparation import RunData
from humanseg.training.run_folder import RunFolder, RunState, settings_digest


@dataclass(frozen=True)
class RunContext:
    """One run in this process."""

    config: TrainConfig
    folder: RunFolder
    data: RunData
    processes: Processes
    recorder: EpochRecorder
    progress: Progress | None
    """Told how far the run is; None where nobody watches, as in all processes but the first."""

    @property
    def device(self) -> str:
        """What this process computes on, such as `cuda:1`."""
        return self.processes.device(resolve_device(self.config.training.device))


def start_run(run: RunContext) -> tuple[SegmentationNetwork, RunState]:
    """Build the network and settle how it computes; a resumed run repeats its first choices."""
    config, processes = run.config, run.processes
    torch.manual_seed(config.training.seed)  # the decoder's initial weights
    state = processes.on_main_process(lambda: _resumed_state(run))
    if state is None:
        network = start_network(config.model)
        state = processes.on_main_process(lambda: _first_state(run, network))
    else:
        # All weights come from the checkpoint: the hub need not be within reach any more.
        network = build_network(config.model.model_copy(update={"encoder_weights": "none"}))
        network.normalise_by(state.resolved.mean, state.resolved.std)
    return network, state


def _resumed_state(run: RunContext) -> RunState | None:
    data, folder = run.data, run.folder
    state = folder.state(data)
    if state is None or not folder.last.exists():
        return None
    if state.split != data.split:
        raise DataError(
            f"{folder.root}: the split comes out differently than when this run began, so its test "
            "pictures may have been trained on. Use the versions in its run.json or begin anew."
        )
    if state.teacher not in (None, _teacher(run.config)):
        raise DataError(
            f"{folder.root}: loss.teacher ({run.config.loss.teacher}) has other weights than when "
            "this run began; put them back, or begin in another folder."
        )
    return state


def _teacher(config: TrainConfig) -> str | None:
    """SHA-256 of the weights of the model to learn from."""
    name = config.loss.teacher
    return None if name is None else digests(find_model(name))[WEIGHTS_FILE]


def _first_state(run: RunContext, network: SegmentationNetwork) -> RunState:
    config, data = run.config, run.data
    starts = find_starts(config)
    for start in starts:
        check_start(start, config, data.fingerprint, data.held_out)
    with explaining_memory(network, config, ComputeMode(run.device, "bf16", "channels_last")):
        mode = choose_mode(network, config)
    resolved = Resolved(
        device=mode.device,
        precision=mode.precision,
        memory_format=mode.memory_format,
        encoder_weights=network.weights,
        mean=network.mean.flatten().tolist(),
        std=network.std.flatten().tolist(),
        timings=mode.timings,
        processes=run.processes.count,
    )
    return RunState(
        settings=settings_digest(config),
        data_fingerprint=data.fingerprint,
        extra=data.extra_fingerprints,
        started_from=tuple({name: None for start in starts for name in start.fingerprints}),
        inherited=tuple({line: None for start in starts for line in start.provenance}),
        teacher=_teacher(config),
        split=data.split,
        resolved=resolved,
        environment=describe_environment(mode.device),
    )


def describe_environment(device: str) -> Environment:
    """Date, command, versions, commit and hardware of a run on `device`."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return provenance.describe_environment(device=name, threads=torch.get_num_threads())
