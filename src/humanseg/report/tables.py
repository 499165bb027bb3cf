"""Tables as data; HTML and Markdown are drawn from the same rows. Here those of the scores."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from humanseg.report.formatting import (
    UNKNOWN,
    bounded,
    counted,
    listed,
    percent,
    points,
    score,
)
from humanseg.report.study import Metric, Network, Study
from humanseg.results import Bound, RunResult, Stratum

RowKind = Literal["plain", "spread", "floor", "bound", "changed", "problem"]
Value = float | str | None


@dataclass(frozen=True)
class Column:
    """A column; neighbours with the same group share a heading."""

    label: str
    group: str = ""
    numeric: bool = True
    aside: bool = False
    """Set apart from its neighbours, because it must not be compared with them."""
    wide: bool = False
    """Holds sentences, which may wrap."""


@dataclass(frozen=True)
class Row:
    """Cells as text."""

    cells: tuple[str, ...]
    kind: RowKind = "plain"
    slot: int = 0
    """Number of the network's colour for the first cell; 0 for none."""
    anchor: str = ""
    """Name of the place on the page that the first cell leads to."""
    values: tuple[Value, ...] = ()
    """What each cell sorts by; empty where the table is not sorted."""


@dataclass(frozen=True)
class Table:
    """Headings and rows; the first column names each row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """Heading groups with the number of columns each spans; empty without any group."""
        if not any(column.group for column in self.columns):
            return ()
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return tuple(spans)


NETWORK = Column("Network", numeric=False)
METRIC_NAMES: dict[Metric, str] = {"iou": "per-image IoU", "boundary_iou": "Boundary IoU"}
BOUND_NAMES = {
    "mean_mask": "Mean mask",
    "all_background": "All background",
    "output_grid": "Best possible",
    "label_agreement": "Label source with itself",
}


def plain(value: float) -> str:
    """A share of the diagonal."""
    return percent(value, 2)


@dataclass(frozen=True)
class _Measure:
    """A column of a score table."""

    metric: str
    column: Column
    show: Callable[[float], str] = score
    interval: bool = False
    bound: Metric | None = None
    """Field of `Bound` with the same number for floors and ceilings."""


INTERVAL = " [95 % interval]"
_IOU, _MEAN = "Per-image IoU", "Mean over pictures"
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
    _Measure("assd", Column("ASSD", "Share of the diagonal, lower is better"), plain),
    _Measure("hd95", Column("HD95", "Share of the diagonal, lower is better"), plain),
)
_POOLED, _SURE = "All pixels pooled", "Calibration error, lower is better"
_PIXEL = (
    _Measure("dataset_iou", Column("Dataset IoU", _POOLED), interval=True),
    _Measure("two_class_miou", Column("Two-class mIoU", _POOLED)),
    _Measure("pixel_accuracy", Column("Pixel accuracy", _POOLED)),
    _Measure("precision", Column("Precision", _MEAN)),
    _Measure("recall", Column("Recall", _MEAN)),
    _Measure("ece", Column("All pixels", _SURE)),
    _Measure("band_ece", Column("Near contours", _SURE)),
)
_BATCH = Column(
    "Batch-averaged IoU", "Published convention, do not mix with the others", aside=True
)
_SEEDS = Column("SD over seeds", _IOU)


def overlap_table(study: Study) -> Table | None:
    """Per-image overlap by network, floors and ceilings beneath."""
    table = _score_table(study, _OVERLAP, f"How much of the person is found, {_scored(study)}.")
    if table is None:
        return None
    seeds = [_seed_sd(study, network) for network in study.networks]
    if any(seeds):
        table = _with_column(table, 3, _SEEDS, seeds)
    batches = [_batch_iou(network) for network in study.networks]
    if any(value is not None for value in batches):
        place = len(table.columns)
        table = _with_column(table, place, _BATCH, [score(value) for value in batches])
    return table


def contour_table(study: Study) -> Table | None:
    """How well contours fit by network, floors and ceilings beneath."""
    return _score_table(study, _CONTOUR, f"How well contours fit, {_scored(study)}.")


def pixel_table(study: Study) -> Table | None:
    """Pooled scores, kinds of errors, and how far probabilities can be believed."""
    caption = f"Pixels of all pictures together, and probabilities, {_scored(study)}."
    return _score_table(study, _PIXEL, caption)


def _scored(study: Study) -> str:
    return f"on {counted(study.images, 'picture')}"


def _score_table(study: Study, measures: tuple[_Measure, ...], caption: str) -> Table | None:
    if not study.networks:
        return None
    rows = []
    for network in study.networks:
        found = [(one, study.metric(network, one.metric)) for one in measures]
        cells = [
            bounded(value, one.show) if one.interval or value is None else one.show(value.estimate)
            for one, value in found
        ]
        rows.append(Row((network.label, *cells), slot=network.slot))
    if any(one.bound for one in measures):
        rows += [_bound_row(study, bound, measures) for bound in study.bounds]
    columns = [one.column for one in measures]
    if study.analysis is None:
        columns = [replace(one, label=one.label.removesuffix(INTERVAL)) for one in columns]
    return Table(caption, (NETWORK, *columns), tuple(rows))


def _bound_row(study: Study, bound: Bound, measures: tuple[_Measure, ...]) -> Row:
    cells = [score(getattr(bound, one.bound)) if one.bound else "" for one in measures]
    return Row((bound_name(study, bound), *cells), "floor" if bound.side == "baseline" else "bound")


def bound_name(study: Study, bound: Bound) -> str:
    """A floor or ceiling as a table names it."""
    name = BOUND_NAMES[bound.name]
    if bound.detail:
        grid = bound.name == "output_grid"
        name += f", {bound.detail.replace('x', '×') if grid else bound.detail}"
    if bound.networks:
        name += f" ({listed(network_labels(study, bound.networks))})"
    return name


def network_labels(study: Study, names: tuple[str, ...]) -> list[str]:
    """Labels of networks that an analysis names."""
    known = {network.name: network.label for network in study.networks}
    return [known.get(name, name) for name in names]


def _with_column(table: Table, place: int, column: Column, cells: list[str]) -> Table:
    """A table with one more column at `place`; rows beyond the cells have nothing in it."""
    padded = [*cells, *[""] * (len(table.rows) - len(cells))]
    rows = tuple(
        Row((*row.cells[:place], cell, *row.cells[place:]), row.kind, row.slot)
        for row, cell in zip(table.rows, padded, strict=True)
    )
    return Table(table.caption, (*table.columns[:place], column, *table.columns[place:]), rows)


def _seed_sd(study: Study, network: Network) -> str:
    found = study.analysed(network)
    return score(found.seed_sd) if found and found.seed_sd is not None else ""


def _batch_iou(network: Network) -> float | None:
    values = [one.summary.batch_iou for one in network.scored]
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def fold_table(study: Study) -> Table | None:
    """Mean IoU of every run; None where no network has several."""
    if all(len(network.runs) < 2 for network in study.finished):
        return None
    networks = [network for network in study.finished if network.runs]
    values: dict[str, dict[str, float | None]] = {}
    for network in networks:
        for run in network.runs:
            values.setdefault(_part(study, run), {})[network.name] = run.summary.iou_mean
    rows = [
        Row((part, *(score(found.get(network.name)) for network in networks)))
        for part, found in values.items()
    ]
    columns = (Column("Run", numeric=False), *(Column(one.label, _IOU) for one in networks))
    return Table("Mean over the test pictures of every run.", columns, tuple(rows))


def _part(study: Study, run: RunResult) -> str:
    """What a run has in common with the runs of other networks."""
    split = run.config.split
    words = []
    if study.repeats > 1:
        seeds = sorted({one.config.split.seed for one in study.runs})
        words.append(f"repeat {seeds.index(split.seed) + 1}")
    if split.protocol == "folds":
        words.append(f"fold {split.fold}")
    words.append(f"seed {run.config.training.seed}")
    text = ", ".join(words)
    return text[:1].upper() + text[1:]


_KINDS = {"size": "Foreground", "source": "Source"}


def strata_table(study: Study) -> Table | None:
    """Scores by size of the person and by source; None without an analysis."""
    found: dict[tuple[str, str], dict[str, Stratum]] = {}
    for network in study.compared:
        analysed = study.analysed(network)
        for stratum in analysed.strata if analysed else ():
            found.setdefault((stratum.kind, stratum.name), {})[network.name] = stratum
    if not found:
        return None
    columns = [Column("Pictures", numeric=False), Column("Number")]
    for name in METRIC_NAMES.values():
        group = name[:1].upper() + name[1:]
        columns += [Column(network.label, group) for network in study.compared]
    rows = []
    for (kind, name), strata in found.items():
        cells = [f"{_KINDS[kind]}: {name}", str(next(iter(strata.values())).images)]
        for metric in METRIC_NAMES:
            for network in study.compared:
                stratum_ = strata.get(network.name)
                cells.append(bounded(stratum_.metrics.get(metric) if stratum_ else None))
        rows.append(Row(tuple(cells)))
    caption = "Means over parts of the pictures: thirds by foreground share, and sources."
    return Table(caption, tuple(columns), tuple(rows))


_PICTURE_METRICS = (
    ("iou", "Per-image IoU"),
    ("boundary_iou", "Boundary IoU"),
    ("surface_dice_10", "NSD at 1 %"),
)


def picture_table(study: Study, anchors: Mapping[str, str]) -> Table | None:
    """Every picture, the hardest first.

    Args:
        study: what the page is about.
        anchors: place on the page by picture; a picture without one is not linked.
    """
    if not study.finished:
        return None
    shown = {name: study.by_network(name) for name, _ in _PICTURE_METRICS}
    measured = [name for name, _ in _PICTURE_METRICS if any(shown[name].values())]
    images = {
        id_: image for network in study.finished for id_, image in network.image_scores.items()
    }
    means = {id_: study.mean_overlap(id_) for id_ in images}
    hardest = {id_: 2.0 if mean is None else mean for id_, mean in means.items()}
    columns = [Column("Picture", numeric=False), Column("Size"), Column("Foreground")]
    if study.sources:
        columns.append(Column("Source", numeric=False))
    for name, label in _PICTURE_METRICS:
        if name in measured:
            columns += [Column(network.label, label) for network in study.finished]
    columns += [Column("Mean IoU"), Column("Largest gap (points)")]
    rows = []
    for id_ in sorted(images, key=lambda one: (hardest[one], one)):
        image = images[id_]
        scores = [shown[name][net.name].get(id_) for name in measured for net in study.finished]
        apart = study.disagreement(id_)
        source = study.sources.get(id_, "")
        cells = [id_, f"{image.width}×{image.height}", percent(image.foreground_share)]
        cells += [source or UNKNOWN] if study.sources else []
        cells += [*map(score, scores), score(means[id_]), points(apart)]
        values: list[Value] = [id_, image.width * image.height, image.foreground_share]
        values += [source] if study.sources else []
        values += [*scores, means[id_], apart]
        rows.append(Row(tuple(cells), anchor=anchors.get(id_, ""), values=tuple(values)))
    caption = "Every picture that was scored, lowest mean first"
    if any(len(network.scored) > 1 for network in study.finished):
        caption += "; scores are means over the runs that tested it"
    return Table(f"{caption}.", tuple(columns), tuple(rows))
