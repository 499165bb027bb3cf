"""Score the stored predictions of a finished comparison again: time and memory.

    .venv/bin/python benchmarks/scoring.py runs/folds --output benchmarks/results/NAME.json

Every run of the main protocol is scored: with folds, that is every picture once per network.
"""

from __future__ import annotations

import argparse
import resource
import time
from functools import partial
from pathlib import Path
from typing import Any

from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.evaluation.scoring import score_samples
from humanseg.images.stored_maps import read_probability
from humanseg.results import ComparisonResult, Environment, Record, read_record, write_record
from humanseg.training import describe_environment


class Row(Record):
    """One run."""

    name: str
    pictures: int
    seconds: float
    peak_memory_mib: float
    """Largest resident memory of the process so far."""


class Result(Record):
    """The result file."""

    environment: Environment
    pictures: int
    seconds: float
    rows: tuple[Row, ...]


def _stored(folder: Path, sample: Sample) -> Any:  # noqa: ANN401  a map in an image's place
    return read_probability(folder / f"{sample.id}.png")


def _unchanged(probability: Any) -> Any:  # noqa: ANN401
    return probability


def main() -> None:
    """Score, check that the scores are those on record, and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    comparison = read_record(arguments.run / "results.json", ComparisonResult)
    data = comparison.config.data
    if data.root is None:
        raise SystemExit("The comparison names no data.")
    samples = {sample.id: sample for sample in discover(data.root, data.layout)}
    rows = []
    for run in comparison.runs:
        if run.config.split.protocol == "source":
            continue
        folder = arguments.run / "runs" / run.name / "predictions"
        begin = time.perf_counter()
        scored = score_samples(
            [samples[score.id] for score in run.scores],
            _unchanged,
            threshold=run.config.evaluation.threshold,
            mask_resize=run.config.data.mask_resize,
            read=partial(_stored, folder),
        )
        seconds = time.perf_counter() - begin
        if scored.scores != run.scores:
            raise SystemExit(f"{run.name}: the scores are not those on record.")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append(
            Row(name=run.name, pictures=len(run.scores), seconds=seconds, peak_memory_mib=peak)
        )
        print(f"{run.name}: {len(run.scores)} pictures, {seconds:.2f} s, {peak:.0f} MiB")
    write_record(
        arguments.output,
        Result(
            environment=describe_environment("cpu"),
            pictures=sum(row.pictures for row in rows),
            seconds=sum(row.seconds for row in rows),
            rows=tuple(rows),
        ),
    )


if __name__ == "__main__":
    main()
