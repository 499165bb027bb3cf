"""`humanseg compare`: a plan of trainings, its report, and a short summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.cli import flags
from humanseg.cli.ignored import note_ignored
from humanseg.cli.output import complain, duration, mean, say, score, table
from humanseg.config import CompareConfig
from humanseg.configuration import resolve, to_yaml

if TYPE_CHECKING:
    from humanseg.results import ComparisonResult, RunResult


def compare(
    *,
    data: flags.Data = None,
    preset: flags.PresetName = None,
    config: flags.ConfigFile = None,
    output: flags.Output = None,
    show_config: flags.ShowConfig = False,
    shard: flags.Shard = None,
    quiet: flags.Quiet = False,
    settings: flags.CompareFlags | None = None,
) -> int:
    """Train every network with every seed and write one report.

    A folder that holds an unfinished comparison with the same settings is continued.
    """
    values = flags.with_shortcut(settings or {}, "--data", "data.root", data)
    plan = resolve(CompareConfig, preset=preset, file=config, overrides=values)
    note_ignored(plan, file=config, values=values)
    if show_config:
        say(to_yaml(plan) + "# Runs:", *(f"#   {name}" for name in plan.runs()))
        return 0
    folder = flags.required_output(output)
    flags.existing_data(plan.data.root)
    return _run(plan, folder, flags.parsed_shard(shard), quiet=quiet)


def _run(plan: CompareConfig, folder: Path, shard: tuple[int, int], *, quiet: bool) -> int:
    from humanseg.comparison import compare as carry_out
    from humanseg.report import write_report

    result = carry_out(plan, output=folder, shard=shard, quiet=quiet)
    files = write_report(folder)
    say(*_summary(result), "", f"Report: {files.html}")
    complain(*(f"{run.name} failed: {run.error}" for run in result.failed))
    return 1 if result.failed else 0


def _summary(result: ComparisonResult) -> list[str]:
    """One line per network, over all its seeds, in the order of the plan."""
    rows = [("network", "seeds", "IoU", "boundary IoU", "batch IoU", "training")]
    for arch in result.config.archs:
        runs = [run for run in result.runs if run.config.model.arch == arch]
        if runs:
            rows.append((arch, str(len(runs)), *_means(runs)))
    if len(rows) == 1:
        return ["No network was trained."]
    lines = table(rows)
    if len(result.config.seeds) > 1:
        lines.append("Means over seeds; their spread is in the report.")
    return lines


def _means(runs: list[RunResult]) -> tuple[str, str, str, str]:
    scores = [run.summary for run in runs]
    seconds = sum(run.cost.train_seconds for run in runs) / len(runs)
    return (
        score(mean([one.iou_mean for one in scores])),
        score(mean([one.boundary_iou_mean for one in scores])),
        score(mean([one.batch_iou for one in scores])),
        duration(seconds),
    )
