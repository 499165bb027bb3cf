"""`humanseg train`: one network, new or resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import (
    complain,
    duration,
    is_secondary_process,
    say,
    score,
    shown,
    table,
    verdict,
)
from humanseg.config.loading import read_stored, resolve, to_yaml
from humanseg.config.schema import MOVABLE, TrainConfig
from humanseg.model_directory import structure_of
from humanseg.system.errors import UsageError


def train(
    *,
    arch: flags.ArchName = None,
    data: flags.Data = None,
    preset: flags.PresetName = None,
    config: flags.ConfigFile = None,
    seed: flags.Seed = None,
    epochs: flags.Epochs = None,
    learning_rate: flags.LearningRate = None,
    batch_size: flags.BatchSize = None,
    start: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="Model directory or name, such as bundled: start from its weights, with its "
            "architecture and input size, and with the preset finetune unless another is given.",
        ),
    ] = None,
    output: flags.Output = None,
    resume: Annotated[
        Path | None,
        Parameter(
            help="Continue this run with its own settings; --data says where its pictures are now."
        ),
    ] = None,
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    accept: flags.Accept = None,
    cache: flags.Cache = None,
    show_config: flags.ShowConfig = False,
    quiet: flags.Quiet = False,
    settings: flags.TrainFlags | None = None,
) -> int:
    """Train one network.

    Started by torchrun or srun, all processes train it together; they divide every batch.
    """
    values = settings or {}
    shortcuts = {
        "--arch": ("model.arch", arch),
        "--data": ("data.root", data),
        "--layout": ("data.layout", layout),
        "--classes": ("data.classes", classes or None),
        "--accept": ("data.accept", accept or None),
        "--seed": ("training.seed", seed),
        "--epochs": ("training.epochs", epochs),
        "--lr": ("optimiser.learning_rate", learning_rate),
        "--batch-size": ("training.batch_size", batch_size),
        "--from": ("model.start_from", start),
    }
    if resume is None:
        values = flags.with_shortcuts(values, shortcuts)
        base: flags.Values | None = None
        if start is not None:
            base = {"model": structure_of(start)}
            preset = preset or "finetune"
        chosen = resolve(TrainConfig, preset=preset, start=base, file=config, overrides=values)
    else:
        elsewhere = output is not None and output.resolve() != resume.resolve()
        others = {"--preset": preset, "--config": config, "-o": output if elsewhere else None}
        chosen = _stored(resume, values, shortcuts, others)
    if show_config:
        say(to_yaml(chosen).rstrip())
        return 0
    folder = resume or flags.required_output(output)
    flags.existing_data(chosen.data.root)
    flags.refuse_file(cache, "--cache")
    return _run(chosen, folder, cache, resume=resume is not None, quiet=quiet)


def _stored(
    run: Path,
    values: flags.Values,
    shortcuts: flags.Shortcuts,
    others: Mapping[str, object],
) -> TrainConfig:
    """Settings of a run to resume: flags may only say where its data are, and accept errors."""
    movable = {f"data.{name}" for name in MOVABLE}
    fixed = {flag: value for flag, (key, value) in shortcuts.items() if key not in movable}
    refused = [flag for flag, value in {**fixed, **others}.items() if value is not None]
    refused += [
        flag for flag in flags.typed_flags(values) if flag.removeprefix("--") not in movable
    ]
    if refused:
        raise UsageError(
            f"--resume continues {run} with the settings and in the folder it has; "
            f"leave out {', '.join(refused)}."
        )
    file = run / "config.yaml"
    if not file.is_file():
        raise UsageError(f"{run}: holds no run to resume (no config.yaml in it).")
    return read_stored(TrainConfig, file, flags.with_shortcuts(values, shortcuts))


def _run(
    chosen: TrainConfig, folder: Path, cache: Path | None, *, resume: bool, quiet: bool
) -> int:
    from humanseg.report.load_study import run_study
    from humanseg.report.text.summary_text import answer
    from humanseg.training import train as train_network

    with shown("Training", quiet=quiet) as progress:
        watched = None if quiet else progress
        result = train_network(chosen, output=folder, cache=cache, resume=resume, progress=watched)
    if is_secondary_process():
        return int(result.weak)
    rows = [
        ("IoU (mean over pictures)", score(result.summary.iou_mean)),
        ("Boundary IoU", score(result.summary.boundary_iou_mean)),
        ("Batch IoU", score(result.summary.batch_iou)),
        ("Baseline IoU: the mean training mask", score(result.baseline)),
        ("Training", duration(result.cost.train_seconds)),
    ]
    said = answer(run_study(folder, result))
    say(*table(rows), *verdict(said.headline, said.warnings, len(said.cautions)), f"Run: {folder}")
    if result.weak:
        complain(
            f"The network's per-image IoU of {score(result.summary.iou_mean)} is no better than "
            f"{score(result.baseline)}, which the mean training mask reaches without looking at "
            "the picture."
        )
    return int(result.weak)
