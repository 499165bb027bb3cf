"""Tables as data; HTML and Markdown are drawn from the same rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from humanseg.report.definitions import PUBLISHED
from humanseg.report.formatting import (
    counted,
    duration,
    large,
    listed,
    memory,
    percent,
    points,
    rate,
    score,
)
from humanseg.report.summary import Metric, Network, Study
from humanseg.results import ScoreSummary

RowKind = Literal["plain", "spread", "floor", "changed", "problem"]


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


_SCORES = (
    "iou_mean",
    "iou_sd",
    "iou_median",
    "iou_p05",
    "dice_mean",
    "boundary_iou_mean",
    "dataset_iou",
    "pixel_accuracy",
    "batch_iou",
)
_SCORE_COLUMNS = (
    Column("Network", numeric=False),
    Column("Mean", "Per-image IoU"),
    Column("± SD over pictures", "Per-image IoU"),
    Column("Median", "Per-image IoU"),
    Column("5th percentile", "Per-image IoU"),
    Column("Mean Dice", "Per image"),
    Column("Mean Boundary IoU", "Per image"),
    Column("Dataset IoU", "All pixels pooled"),
    Column("Pixel accuracy", "All pixels pooled"),
    Column("Batch-averaged IoU", "Published convention, do not mix with the others", aside=True),
)
_FLOORS = {"mean_mask": "Mean mask", "all_background": "All background"}


def score_table(study: Study) -> Table:
    """Network by metric, floors beneath."""
    rows = [row for network in study.networks for row in _score_rows(network)]
    for name, summary in study.floors.items():
        rows.append(Row((_FLOORS.get(name, name), *_floor_cells(summary)), "floor"))
    caption = f"Scores on {counted(study.pictures, 'test picture')}"
    if study.several_seeds:
        caption += ", means over seeds; beneath each network the SD over its seeds"
    return Table(f"{caption}.", _SCORE_COLUMNS, tuple(rows))


def _floor_cells(summary: ScoreSummary) -> Iterator[str]:
    return (score(getattr(summary, field)) for field in _SCORES)


def _score_rows(network: Network) -> Iterator[Row]:
    spreads = [network.score(field) for field in _SCORES]
    cells = (score(one.mean) for one in spreads)
    yield Row((network.label, *cells), slot=network.slot)
    if len(network.runs) > 1:
        deviations = (
            "" if field == "iou_sd" else score(one.sd)
            for field, one in zip(_SCORES, spreads, strict=True)
        )
        name = f"SD over {counted(len(network.runs), 'seed')}"
        yield Row((name, *deviations), "spread")


def difference_table(study: Study) -> Table:
    """Every pair of networks, in points."""
    columns = (
        Column("Pair", numeric=False),
        Column("Metric", numeric=False),
        Column("Difference (points)"),
        Column("95 % interval (points)"),
        Column("Reading", numeric=False, wide=True),
    )
    names: dict[Metric, str] = {"iou": "Per-image IoU", "boundary_iou": "Boundary IoU"}
    rows = []
    for metric, name in names.items():
        for one in study.differences[metric]:
            bounds = f"{points(one.low, sign=True)} to {points(one.high, sign=True)}"
            doubts = listed(one.doubts)
            reading = f"no evidence: {doubts}" if doubts else "clear on these pictures"
            pair = f"{one.better.label} over {one.worse.label}"
            rows.append(Row((pair, name, points(one.mean, sign=True), bounds, reading)))
    return Table("Differences between networks, paired over pictures.", columns, tuple(rows))


_COSTS: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("train_seconds", "Training time", duration),
    ("wall_seconds", "Wall time", duration),
    ("images_per_second", "Pictures per second", rate),
    ("peak_memory_bytes", "Peak memory", memory),
    ("parameters", "Parameters", large),
    ("macs", "MACs", large),
)


def cost_table(study: Study) -> Table:
    """What each network takes and weighs."""
    labels = [Column(label) for _, label, _ in _COSTS]
    modes = [Column(label, numeric=False) for label in ("Precision", "Memory format", "Device")]
    rows = []
    for network in study.finished:
        cells = [show(network.cost(field).mean) for field, _, show in _COSTS]
        resolved = [run.resolved for run in network.runs]
        for field in ("precision", "memory_format", "device"):
            cells.append(listed(sorted({getattr(one, field) for one in resolved})))
        rows.append(Row((network.label, *cells), slot=network.slot))
        if len(network.runs) > 1:
            deviations = [
                show(network.cost(field).sd) if field.endswith("_seconds") else ""
                for field, _, show in _COSTS
            ]
            name = f"SD over {counted(len(network.runs), 'seed')}"
            rows.append(Row((name, *deviations, "", "", ""), "spread"))
    caption = "Training time counts training iterations only; wall time everything."
    return Table(caption, (Column("Network", numeric=False), *labels, *modes), tuple(rows))


def published_table(study: Study) -> Table | None:
    """Published figures beside ours by the same convention; None outside that protocol."""
    if study.result.config.split.protocol != "reference":
        return None
    columns = (
        Column("Network", numeric=False),
        Column("published", "Batch-averaged IoU"),
        Column("here", "Batch-averaged IoU"),
        Column("published", "Batch-averaged Dice"),
        Column("here", "Batch-averaged Dice"),
        Column("published, T4", "Training time"),
        Column("here", "Training time"),
    )
    rows = []
    for network in study.networks:
        theirs = PUBLISHED.get(network.arch)
        cells = (
            network.label,
            score(theirs.iou if theirs else None, 4),
            score(network.score("batch_iou").mean, 4),
            score(theirs.dice if theirs else None, 4),
            score(network.score("batch_dice").mean, 4),
            duration(theirs.seconds if theirs else None),
            duration(network.cost("train_seconds").mean),
        )
        rows.append(Row(cells, slot=network.slot))
    return Table("Published figures beside these runs.", columns, tuple(rows))


def picture_table(study: Study, anchors: dict[str, str]) -> Table:
    """Every test picture, the hardest first; those in the gallery lead there."""
    overlaps = {network.arch: network.by_picture("iou") for network in study.finished}
    contours = {network.arch: network.by_picture("boundary_iou") for network in study.finished}
    images = {image.id: image for run in study.runs for image in run.scores}
    means = picture_means(overlaps)
    rows = []
    for id_ in sorted(images, key=lambda one: (means.get(one, 2.0), one)):
        image = images[id_]
        cells = [id_, f"{image.width}×{image.height}", percent(image.foreground_share)]
        cells += [score(values.get(id_)) for values in overlaps.values()]
        cells += [score(values.get(id_)) for values in contours.values()]
        rows.append(Row((*cells, score(means.get(id_))), anchor=anchors.get(id_, "")))
    caption = "Every test picture, lowest mean first"
    if study.several_seeds:
        caption += "; scores are means over seeds"
    columns = (
        Column("Picture", numeric=False),
        Column("Size"),
        Column("Foreground"),
        *(Column(network.label, "Per-image IoU") for network in study.finished),
        *(Column(network.label, "Boundary IoU") for network in study.finished),
        Column("Mean IoU"),
    )
    return Table(f"{caption}.", columns, tuple(rows))


def picture_means(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    """Mean over networks of each picture's score, from scores by network and picture."""
    gathered: dict[str, list[float]] = {}
    for values in scores.values():
        for id_, value in values.items():
            gathered.setdefault(id_, []).append(value)
    return {id_: statistics.fmean(values) for id_, values in gathered.items()}
