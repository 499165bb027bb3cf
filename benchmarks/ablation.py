r"""What each choice of the preset `default` is worth: one change at a time, paired over folds.

    .venv/bin/python -m benchmarks.ablation --folder runs/ablation --output FILE \
        [--processes 2] [--steps NAME ...]

Reads two files of benchmarks/accuracy: `screening.yaml`, a plan for `humanseg compare` that all
steps share, and `steps.yaml`, what each step changes. Trains every step by `humanseg compare`, on
the same folds; what is finished is kept, so an interrupted run goes on when it is started again.
With `--processes` that many steps are trained side by side with one thread each.

A step's difference from `base` is that of the mean scores of the same folds. Three folds of one
pair say little about luck, so the spread is pooled over all steps (`benchmarks.pooled_folds`). The
record is written of the steps that are finished.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.pooled_folds import pooled_differences, spread
from benchmarks.tables import link, p_value, points, table, three

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import load_yaml, resolve, to_yaml
from humanseg.results import (
    ComparisonResult,
    Environment,
    Interval,
    Record,
    RunResult,
    read_record,
    write_record,
    write_text,
)
from humanseg.system.errors import HumansegError
from humanseg.training import describe_environment

PLANS = Path(__file__).parent / "accuracy"
BASE = "base"


class StepScore(Record):
    """One metric of a step, and its difference from the base."""

    folds: tuple[float, ...]
    """Mean per-image score of every fold's test images."""
    mean: float
    difference: Interval | None
    """None for the base itself."""
    p: float | None
    """Corrected for the number of steps (Holm)."""


class Step(Record):
    """A setting, trained on every fold."""

    name: str
    changes: str
    """What it changes in the shared plan."""
    iou: StepScore
    boundary_iou: StepScore


class AblationRecord(Record):
    """Steps side by side on the same folds."""

    arch: str
    encoder: str
    image_size: tuple[int, int]
    epochs: int
    images: int
    trained_on: int
    """Images of the first fold's training part."""
    iou_spread: float
    """Deviation of a fold's mean IoU by luck, pooled over all steps."""
    steps: tuple[Step, ...]
    environment: Environment
    commits: tuple[str, ...] = ()
    """Of the code that trained, which `environment` need not name; empty in older records."""


def configuration(step: str, changes: Mapping[str, Any]) -> CompareConfig:
    """The plan of one step: the shared one with its changes."""
    try:
        return resolve(CompareConfig, file=PLANS / "screening.yaml", overrides=changes)
    except HumansegError as error:
        raise SystemExit(f"steps.yaml, {step}: {error}") from error


def finished(folder: Path) -> ComparisonResult | None:
    """What a comparison came to; None if it has not come to its end."""
    if not (folder / "results.json").exists():
        return None
    result = read_record(folder / "results.json", ComparisonResult)
    return None if result.missing or result.failed else result


def train_step(folder: Path, step: str, config: CompareConfig, threads: int) -> None:
    """Train a step by the command, unless it is finished.

    Raises:
        SystemExit: the command failed; it says where the log is.
    """
    plan = folder / f"{step}.yaml"
    write_text(plan, to_yaml(config))
    if finished(folder / step):
        return
    humanseg = Path(sys.executable).with_name("humanseg")
    arguments = [str(each) for each in (humanseg, "compare", "--config", plan)]
    arguments += ["--output", str(folder / step)]
    log = folder / f"{step}.log"
    with log.open("w") as stream:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(arguments, stdout=stream, stderr=stream, env=environment)
    if done.returncode:
        raise SystemExit(f"{step}: humanseg compare ended with {done.returncode}; see {log}.")


def settings(changes: Mapping[str, Any], section: str = "") -> Iterator[str]:
    """Every changed setting with its value."""
    for name, value in changes.items():
        if isinstance(value, Mapping):
            yield from settings(value, f"{section}{name}.")
        else:
            yield f"{section}{name}: {'none' if value is None else value}"


