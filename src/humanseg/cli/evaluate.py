"""`humanseg evaluate`: scores of a trained network on labelled pictures, with a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import bracket, note, numbered, say, score, shown, table, verdict
from humanseg.model_directory import model_names
from humanseg.model_directory.hub import is_address
from humanseg.results.scores import iou_of, mean_of
from humanseg.system.errors import UsageError

if TYPE_CHECKING:
    from humanseg.report.study import Study
    from humanseg.results import AttributeAnalysis, Evaluation

_ROWS = {
    "iou": "IoU, mean over pictures",
    "iou_sd": "IoU, standard deviation",
    "iou_median": "IoU, median",
    "iou_p05": "IoU, 5th percentile",
    "dice": "Dice, mean over pictures",
    "boundary_iou": "Boundary IoU, mean over pictures",
    "surface_dice_10": "Surface Dice at 1 % of the diagonal",
    "dataset_iou": "IoU, all pixels pooled",
    "two_class_miou": "IoU, mean of person and background",
    "pixel_accuracy": "Pixel accuracy",
    "ece": "Calibration error",
    "false_positive_images": "Pictures without people that were marked",
    "false_positive_area": "Area marked in pictures without people",
}


def evaluate(
    model: Annotated[
        Path, Parameter(help="Model directory, as training writes it, or a name such as bundled.")
    ],
    /,
    *,
    data: flags.Root,
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    groups: Annotated[
        Path | None,
        Parameter(help="CSV with id and group, source or both; pictures of a group count as one."),
    ] = None,
    by: Annotated[
        tuple[str, ...],
        Parameter(
            consume_multiple=True,
            negative_iterable="",
            help="Attributes to score by: person-size, people, cut-off, luminance, contrast, or "
            "columns of --groups.",
        ),
    ] = (),
    backend: Annotated[
        flags.Backend,
        Parameter(help="What runs the network; as for `humanseg predict` by default."),
    ] = "auto",
    precision: Annotated[
        flags.Precision,
        Parameter(help="Arithmetic of the network; as for `humanseg predict` by default."),
    ] = "auto",
    device: Annotated[
        flags.Device,
        Parameter(help="Where it runs; a device that is missing is an error."),
    ] = "auto",
    whole_files: Annotated[
        bool,
        flags.option(
            help="Decode JPEGs whole and ignore colour profiles; with --backend torch --precision "
            "fp32 the way that comparisons are scored."
        ),
    ] = False,
    threshold: flags.Threshold = None,
    flip_averaging: flags.FlipAveraging = None,
    sure_share: flags.SureShare = None,
    output: Annotated[
        Path | None, flags.output("Folder for the page, all scores and masks.")
    ] = None,
) -> None:
    """Score a model as `humanseg predict` runs it, with confidence intervals and a page."""
    config = flags.settings_of_data(data, layout, classes, threshold=threshold)
    if not (model.exists() or is_address(model) or str(model) in model_names()):
        *names, last = model_names()
        told = f"{', '.join(names)} or {last}"
        raise UsageError(f"{model}: does not exist; give a model directory, {told}.")
    flags.refuse_file(output, "-o")
    from humanseg.evaluation.evaluate_model import evaluate as evaluate_model
    from humanseg.inference.segmenter import Segmenter

    segmenter = Segmenter(
        model,
        backend=backend,
        precision=precision,
        device=device,
        threshold=None if threshold is None else config.evaluation.threshold,
        flip_averaging=flip_averaging,
        sure_share=sure_share,
    )
    with shown("Scoring", unit="images") as progress:
        result = evaluate_model(
            segmenter,
            data=data,
            layout=config.data.layout,
            classes=config.data.classes,
            groups=groups,
            by=by,
            whole_files=whole_files,
            output=output,
            progress=progress,
        )
    from humanseg.report import write_report
    from humanseg.report.load_study import evaluation_study
    from humanseg.report.text.summary_text import answer

    study = evaluation_study(output or Path(), result)
    said = answer(study)
    say(
        *_summary(result),
        *_intervals(study),
        *_by_groups(result),
        *verdict(said.headline, said.warnings, len(said.cautions)),
    )
    inverse = _inverse_iou(result)
    if inverse is not None and inverse > (result.summary.iou_mean or 0.0):
        note(
            f"humanseg: warning: the model fits the inverse of the masks better (IoU {inverse:.3f} "
            "against what is above), so they seem to mark the background; see `humanseg data check "
            f"{data}`."
        )
    if output is not None:
        say(f"Report: {write_report(output).html}")


def _inverse_iou(result: Evaluation) -> float | None:
    """Mean IoU of the masks with the inverses of the true ones, over images that have either."""
    # What is marked in the background agrees with the inverse; in the person it does not.
    return mean_of(iou_of(score.fp, score.tp, score.tn) for score in result.scores)


def _summary(result: Evaluation) -> list[str]:
    summary, analysis = result.summary, result.analysis
    metrics = analysis.networks[0].metrics if analysis else {}
    rows = [("Pictures", str(summary.images), "")]
    if summary.undefined:
        rows.append(("Of these without a person", str(summary.undefined), ""))
    rows += [
        (label, score(metrics[name].estimate), bracket(metrics[name].low, metrics[name].high))
        for name, label in _ROWS.items()
        if name in metrics
    ]
    rows.append(("Batch IoU, as published", score(summary.batch_iou), ""))
    lines = table(rows)
    lines.append(f"Run by {result.setup.words}.")
    return lines


def _intervals(study: Study) -> Iterator[str]:
    from humanseg.report.study import extent

    groups, people = extent(study).groups, extent(study, people=True).groups
    some = f", {people:,} of them with people" if people < groups else ""
    if groups > 1:
        yield f"In brackets: 95 % intervals over {numbered(groups, 'group')}{some}."


def _by_groups(result: Evaluation) -> Iterator[str]:
    for attribute in result.analysis.attributes if result.analysis else ():
        yield from ("", *_by_group(attribute))


def _by_group(scored: AttributeAnalysis) -> list[str]:
    from humanseg.evaluation.by_attribute import SMALLEST_GROUP
    from humanseg.report.tables.score_tables import independent, luck

    rows = [(f"By {scored.attribute}", "pictures", "IoU", "")]
    for group in scored.groups:
        iou = group.metrics.get("iou")
        cells = (
            (score(iou.estimate), bracket(iou.low, iou.high))
            if iou
            else ("-", f"fewer than {SMALLEST_GROUP} independent, not scored")
        )
        rows.append((f"  {group.name}", independent(group), *cells))
    if scored.unlabelled:
        rows.append(("  not known", str(scored.unlabelled), "-", "not scored"))
    lines = table(rows)
    if scored.gap:
        lines.append(
            f"Worst: {scored.worst}. Largest gap, {scored.best} less {scored.worst}: "
            f"{score(scored.gap.estimate)} {bracket(scored.gap.low, scored.gap.high)}"
            f"{luck(scored)}."
        )
    return lines
