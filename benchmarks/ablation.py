r"""What each choice of the preset `default` is worth: one change at a time, paired over folds.

    .venv/bin/python -m benchmarks.ablation --folder runs/ablation --output FILE [--processes 2]

Reads two files of benchmarks/accuracy: `screening.yaml`, a plan for `humanseg compare` that all
steps share, and `steps.yaml`, what each step changes. Trains every step by `humanseg compare`, on
the same folds; what is finished is kept, so an interrupted run goes on when it is started again.
With `--processes` that many steps are trained side by side with one thread each.

A step's difference from `base` is the mean over images, each scored by the network of its fold.
Three folds of one pair say little about luck, so the spread of differences by fold is pooled
over all steps (`benchmarks.pooled_folds`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import load_yaml, resolve, to_yaml
from humanseg.results import write_text

PLANS = Path(__file__).parent / "accuracy"


def configuration(step: str, changes: Mapping[str, Any]) -> CompareConfig:
    """The plan of one step: the shared one with its changes."""
    try:
        return resolve(CompareConfig, file=PLANS / "screening.yaml", overrides=changes)
    except Exception as error:
        raise SystemExit(f"steps.yaml, {step}: {error}") from error


def train_step(folder: Path, step: str, config: CompareConfig, threads: int) -> None:
    """Train a step by the command, unless it is finished.

    Raises:
        SystemExit: the command failed; its last words are said.
    """
    plan = folder / f"{step}.yaml"
    write_text(plan, to_yaml(config))
    if (folder / step / "results.json").exists():
        return
    humanseg = Path(sys.executable).with_name("humanseg")
    arguments = [humanseg, "compare", "--config", plan, "--output", folder / step]
    log = folder / f"{step}.log"
    with log.open("w") as stream:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(arguments, stdout=stream, stderr=stream, env=environment)
    if done.returncode:
        raise SystemExit(f"{step}: humanseg compare ended with {done.returncode}; see {log}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--steps", nargs="+", help="only these; all if not given")
    options = parser.parse_args()
    steps = {
        name: configuration(name, changes)
        for name, changes in load_yaml(PLANS / "steps.yaml").items()
        if options.steps is None or name in options.steps
    }
    options.folder.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // options.processes)
    with ThreadPoolExecutor(options.processes) as pool:
        started = [
            pool.submit(train_step, options.folder, name, config, threads)
            for name, config in steps.items()
        ]
        for run in started:
            run.result()


if __name__ == "__main__":
    main()
