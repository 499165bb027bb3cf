"""Tables of how networks do on images that are unlike those they were trained on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from humanseg.report.formatting import (
    UNKNOWN,
    bounded,
    capitalised,
    listed,
    percent,
    points,
    score,
)
from humanseg.report.ranking import metric_of
from humanseg.report.study import Study, grouped
from humanseg.report.tables.table import NETWORK, Column, Row, Table, network_row, numbers, words
from humanseg.results import Interval
from humanseg.results.scores import mean_of

_IOU = "Per-image IoU"
_ALARMS = ("With an alarm", "Area marked")


def gap_table(study: Study) -> Table:
    """Training images against held-out ones."""
    rows = [
        network_row(network, score(own.train_iou), score(own.train_iou - own.gap), points(own.gap))
        for network in study.finished
        if (own := study.analysed(network)) and own.train_iou is not None and own.gap is not None
    ]
    scored = numbers("Training pictures", "Held-out pictures", group=_IOU)
    caption = (
        "The same networks on their own training pictures and on held-out ones; means over runs."
    )
    return Table("gap", caption, (NETWORK, *scored, Column("Gap (points)")), rows)


def source_table(study: Study) -> Table:
    """Every source left out of training in turn."""
    rows = [
        network_row(
            study.network(record.network),
            record.source,
            str(record.images),
            bounded(record.seen),
            bounded(record.unseen),
            bounded(record.gap, points),
        )
        for record in study.analysis.sources
    ]
    scored = numbers("Source in training", "Source left out", group=_IOU)
    columns = (NETWORK, *words("Source"), Column("Pictures"), *scored, Column("Lost (points)"))
    caption = "Pictures of one source, scored by networks trained with and without that source."
    return Table("sources", caption, columns, rows)


def external_table(study: Study) -> Table:
    """External data sets."""
    records = study.analysis.external
    empty = any(record.person_free for record in records)
    scored = numbers(_IOU, "Boundary IoU", "NSD at 1 %", group="Mean [95 % interval]")
    columns = [NETWORK, *words("Data set"), Column("Pictures"), *scored]
    if empty:
        columns += numbers("Number", *_ALARMS, group="Pictures without a person")
    names = ("iou", "boundary_iou", "surface_dice_10")
    rows = [
        network_row(
            study.network(record.network),
            record.data,
            str(record.images),
            *(bounded(record.metrics.get(name)) for name in names),
            *((str(record.person_free), *_alarm_cells(record.metrics.get)) if empty else ()),
        )
        for record in records
    ]
    caption = "External data sets: no network was trained on them."
    return Table("external", caption, columns, rows)


def alarm_table(study: Study) -> Table:
    """False alarms on the study's own images without a person."""
    rows = []
    for network in study.finished:
        cells = _alarm_cells(partial(metric_of, study, network))
        empty = sum(image.person_free for image in network.image_scores.values())
        if set(cells) != {UNKNOWN}:
            rows.append(network_row(network, str(empty), *cells))
    caption = (
        "Pictures without a person. An alarm marks more than 0.1 % of the pixels; the area is the "
        "mean share of a picture that is marked."
    )
    return Table("alarms", caption, (NETWORK, *numbers("Pictures", *_ALARMS)), rows)


def _alarm_cells(metric: Callable[[str], Interval | None]) -> tuple[str, str]:
    area = bounded(metric("false_positive_area"), partial(percent, decimals=2))
    return bounded(metric("false_positive_images"), percent), area


def corruption_name(name: str) -> str:
    """A corruption as the page names it."""
    return capitalised({"jpeg": "JPEG"}.get(name, name.replace("_", " ")))


def robustness_table(study: Study) -> Table:
    """Share of IoU that is retained under every corruption."""
    every = study.analysis.robustness
    labels = {record.network: study.network(record.network).label for record in every}
    rows = []
    for corruption, records in grouped((record.corruption, record) for record in every).items():
        retained = {record.network: record.retention for record in records}
        cells = (bounded(retained.get(name), percent) for name in labels)
        rows.append(Row((corruption_name(corruption), *cells)))
    if rows:
        means = (percent(mean_retention(study, name)) for name in labels)
        rows.append(Row(("Mean over corruptions", *means), "baseline"))
    clean = {record.network: score(record.clean) for record in reversed(every)}
    counts = [f"{count:,}" for count in sorted({record.images for record in every})]
    caption = (
        f"IoU on corrupted pictures as a share of the IoU on the same {listed(counts, 'or')} test "
        "pictures uncorrupted. Uncorrupted IoU: "
        f"{listed([f'{label} {clean[name]}' for name, label in labels.items()])}."
    )
    group = "IoU retained, mean over severities [95 % interval]"
    columns = (*words("Corruption"), *numbers(*labels.values(), group=group))
    return Table("robustness", caption, columns, rows)


def mean_retention(study: Study, network: str) -> float | None:
    """Mean over corruptions of a network's retention."""
    records = study.analysis.robustness
    return mean_of(each.retention.estimate for each in records if each.network == network)
