"""The scores of every image as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from humanseg.report.study import Scored, Study
from humanseg.report.study_plan import every_run
from humanseg.results import RunResult

_ABOUT = (
    "network",
    "run",
    "arch",
    "seed",
    "protocol",
    "split_seed",
    "fold",
    "held_out",
    "source",
    "id",
)
_COUNTS = (
    "height",
    "width",
    "tp",
    "fp",
    "fn",
    "tn",
    "boundary_intersection",
    "boundary_union",
    "contour_true",
    "contour_predicted",
    "contour_near_05",
    "contour_near_10",
)
_SHARES = (
    "distance_sum",
    "distance_p95",
    "iou",
    "dice",
    "boundary_iou",
    "surface_dice_05",
    "surface_dice_10",
    "assd",
    "hd95",
    "precision",
    "recall",
    "pixel_accuracy",
    "foreground_share",
)
CSV_COLUMNS = (*_ABOUT, *_COUNTS, *_SHARES)
"""Columns of scores.csv: what was scored, pixel counts, and what follows from them."""


def scores_csv(study: Study) -> str:
    """One row per network, run and image; a number that is undefined is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for network, record in _every_score(study):
        about = _about(network, record)
        for image in record.scores:
            counts = (getattr(image, name) for name in _COUNTS)
            shares = (getattr(image, name) for name in _SHARES)
            written = ("" if value is None else f"{value:.6f}" for value in shares)
            source = study.sources.get(image.id, "")
            writer.writerow((*about, source, image.id, *counts, *written))
    return stream.getvalue()


def _every_score(study: Study) -> Iterator[tuple[str, Scored]]:
    """Everything that was scored, those that left a source out too, with the network's name."""
    for network in study.networks:
        for record in network.scored:
            yield network.name, record
    for run in every_run(study) if study.result else ():
        if run.config.split.protocol == "source":
            yield run.config.model.arch, run


def _about(network: str, record: Scored) -> tuple[object, ...]:
    if not isinstance(record, RunResult):
        return (network, record.model, record.arch, *[""] * 5)
    split = record.config.split
    fold = split.fold if split.protocol == "folds" else ""
    return (
        network,
        record.name,
        record.config.model.arch,
        record.config.training.seed,
        split.protocol,
        split.seed,
        fold,
        split.left_out or "",
    )
