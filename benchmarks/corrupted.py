"""Score a run's network on corrupted copies of images that it held out; RUN/corrupted.json.

    .venv/bin/python -m benchmarks.corrupted runs/finish-seed1 --images 20

Ten corruptions in five severities, see docs/robustness.md: fifty copies of every image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.bundle import held_out

from humanseg.cli.terminal import shown
from humanseg.evaluation.external import choose_images, score_corrupted
from humanseg.results import RunResult, read_record


def main() -> None:
    """Score and write the record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corrupted")
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    result = read_record(arguments.run / "result.json", RunResult)
    samples = {sample.id: sample for sample in held_out(result)}
    chosen = choose_images(list(samples), arguments.images, arguments.seed)
    with shown("Scoring", unit="images") as progress:
        score_corrupted(arguments.run, result, samples, chosen, progress)


if __name__ == "__main__":
    main()