def scores(folds: Mapping[str, Sequence[float]], share: float) -> dict[str, StepScore]:
    """Means and differences of one metric by step.

    Args:
        folds: the metric by step and fold.
        share: images tested over images trained on.
    """
    differences = pooled_differences(folds, BASE, share)
    return {
        step: StepScore(
            folds=tuple(values),
            mean=sum(values) / len(values),
            difference=differences[step].interval if step in differences else None,
            p=differences[step].p if step in differences else None,
        )
        for step, values in folds.items()
    }


def summarise(
    results: Mapping[str, ComparisonResult], changes: Mapping[str, Mapping[str, Any]]
) -> AblationRecord:
    """The record of finished steps.

    Raises:
        SystemExit: the base is not among them, or steps were tested on different images.
    """
    if BASE not in results:
        raise SystemExit(f"{BASE}: is not finished; every step is compared with it.")
    runs = {step: sorted(result.runs, key=lambda run: run.name) for step, result in results.items()}
    tested = [run.split.test for run in runs[BASE]]
    for step, of_folds in runs.items():
        if [run.split.test for run in of_folds] != tested:
            raise SystemExit(f"{step}: was tested on other folds than {BASE}.")
    first = runs[BASE][0]
    share = len(tested[0]) / len(first.split.train)
    iou, boundary_iou = (
        scores({step: [score(run) for run in of_folds] for step, of_folds in runs.items()}, share)
        for score in (_iou, _boundary_iou)
    )
    return AblationRecord(
        arch=first.config.model.arch,
        encoder=first.config.model.encoder_name,
        image_size=first.config.model.image_size,
        epochs=first.config.training.epochs,
        images=sum(map(len, tested)),
        trained_on=len(first.split.train),
        iou_spread=spread([score.folds for score in iou.values()])[0],
        steps=tuple(
            Step(
                name=step,
                changes=", ".join(settings(changes[step])) or "nothing",
                iou=iou[step],
                boundary_iou=boundary_iou[step],
            )
            for step in runs
        ),
        environment=describe_environment("cpu"),
        commits=tuple(
            sorted({run.environment.commit or "unknown" for each in runs.values() for run in each})
        ),
    )


def _iou(run: RunResult) -> float:
    return _known(run, run.summary.iou_mean)


def _boundary_iou(run: RunResult) -> float:
    return _known(run, run.summary.boundary_iou_mean)


def _known(run: RunResult, score: float | None) -> float:
    if score is None:
        raise SystemExit(f"{run.name}: no tested image shows a person.")
    return score


def ablation_table(path: Path) -> str:
    """Every step beside the base, for docs/experiments.md."""
    record = read_record(path, AblationRecord)
    header = ["what is changed in `default`", "per-image IoU", "minus `default`'s, points", "p"]
    rows = [
        [
            step.changes,
            three(step.iou.mean),
            points(step.iou.difference),
            p_value(step.iou.p),
            three(step.boundary_iou.mean),
            points(step.boundary_iou.difference),
            p_value(step.boundary_iou.p),
        ]
        for step in record.steps
    ]
    header += ["Boundary IoU", "minus `default`'s, points", "p"]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def main() -> None:
    """Train the steps that are wanted, and write the record."""
    changes: dict[str, Mapping[str, Any]] = load_yaml(PLANS / "steps.yaml")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--steps", nargs="*", choices=list(changes), help="train only these; all if not given"
    )
    options = parser.parse_args()
    plans = {name: configuration(name, values) for name, values in changes.items()}
    options.folder.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // options.processes)
    with ThreadPoolExecutor(options.processes) as pool:
        started = [
            pool.submit(train_step, options.folder, name, plan, threads)
            for name, plan in plans.items()
            if options.steps is None or name in options.steps
        ]
        for run in started:
            run.result()
    if options.output:
        results = {name: finished(options.folder / name) for name in plans}
        known = {name: result for name, result in results.items() if result}
        write_record(options.output, summarise(known, changes))


if __name__ == "__main__":
    main()
