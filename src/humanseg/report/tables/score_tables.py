"""Tables of scores: overlap, contours, pixels, parts of the images, and runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from humanseg.evaluation.statistics.paired import SIGNIFICANCE
from humanseg.report.formatting import (
    bounded,
    capitalised,
    counted,
    in_groups,
    listed,
    p_value,
    percent,
    score,
)
from humanseg.report.ranking import METRIC_NAMES, metric_of
from humanseg.report.study import Network, Study, extent, grouped
from humanseg.report.study_plan import repeats
from humanseg.report.tables.table import NETWORK, Column, Row, Table, network_row, numbers, words
from humanseg.results import AttributeAnalysis, AttributeGroup, Bound, RunResult

BOUND_NAMES = {
    "mean_mask": "Baseline: mean training mask",
    "all_background": "Baseline: all background",
    "output_grid": "Upper bound: true mask through the {detail}output grid",
    "label_agreement": "Upper bound: two true masks of one photograph",
}


@dataclass(frozen=True)
class _Measure:
    """A column of a score table."""

    column: Column
    cell: Callable[[Study, Network], str]
    metric: str = ""
    """Its name in `NetworkAnalysis.metrics`; empty for what is not in an analysis."""


def _measure(
    metric: str,
    label: str,
    group: str,
    show: Callable[[float], str] = score,
    *,
    interval: bool = False,
) -> _Measure:
    def cell(study: Study, network: Network) -> str:
        value = metric_of(study, network, metric)
        return bounded(value, show) if interval or value is None else show(value.estimate)

    return _Measure(Column(label, group), cell, metric)


def _seed_sd(study: Study, network: Network) -> str:
    own = study.analysed(network)
    return "" if own is None or own.seed_sd is None else score(own.seed_sd)


_IOU, _MEAN = "Per-image IoU", "Mean over pictures"
_DIAGONAL = "Share of the diagonal, lower is better"
_POOLED, _CALIBRATION = "All pixels pooled", "Calibration error, lower is better"
_share_of_diagonal = partial(percent, decimals=2)
_OVERLAP = (
    _measure("iou", "Mean [95 % interval]", _IOU, interval=True),
    _measure("iou_sd", "± SD over pictures", _IOU),
    _measure("iou_median", "Median", _IOU),
    _measure("iou_p05", "5th percentile", _IOU),
    _measure("dice", "Dice", _MEAN, interval=True),
)
_CONTOUR = (
    _measure("boundary_iou", "Boundary IoU", _MEAN, interval=True),
    _measure("surface_dice_05", "NSD at 0.5 %", _MEAN, interval=True),
    _measure("surface_dice_10", "NSD at 1 %", _MEAN, interval=True),
    _measure("assd", "ASSD", _DIAGONAL, _share_of_diagonal),
    _measure("hd95", "HD95", _DIAGONAL, _share_of_diagonal),
)
_PIXEL = (
    _measure("dataset_iou", "Dataset IoU", _POOLED, interval=True),
    _measure("two_class_miou", "Two-class mIoU", _POOLED),
    _measure("pixel_accuracy", "Pixel accuracy", _POOLED),
    _measure("precision", "Precision", _MEAN),
    _measure("recall", "Recall", _MEAN),
    _measure("ece", "All pixels", _CALIBRATION),
    _measure("band_ece", "Near contours", _CALIBRATION),
)
_SEEDS = _Measure(Column("SD over seeds", _IOU), _seed_sd)
_BATCH = _Measure(
    Column("Batch-averaged IoU", "Published convention, do not mix with the others", aside=True),
    lambda _, network: score(network.mean("batch_iou")),
)


def overlap_table(study: Study) -> Table:
    """Per-image overlap by network, baselines and upper bounds beneath."""
    seeds = [_SEEDS] if any(_seed_sd(study, network) for network in study.networks) else []
    batches = any(network.mean("batch_iou") is not None for network in study.networks)
    measures = [*_OVERLAP[:2], *seeds, *_OVERLAP[2:], *([_BATCH] if batches else [])]
    caption = f"Overlap with the true masks, {_scored(study)}."
    return _score_table("overlap", study, measures, caption)


def contour_table(study: Study) -> Table:
    """How well contours fit by network, baselines and upper bounds beneath."""
    counts = [
        f"{counted(analysed.without_contour, 'picture')} of {network.label}"
        for network in study.finished
        if (analysed := study.analysed(network)) and analysed.without_contour
    ]
    caption = f"Fit of the contours, {_scored(study)}."
    if counts:
        caption += (
            f" ASSD and HD95 are the whole diagonal, for want of a contour, in {listed(counts)}."
        )
    return _score_table("contour", study, _CONTOUR, caption)


def pixel_table(study: Study) -> Table:
    """Pooled scores, kinds of errors, and how far probabilities can be believed."""
    caption = f"All pixels pooled, kinds of errors, and calibration, {_scored(study)}."
    return _score_table("pixels", study, _PIXEL, caption)


def _scored(study: Study) -> str:
    every, people = extent(study), extent(study, people=True)
    some = f", {people.images:,} of them with people" if people != every else ""
    return f"on {counted(every.images, 'picture')}{some}"


def _score_table(id_: str, study: Study, measures: Sequence[_Measure], caption: str) -> Table:
    rows = [
        network_row(network, *(each.cell(study, network) for each in measures))
        for network in study.networks
    ]
    shared = METRIC_NAMES.keys() & {each.metric for each in measures}
    for bound in study.analysis.bounds if shared else ():
        cells = (
            score(getattr(bound, each.metric)) if each.metric in shared else "" for each in measures
        )
        name = _bound_name(study, bound)
        rows.append(Row((name, *cells), "baseline" if bound.side == "baseline" else "bound"))
    return Table(id_, caption, (NETWORK, *(each.column for each in measures)), rows)


def _bound_name(study: Study, bound: Bound) -> str:
    grid = f"{bound.detail.replace('x', '×')} " if bound.detail else ""
    name = BOUND_NAMES[bound.name].format(detail=grid)
    if bound.detail and bound.name != "output_grid":
        name += f", {bound.detail}"
    if bound.networks:
        name += f" ({listed([study.network(name).label for name in bound.networks])})"
    return name


def fold_table(study: Study) -> Table:
    """Mean IoU of every run, where a network has several."""
    networks = study.trained
    several = any(len(network.runs) > 1 for network in networks)
    means = grouped(
        (_common_name(study, run), (network, run.summary.iou_mean))
        for network in networks
        for run in network.runs
    )
    rows = [
        Row((name, *(score(dict(own).get(network)) for network in networks)))
        for name, own in (means.items() if several else ())
    ]
    columns = (*words("Run"), *numbers(*(each.label for each in networks), group=_IOU))
    return Table("folds", "Mean over the test pictures of every run.", columns, rows)


def _common_name(study: Study, run: RunResult) -> str:
    """What a run has in common with the runs of other networks."""
    split = run.config.split
    parts = []
    if repeats(study) > 1:
        seeds = sorted({other.config.split.seed for other in study.runs})
        parts.append(f"repeat {seeds.index(split.seed) + 1}")
    if split.protocol == "folds":
        parts.append(f"fold {split.fold}")
    parts.append(f"seed {run.config.training.seed}")
    return capitalised(", ".join(parts))


def attribute_table(study: Study) -> Table:
    """Scores of a single model by attributes of the images, and how far the worst group is off."""
    rows = []
    for each in study.analysis.attributes:
        for group in each.groups:
            cells = (bounded(group.metrics.get(metric)) for metric in METRIC_NAMES)
            number = independent(group)
            rows.append(Row((f"{each.attribute}: {group.name}", number, *cells)))
        if each.gap:
            name = f"{each.attribute}: largest gap, {each.best} less {each.worst}{luck(each)}"
            rows.append(Row((name, "", bounded(each.gap), ""), "spread"))
    caption = (
        "Means by attributes; fewer than 20 pictures that are independent of each other are not "
        "scored."
    )
    columns = (*words("Pictures"), *numbers("Number", *map(capitalised, METRIC_NAMES.values())))
    return Table("attributes", caption, columns, rows)


def independent(group: AttributeGroup) -> str:
    """How many pictures a group has, and of how many people or scenes where these are fewer."""
    groups = group.images if group.independent is None else group.independent
    return f"{group.images:,}{in_groups(group.images, groups)}"


def luck(scored: AttributeAnalysis) -> str:
    """Whether chance alone makes so large a gap, to follow it; empty in older records."""
    if scored.gap_p is None:
        return ""
    more = "more" if scored.gap_p < SIGNIFICANCE else "no more"
    return f", {more} than chance makes ({p_value(scored.gap_p)})"


_KINDS = {"size": "Foreground", "source": "Source"}


def strata_table(study: Study) -> Table:
    """Scores by size of the person and by source."""
    strata = grouped(
        ((stratum.kind, stratum.name), (network, stratum))
        for network in study.compared
        if (analysed := study.analysed(network))
        for stratum in analysed.strata
    )
    columns = [*words("Pictures"), Column("Number")]
    for name in METRIC_NAMES.values():
        columns += numbers(*(net.label for net in study.compared), group=capitalised(name))
    rows = []
    for (kind, name), own in strata.items():
        cells = [f"{_KINDS[kind]}: {name}", str(own[0][1].images)]
        for metric in METRIC_NAMES:
            by_network = {network: stratum.metrics.get(metric) for network, stratum in own}
            cells += [bounded(by_network.get(network)) for network in study.compared]
        rows.append(Row(cells))
    caption = "Means over parts of the pictures: thirds by foreground share, and sources."
    return Table("strata", caption, columns, rows)
