"""The table of every image."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from humanseg.report.formatting import UNKNOWN, percent, points, score
from humanseg.report.study import Study, image_scores, scores_by_image, scores_by_network
from humanseg.report.tables.table import Row, Table, Value, numbers, words

_IMAGE_METRICS = {
    "iou": "Per-image IoU",
    "boundary_iou": "Boundary IoU",
    "surface_dice_10": "NSD at 1 %",
}


def image_table(study: Study, anchors: Mapping[str, str]) -> Table:
    """Every image, the hardest first."""
    by_metric = {name: scores_by_network(study, name) for name in _IMAGE_METRICS}
    measured = [name for name, by_network in by_metric.items() if any(by_network.values())]
    ious = scores_by_image(by_metric["iou"])
    means = {id_: statistics.fmean(values) for id_, values in ious.items()}
    images = image_scores(study)
    rows = []
    for id_ in sorted(images, key=lambda id_: (means.get(id_, 2.0), id_)):
        image, source = images[id_], study.sources.get(id_, "")
        scores = [by_metric[name][net.name].get(id_) for name in measured for net in study.finished]
        values = ious.get(id_, [0.0])
        apart, mean = max(values) - min(values), means.get(id_)
        cells = [id_, f"{image.width}×{image.height}", percent(image.foreground_share)]
        sorted_by: list[Value] = [id_, image.width * image.height, image.foreground_share]
        if study.sources:
            cells.append(source or UNKNOWN)
            sorted_by.append(source)
        cells += [*map(score, scores), score(mean), points(apart)]
        sorted_by += [*scores, mean, apart]
        rows.append(Row(cells, anchor=anchors.get(id_, ""), values=sorted_by))
    caption = "Every scored picture, lowest mean first"
    if any(len(network.scored) > 1 for network in study.finished):
        caption += "; scores are means over the runs that tested it"
    columns = [*words("Picture"), *numbers("Size", "Foreground")]
    columns += words("Source") if study.sources else []
    for name in measured:
        columns += numbers(*(net.label for net in study.finished), group=_IMAGE_METRICS[name])
    columns += numbers("Mean IoU", "Largest gap (points)")
    return Table("every", f"{caption}.", columns, rows)
