"""Tables of scores: overlap, contours, pixels, parts of the images, and runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from humanseg.report.formatting import bounded, capitalised, counted, listed, percent, score
from humanseg.report.ranking import METRIC_NAMES, Metric, metric_of
from humanseg.report.study import Study, image_scores
from humanseg.report.study_plan import repeats
from humanseg.report.tables.table import (
    NETWORK,
    Column,
    Row,
    RowKind,
    Table,
    numbers,
    table_of,
    words,
)
from humanseg.results import Bound, RunResult, Stratum

BOUND_NAMES = {
    "mean_mask": "Baseline: mean training mask",
    "all_background": "Baseline: all background",
    "output_grid": "Upper bound: true mask through the {detail}output grid",
    "label_agreement": "Upper bound: two true masks of one photograph",
}


def _share_of_diagonal(value: float) -> str:
    return percent(value, 2)


@dataclass(frozen=True)
class _Measure:
    """A column of a score table."""

    metric: str
    column: Column
    show: Callable[[float], str] = score
    interval: bool = False
    bound: Metric | None = None
    """Field of `Bound` with the same number for baselines and upper bounds."""


INTERVAL = " [95 % interval]"
_IOU, _MEAN = "Per-image IoU", "Mean over pictures"
_DIAGONAL = "Share of the diagonal, lower is better"
_OVERLAP = (
    _Measure("iou", Column(f"Mean{INTERVAL}", _IOU), interval=True, bound="iou"),
    _Measure("iou_sd", Column("± SD over pictures", _IOU)),
    _Measure("iou_median", Column("Median", _IOU)),
    _Measure("iou_p05", Column("5th percentile", _IOU)),
    _Measure("dice", Column("Dice", _MEAN), interval=True),
)
_CONTOUR = (
    _Measure("boundary_iou", Column("Boundary IoU", _MEAN), interval=True, bound="boundary_iou"),
    _Measure("surface_dice_05", Column("NSD at 0.5 %", _MEAN), interval=True),
    _Measure("surface_dice_10", Column("NSD at 1 %", _MEAN), interval=True),
    _Measure("assd", Column("ASSD", _DIAGONAL), _share_of_diagonal),
    _Measure("hd95", Column("HD95", _DIAGONAL), _share_of_diagonal),
)
_POOLED, _CALIBRATION = "All pixels pooled", "Calibration error, lower is better"
_PIXEL = (
    _Measure("dataset_iou", Column("Dataset IoU", _POOLED), interval=True),
    _Measure("two_class_miou", Column("Two-class mIoU", _POOLED)),
    _Measure("pixel_accuracy", Column("Pixel accuracy", _POOLED)),
    _Measure("precision", Column("Precision", _MEAN)),
    _Measure("recall", Column("Recall", _MEAN)),
    _Measure("ece", Column("All pixels", _CALIBRATION)),
    _Measure("band_ece", Column("Near contours", _CALIBRATION)),
)
_BATCH = Column(
    "Batch-averaged IoU", "Published convention, do not mix with the others", aside=True
)
_SEEDS = Column("SD over seeds", _IOU)


def overlap_table(study: Study) -> Table | None:
    """Per-image overlap by network, baselines and upper bounds beneath."""
    table = _score_table(study, _OVERLAP, f"Overlap with the true masks, {_scored(study)}.")
    if table is None:
        return None
    analysed = [study.analysed(network) for network in study.networks]
    seeds = [score(own.seed_sd) if own and own.seed_sd is not None else "" for own in analysed]
    if any(seeds):
        table = _with_column(table, 3, _SEEDS, seeds)
    batches = [network.mean("batch_iou") for network in study.networks]
    if any(value is not None for value in batches):
        table = _with_column(table, len(table.columns), _BATCH, [*map(score, batches)])
    return table


def contour_table(study: Study) -> Table | None:
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
    return _score_table(study, _CONTOUR, caption)


def pixel_table(study: Study) -> Table | None:
    """Pooled scores, kinds of errors, and how far probabilities can be believed."""
    caption = f"All pixels pooled, kinds of errors, and calibration, {_scored(study)}."
    return _score_table(study, _PIXEL, caption)


def _scored(study: Study) -> str:
    return f"on {counted(len(image_scores(study)), 'picture')}"


def _score_table(study: Study, measures: tuple[_Measure, ...], caption: str) -> Table | None:
    rows = []
    for network in study.networks:
        values = [(each, metric_of(study, network, each.metric)) for each in measures]
        cells = [
            bounded(value, each.show)
            if each.interval or value is None
            else each.show(value.estimate)
            for each, value in values
        ]
        rows.append(Row((network.label, *cells), slot=network.slot))
    bounds = study.analysis.bounds if any(each.bound for each in measures) else ()
    for bound in bounds:
        cells = [score(getattr(bound, each.bound)) if each.bound else "" for each in measures]
        kind: RowKind = "baseline" if bound.side == "baseline" else "bound"
        rows.append(Row((bound_name(study, bound), *cells), kind))
    return table_of(caption, (NETWORK, *(each.column for each in measures)), rows)


def bound_name(study: Study, bound: Bound) -> str:
    """A baseline or upper bound as a table names it."""
    grid = f"{bound.detail.replace('x', '×')} " if bound.detail else ""
    name = BOUND_NAMES[bound.name].format(detail=grid)
    if bound.detail and bound.name != "output_grid":
        name += f", {bound.detail}"
    if bound.networks:
        name += f" ({listed(network_labels(study, bound.networks))})"
    return name


def network_labels(study: Study, names: tuple[str, ...]) -> list[str]:
    """Labels of networks that an analysis names."""
    labels = {network.name: network.label for network in study.networks}
    return [labels.get(name, name) for name in names]


def _with_column(table: Table, index: int, column: Column, cells: list[str]) -> Table:
    """A table with one more column at `index`; rows beyond the cells have nothing in it."""
    padded = [*cells, *[""] * (len(table.rows) - len(cells))]
    rows = tuple(
        replace(row, cells=(*row.cells[:index], cell, *row.cells[index:]))
        for row, cell in zip(table.rows, padded, strict=True)
    )
    return Table(table.caption, (*table.columns[:index], column, *table.columns[index:]), rows)


def fold_table(study: Study) -> Table | None:
    """Mean IoU of every run; None where no network has several."""
    networks = [network for network in study.finished if network.runs]
    if all(len(network.runs) < 2 for network in networks):
        return None
    means: dict[str, dict[str, float | None]] = {}
    for network in networks:
        for run in network.runs:
            means.setdefault(_common_name(study, run), {})[network.name] = run.summary.iou_mean
    rows = [
        Row((name, *(score(by_network.get(network.name)) for network in networks)))
        for name, by_network in means.items()
    ]
    columns = (*words("Run"), *numbers(*(each.label for each in networks), group=_IOU))
    return Table("Mean over the test pictures of every run.", columns, tuple(rows))


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


def attribute_table(study: Study) -> Table | None:
    """Scores of a single model by attributes of the images, and how far the worst group is off."""
    columns = (
        Column("Pictures", numeric=False),
        Column("Number"),
        *(Column(name[:1].upper() + name[1:]) for name in METRIC_NAMES.values()),
    )
    rows = []
    for each in study.analysis.attributes:
        for group in each.groups:
            cells = (bounded(group.metrics.get(metric)) for metric in METRIC_NAMES)
            rows.append(Row((f"{each.attribute}: {group.name}", str(group.images), *cells)))
        if each.gap:
            name = f"{each.attribute}: largest gap, {each.best} less {each.worst}"
            rows.append(Row((name, "", bounded(each.gap), ""), "spread"))
    caption = "Means by attributes; groups of fewer than 20 pictures are not scored."
    return table_of(caption, columns, rows)


_KINDS = {"size": "Foreground", "source": "Source"}


def strata_table(study: Study) -> Table | None:
    """Scores by size of the person and by source; None where there is one part only."""
    strata: dict[tuple[str, str], dict[str, Stratum]] = {}
    for network in study.compared:
        analysed = study.analysed(network)
        for stratum in analysed.strata if analysed else ():
            strata.setdefault((stratum.kind, stratum.name), {})[network.name] = stratum
    columns = [*words("Pictures"), Column("Number")]
    for name in METRIC_NAMES.values():
        columns += numbers(*(net.label for net in study.compared), group=capitalised(name))
    rows = []
    for (kind, name), by_network in strata.items():
        cells = [f"{_KINDS[kind]}: {name}", str(next(iter(by_network.values())).images)]
        for metric in METRIC_NAMES:
            each = (by_network.get(network.name) for network in study.compared)
            cells += [bounded(own.metrics.get(metric) if own else None) for own in each]
        rows.append(Row(tuple(cells)))
    caption = "Means over parts of the pictures: thirds by foreground share, and sources."
    return table_of(caption, columns, rows)
