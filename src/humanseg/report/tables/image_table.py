"""The table of every image."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from humanseg.report.formatting import UNKNOWN, percent, points, score
from humanseg.report.study import Study, image_scores, scores_by_image, scores_by_network
from humanseg.report.tables.table import Column, Row, Table, Value, table_of

_IMAGE_METRICS = (
    ("iou", "Per-image IoU"),
    ("boundary_iou", "Boundary IoU"),
    ("surface_dice_10", "NSD at 1 %"),
)


def image_table(study: Study, anchors: Mapping[str, str]) -> Table | None:
    """Every image, the hardest first."""
    by_metric = {name: scores_by_network(study, name) for name, _ in _IMAGE_METRICS}
    measured = [name for name, _ in _IMAGE_METRICS if any(by_metric[name].values())]
    ious = scores_by_image(by_metric["iou"])
    means = {id_: statistics.fmean(values) for id_, values in ious.items()}
    rows = []
    for id_, image in sorted(
        image_scores(study).items(), key=lambda item: (means.get(item[0], 2.0), item[0])
    ):
        scores = [by_metric[name][net.name].get(id_) for name in measured for net in study.finished]
        values = ious.get(id_, [0.0])
        apart, mean = max(values) - min(values), means.get(id_)
        source = study.sources.get(id_, "")
        cells = [id_, f"{image.width}×{image.height}", percent(image.foreground_share)]
        sorted_by: list[Value] = [id_, image.width * image.height, image.foreground_share]
        if study.sources:
            cells.append(source or UNKNOWN)
            sorted_by.append(source)
        cells += [*map(score, scores), score(mean), points(apart)]
        sorted_by += [*scores, mean, apart]
        rows.append(Row(tuple(cells), anchor=anchors.get(id_, ""), values=tuple(sorted_by)))
    caption = "Every scored picture, lowest mean first"
    if any(len(network.scored) > 1 for network in study.finished):
        caption += "; scores are means over the runs that tested it"
    return table_of(f"{caption}.", _columns(study, measured), rows)


def _columns(study: Study, measured: list[str]) -> tuple[Column, ...]:
    columns = [Column("Picture", numeric=False), Column("Size"), Column("Foreground")]
    if study.sources:
        columns.append(Column("Source", numeric=False))
    for name, label in _IMAGE_METRICS:
        if name in measured:
            columns += [Column(network.label, label) for network in study.finished]
    return (*columns, Column("Mean IoU"), Column("Largest gap (points)"))
