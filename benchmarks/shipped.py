"""How far the scores of a model as it ships are from those that comparisons report.

    .venv/bin/python -m benchmarks.shipped bundled DATA --ids 4,9,14 \
        --output benchmarks/results/NAME.json

The same images are scored three times: in torch in float32 from whole files, as every run of a
comparison is; and by ONNX Runtime in float32 and in int8 with files read as `humanseg predict`
reads them, JPEGs at a reduced scale and colour profiles applied.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np

from humanseg.data.layouts import discover
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.inference.segmenter import Segmenter
from humanseg.results import Environment, Evaluation, Record, ScoringSetup, write_record
from humanseg.results.provenance import describe_environment

Way = tuple[Literal["torch", "onnxruntime"], Literal["fp32", "int8"], bool]
WAYS: tuple[Way, ...] = (
    ("torch", "fp32", True),
    ("onnxruntime", "fp32", False),
    ("onnxruntime", "int8", False),
)


class Row(Record):
    """One way of running the model."""

    setup: ScoringSetup
    iou: float
    """Mean per-image IoU at the masks' native size."""
    boundary_iou: float
    iou_difference: float
    """Mean IoU minus that of the first row."""
    boundary_iou_difference: float
    largest_iou_difference: float
    """Of one image, in absolute value."""


class Result(Record):
    """The result file."""

    environment: Environment
    model: str
    images: int
    data_fingerprint: str
    rows: tuple[Row, ...]


def _row(scored: Evaluation, first: Evaluation) -> Row:
    iou, boundary_iou = scored.summary.iou_mean, scored.summary.boundary_iou_mean
    base_iou, base_boundary_iou = first.summary.iou_mean, first.summary.boundary_iou_mean
    if iou is None or boundary_iou is None or base_iou is None or base_boundary_iou is None:
        raise SystemExit("No image has a person in it.")
    pairs = [
        (score.iou or 0.0, base.iou or 0.0)
        for score, base in zip(scored.scores, first.scores, strict=True)
    ]
    return Row(
        setup=scored.setup,
        iou=iou,
        boundary_iou=boundary_iou,
        iou_difference=iou - base_iou,
        boundary_iou_difference=boundary_iou - base_boundary_iou,
        largest_iou_difference=float(np.abs(np.diff(pairs)).max()),
    )


def _link(data: Path, ids: set[str], folder: Path) -> Path:
    """Some samples of a data set as a data set of its own, by links."""
    for sample in discover(data):
        if sample.id in ids and sample.mask is not None:
            for part, file in (("images", sample.image), ("masks", sample.mask)):
                (folder / part).mkdir(exist_ok=True)
                (folder / part / f"{sample.id}{file.suffix}").symlink_to(file.resolve())
    return folder


def main() -> None:
    """Score, print a line for each way, and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--ids", required=True, help="images to score, separated by commas")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = _link(arguments.data, set(arguments.ids.split(",")), Path(folder))
        scored = []
        for backend, precision, whole_files in WAYS:
            segmenter = Segmenter(arguments.model, backend=backend, precision=precision)
            scored.append(evaluate(segmenter, data=data, whole_files=whole_files))
    rows = tuple(_row(evaluation, scored[0]) for evaluation in scored)
    for row in rows:
        print(
            f"{row.setup.backend} {row.setup.precision}: IoU {row.iou:.4f} "
            f"({row.iou_difference:+.4f}), Boundary IoU {row.boundary_iou:.4f} "
            f"({row.boundary_iou_difference:+.4f})"
        )
    result = Result(
        environment=describe_environment(device=rows[0].setup.device, threads=os.cpu_count()),
        model=arguments.model,
        images=len(scored[0].scores),
        data_fingerprint=scored[0].data_fingerprint,
        rows=rows,
    )
    write_record(arguments.output, result)


if __name__ == "__main__":
    main()
