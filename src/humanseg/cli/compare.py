"""`humanseg compare`: a plan of trainings, its report, and a short summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.cli import flags
from humanseg.cli.terminal import (
    bracket,
    complain,
    duration,
    note,
    numbered,
    say,
    score,
    shown,
    table,
    verdict,
)
from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import resolve, to_yaml
from humanseg.results.scores import mean_of

if TYPE_CHECKING:
    from humanseg.results import ComparisonResult, RunResult


def compare(
    *,
    data: flags.Data = None,
    preset: flags.PresetName = None,
    config: flags.ConfigFile = None,
    epochs: flags.Epochs = None,
    learning_rate: flags.LearningRate = None,
    batch_size: flags.BatchSize = None,
    output: flags.Output = None,
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    accept: flags.Accept = None,
    cache: flags.Cache = None,
    show_config: flags.ShowConfig = False,
    shard: flags.Shard = (1, 1),
    quiet: flags.Quiet = False,
    settings: flags.CompareFlags | None = None,
) -> int:
    """Train every network with every seed and write one report.

    A folder that holds an unfinished comparison with the same settings is continued.
    """
    shortcuts = {
        "--data": ("data.root", data),
        "--layout": ("data.layout", layout),
        "--classes": ("data.classes", classes or None),
        "--accept": ("data.accept", accept or None),
        "--epochs": ("training.epochs", epochs),
        "--lr": ("optimiser.learning_rate", learning_rate),
        "--batch-size": ("training.batch_size", batch_size),
    }
    values = flags.with_shortcuts(settings or {}, shortcuts)
    plan = resolve(CompareConfig, preset=preset, file=config, overrides=values)
    _note_single_seed(plan, values)
    if show_config:
        say(to_yaml(plan) + "# Runs:", *(f"#   {name}" for name in plan.runs()))
        return 0
    folder = flags.required_output(output)
    flags.existing_data(plan.data.root)
    flags.refuse_file(cache, "--cache")
    _note_what_cannot_be_proved(plan)
    return _run(plan, folder, cache, shard, quiet=quiet)


def _note_single_seed(plan: CompareConfig, values: flags.Values) -> None:
    """Say what a small number after --seeds means."""
    if values.get("seeds") is not None and len(plan.seeds) == 1 and 1 < plan.seeds[0] < 10:
        note(
            f"humanseg: note: --seeds {plan.seeds[0]} is one seed, the number {plan.seeds[0]}; for "
            "several trainings of each network give several numbers, such as --seeds 1 2 3."
        )


_ENOUGH_FOLDS = 5
_T_QUANTILES = {1: 12.7, 2: 4.3, 3: 3.2}
"""How many standard errors a difference must be from zero, by degrees of freedom (95 %)."""


def _note_what_cannot_be_proved(plan: CompareConfig) -> None:
    """Say before hours of training what the plan's protocol cannot decide between networks."""
    if len(plan.archs) < 2:
        return
    if plan.folds is None and len(plan.seeds) == 1:
        note(
            "humanseg: note: one training of each network on one split can say which scored "
            "highest here, not which is better; --folds 5 can."
        )
    freedom = (plan.folds or 0) * plan.repeats - 1
    if plan.folds is not None and freedom < _ENOUGH_FOLDS - 1:
        times = numbered(freedom, "degree")
        note(
            f"humanseg: note: with {plan.folds} folds the t-test has {times} of freedom: a "
            f"difference must be {_T_QUANTILES[freedom]} times its standard error to be claimed, "
            "2.8 times with 5 folds."
        )


def _run(
    plan: CompareConfig, folder: Path, cache: Path | None, shard: tuple[int, int], *, quiet: bool
) -> int:
    from humanseg.comparison.run_comparison import compare as carry_out
    from humanseg.report import write_report

    with shown("Comparing", quiet=quiet) as progress:
        watched = None if quiet else progress
        result = carry_out(plan, output=folder, cache=cache, shard=shard, progress=watched)
    files = write_report(folder)
    say(*_summary(result), *verdict(files.headline, files.warnings, files.cautions))
    say(f"Report: {files.html}")
    complain(*(f"{run.name} failed: {run.error}" for run in result.failed))
    if result.missing and not result.failed:
        note(
            f"{numbered(len(result.missing), 'run')} of the plan belong to other shards or are "
            "still to be done. Once the other shards have ended, the same command without --shard "
            "does what is left and merges all."
        )
    networks = result.analysis.networks if result.analysis else ()
    all_weak = bool(networks) and all(network.weak for network in networks)
    return 1 if result.failed or all_weak else 0


def _summary(result: ComparisonResult) -> list[str]:
    """One line per network, over all its runs, in the order of the plan."""
    rows = [("network", "runs", "IoU", "95 % interval", "boundary IoU", "training, each")]
    for arch in result.config.archs:
        runs = [
            run
            for run in result.runs
            if run.config.model.arch == arch and run.config.split.protocol != "source"
        ]
        if runs:
            rows.append((arch, str(len(runs)), *_numbers(result, arch, runs)))
    return table(rows) if len(rows) > 1 else ["No network was trained."]


def _numbers(
    result: ComparisonResult, arch: str, runs: list[RunResult]
) -> tuple[str, str, str, str]:
    seconds = duration(sum(run.cost.train_seconds for run in runs) / len(runs))
    networks = result.analysis.networks if result.analysis else ()
    metrics = next((network.metrics for network in networks if network.name == arch), {})
    if "iou" in metrics:
        iou, contour = metrics["iou"], metrics.get("boundary_iou")
        return (
            score(iou.estimate),
            bracket(iou.low, iou.high),
            score(contour.estimate if contour else None),
            seconds,
        )
    scores = [run.summary for run in runs]
    return (
        score(mean_of(summary.iou_mean for summary in scores)),
        "-",
        score(mean_of(summary.boundary_iou_mean for summary in scores)),
        seconds,
    )
