"""The scores of every image as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from humanseg.report.study import Scored, Study
from humanseg.report.study_plan import every_run
from humanseg.results import ImageScore, RunResult

_ABOUT = (
    "network", "run", "arch", "seed", "protocol", "split_seed", "fold", "held_out", "source", "id",
)  # fmt: skip
_MEASURED = tuple(name for name in ImageScore.model_fields if name != "id")
_DERIVED = (
    "iou", "dice", "boundary_iou", "surface_dice_05", "surface_dice_10", "assd", "hd95",
    "precision", "recall", "pixel_accuracy", "foreground_share",
)  # fmt: skip
CSV_COLUMNS = (*_ABOUT, *_MEASURED, *_DERIVED)
"""Columns of scores.csv: what was scored, pixel counts, and what follows from them."""


def scores_csv(study: Study) -> str:
    """One row per network, run and image; a number that is undefined is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for network, record in _every_score(study):
        about = _about(network, record)
        for image in record.scores:
            numbers = (_written(getattr(image, name)) for name in (*_MEASURED, *_DERIVED))
            writer.writerow((*about, study.sources.get(image.id, ""), image.id, *numbers))
    return stream.getvalue()


def _written(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6f}"


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
