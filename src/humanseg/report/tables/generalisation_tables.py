"""Tables of how networks do on images that are unlike those they were trained on."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from humanseg.report.formatting import (
    UNKNOWN,
    bounded,
    listed,
    percent,
    points,
    score,
)
from humanseg.report.ranking import metric_of
from humanseg.report.study import Network, Study
from humanseg.report.tables.table import NETWORK, Column, Row, Table, table_of
from humanseg.results import RobustnessAnalysis

_IOU = "Per-image IoU"


def network_of(study: Study, name: str) -> Network | None:
    """The network that an analysis names."""
    return next((network for network in study.networks if network.name == name), None)


def _first_cell(study: Study, name: str) -> tuple[str, int]:
    """Label and colour of a network that an analysis names."""
    network = network_of(study, name)
    return (network.label, network.slot) if network else (name, 0)


def gap_table(study: Study) -> Table | None:
    """Training images against held-out ones; None without trainings."""
    rows = []
    for network in study.finished:
        analysed = study.analysed(network)
        if analysed is None or analysed.train_iou is None or analysed.gap is None:
            continue
        held_out = analysed.train_iou - analysed.gap
        scores = (score(analysed.train_iou), score(held_out), points(analysed.gap))
        rows.append(Row((network.label, *scores), slot=network.slot))
    columns = (
        NETWORK,
        Column("Training pictures", _IOU),
        Column("Held-out pictures", _IOU),
        Column("Gap (points)"),
    )
    caption = (
        "The same networks on their own training pictures and on held-out ones; means over runs."
    )
    return table_of(caption, columns, rows)


def source_table(study: Study) -> Table | None:
    """Every source left out of training in turn; None where it was not asked for."""
    rows = []
    for record in study.analysis.sources:
        label, slot = _first_cell(study, record.network)
        cells = (
            label,
            record.source,
            str(record.images),
            bounded(record.seen),
            bounded(record.unseen),
            bounded(record.gap, points),
        )
        rows.append(Row(cells, slot=slot))
    columns = (
        NETWORK,
        Column("Source", numeric=False),
        Column("Pictures"),
        Column("Source in training", _IOU),
        Column("Source left out", _IOU),
        Column("Lost (points)"),
    )
    caption = "Pictures of one source, scored by networks trained with and without that source."
    return table_of(caption, columns, rows)


def external_table(study: Study) -> Table | None:
    """External data sets; None where there was none."""
    records = study.analysis.external
    empty = any(record.person_free for record in records)
    columns = [
        NETWORK,
        Column("Data set", numeric=False),
        Column("Pictures"),
        Column("Per-image IoU", "Mean [95 % interval]"),
        Column("Boundary IoU", "Mean [95 % interval]"),
        Column("NSD at 1 %", "Mean [95 % interval]"),
    ]
    if empty:
        group = "Pictures without a person"
        columns += [Column(name, group) for name in ("Number", "With an alarm", "Area marked")]
    rows = []
    for record in records:
        label, slot = _first_cell(study, record.network)
        cells = [label, record.data, str(record.images)]
        names = ("iou", "boundary_iou", "surface_dice_10")
        cells += [bounded(record.metrics.get(name)) for name in names]
        if empty:
            alarms = record.metrics.get("false_positive_images")
            area = record.metrics.get("false_positive_area")
            cells += [
                str(record.person_free),
                bounded(alarms, percent),
                bounded(area, lambda share: percent(share, 2)),
            ]
        rows.append(Row(tuple(cells), slot=slot))
    return table_of("External data sets: no network was trained on them.", columns, rows)


def alarm_table(study: Study) -> Table | None:
    """False alarms on the study's own images without a person; None where there is none."""
    rows = []
    for network in study.finished:
        alarms = metric_of(study, network, "false_positive_images")
        area = metric_of(study, network, "false_positive_area")
        if alarms is None and area is None:
            continue
        empty = sum(image.person_free for image in network.image_scores.values())
        cells = (
            network.label,
            str(empty),
            bounded(alarms, percent),
            bounded(area, lambda share: percent(share, 2)),
        )
        rows.append(Row(cells, slot=network.slot))
    columns = (NETWORK, Column("Pictures"), Column("With an alarm"), Column("Area marked"))
    caption = (
        "Pictures without a person. An alarm marks more than 0.1 % of the pixels; the area is the "
        "mean share of a picture that is marked."
    )
    return table_of(caption, columns, rows)


def corruption_name(name: str) -> str:
    """A corruption as the page names it."""
    words = {"jpeg": "JPEG"}.get(name, name.replace("_", " "))
    return f"{words[:1].upper()}{words[1:]}"


def by_corruption(study: Study) -> dict[str, dict[str, RobustnessAnalysis]]:
    """What was analysed by corruption and network."""
    records: dict[str, dict[str, RobustnessAnalysis]] = {}
    for record in study.analysis.robustness:
        records.setdefault(record.corruption, {})[record.network] = record
    return records


def robustness_table(study: Study) -> Table | None:
    """Share of IoU that is retained under every corruption; None where it was not measured."""
    corruptions = by_corruption(study)
    if not corruptions:
        return None
    names = dict.fromkeys(name for networks in corruptions.values() for name in networks)
    group = "IoU retained, mean over severities [95 % interval]"
    columns = [Column("Corruption", numeric=False)]
    columns += [Column(_first_cell(study, name)[0], group) for name in names]
    rows = []
    for corruption, networks in corruptions.items():
        records = (networks.get(name) for name in names)
        cells = (bounded(record.retention if record else None, percent) for record in records)
        rows.append(Row((corruption_name(corruption), *cells)))
    means = (percent(mean_retention(corruptions, name)) for name in names)
    rows.append(Row(("Mean over corruptions", *means), "baseline"))
    clean = [f"{_first_cell(study, name)[0]} {score(_clean(corruptions, name))}" for name in names]
    images = {record.images for networks in corruptions.values() for record in networks.values()}
    caption = (
        f"IoU on corrupted pictures as a share of the IoU on the same {_numbers(images)} test "
        f"pictures uncorrupted. Uncorrupted IoU: {listed(clean)}."
    )
    return Table(caption, tuple(columns), tuple(rows))


def mean_retention(
    corruptions: Mapping[str, Mapping[str, RobustnessAnalysis]], network: str
) -> float | None:
    """Mean over corruptions of a network's retention."""
    retentions = [
        networks[network].retention.estimate
        for networks in corruptions.values()
        if network in networks
    ]
    return statistics.fmean(retentions) if retentions else None


def _clean(
    corruptions: Mapping[str, Mapping[str, RobustnessAnalysis]], network: str
) -> float | None:
    records = (networks[network] for networks in corruptions.values() if network in networks)
    return next((record.clean for record in records), None)


def _numbers(counts: Iterable[int]) -> str:
    return listed([f"{count:,}" for count in sorted(set(counts))], "or") or UNKNOWN
