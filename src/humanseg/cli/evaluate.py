"""`humanseg evaluate`: scores of a trained network on labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.output import counter, say, score, table
from humanseg.config import TrainConfig
from humanseg.configuration import resolve
from humanseg.errors import UsageError

if TYPE_CHECKING:
    from humanseg.results import ScoreSummary


def evaluate(
    model: Annotated[Path, Parameter(help="Model directory, as training writes it.")],
    /,
    *,
    data: Annotated[Path, Parameter(help="Folder, CSV or COCO JSON with images and masks.")],
    layout: flags.LayoutName = "auto",
    threshold: flags.Threshold = None,
    flip_averaging: flags.FlipAveraging = None,
    output: Annotated[
        Path | None, Parameter(name=["-o", "--output"], help="JSON file for all scores.")
    ] = None,
) -> None:
    """Score a trained network on labelled pictures."""
    values: flags.Values = {"data": {"root": data, "layout": layout}}
    values = flags.with_shortcut(values, "--threshold", "evaluation.threshold", threshold)
    config = resolve(TrainConfig, overrides=values)
    if not model.exists():
        raise UsageError(f"{model}: does not exist; give a model directory.")
    flags.existing_data(data)
    flags.free_output_file(output)
    from humanseg.evaluation import evaluate as score_pictures
    from humanseg.results import write_record

    result = score_pictures(
        model,
        data=config.data,
        threshold=None if threshold is None else config.evaluation.threshold,
        flip_averaging=flip_averaging,
        progress=counter("Scoring"),
    )
    say(*_summary(result.summary))
    if output is not None:
        write_record(output, result)
        say("", f"Scores: {output}")


def _summary(summary: ScoreSummary) -> list[str]:
    rows = [
        ("Pictures", str(summary.images)),
        ("IoU, mean over pictures", score(summary.iou_mean)),
        ("IoU, standard deviation", score(summary.iou_sd)),
        ("IoU, median", score(summary.iou_median)),
        ("IoU, 5th percentile", score(summary.iou_p05)),
        ("Dice, mean over pictures", score(summary.dice_mean)),
        ("Boundary IoU, mean over pictures", score(summary.boundary_iou_mean)),
        ("IoU, all pixels pooled", score(summary.dataset_iou)),
        ("Pixel accuracy", score(summary.pixel_accuracy)),
        ("Batch IoU, as published", score(summary.batch_iou)),
    ]
    if summary.undefined:
        rows.insert(1, ("Of these without a person, and none found", str(summary.undefined)))
    return table(rows)
