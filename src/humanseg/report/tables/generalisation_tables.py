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
from humanseg.report.study import Network, Study, spread
from humanseg.report.tables.table import NETWORK, Column, Row, Table, numbers, table_of, words
from humanseg.results import Interval, RobustnessAnalysis

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
    scored = numbers("Training pictures", "Held-out pictures", group=_IOU)
    columns = (NETWORK, *scored, Column("Gap (points)"))
    caption = (
        "The same networks on their own training pictures and on held-out ones; means over runs."
    )
    return table_of(caption, columns, rows)


def source_table(study: Study) -> Table | None:
    """Every source left out of training in turn; None where it was not asked for."""
    rows = []
    for record in study.analysis.sources:
        label, slot = _first_cell(study, record.network)
        scores = (bounded(record.seen), bounded(record.unseen), bounded(record.gap, points))
        rows.append(Row((label, record.source, str(record.images), *scores), slot=slot))
    scored = numbers("Source in training", "Source left out", group=_IOU)
    columns = (NETWORK, *words("Source"), Column("Pictures"), *scored, Column("Lost (points)"))
    caption = "Pictures of one source, scored by networks trained with and without that source."
    return table_of(caption, columns, rows)


def external_table(study: Study) -> Table | None:
    """External data sets; None where there was none."""
    records = study.analysis.external
    empty = any(record.person_free for record in records)
    scored = numbers(_IOU, "Boundary IoU", "NSD at 1 %", group="Mean [95 % interval]")
    columns = [NETWORK, *words("Data set"), Column("Pictures"), *scored]
    if empty:
        columns += numbers("Number", *_ALARMS, group="Pictures without a person")
    rows = []
    for record in records:
        label, slot = _first_cell(study, record.network)
        cells = [label, record.data, str(record.images)]
        names = ("iou", "boundary_iou", "surface_dice_10")
        cells += [bounded(record.metrics.get(name)) for name in names]
        if empty:
            cells += [str(record.person_free), *_alarm_cells(record.metrics.get)]
        rows.append(Row(tuple(cells), slot=slot))
    return table_of("External data sets: no network was trained on them.", columns, rows)


def alarm_table(study: Study) -> Table | None:
    """False alarms on the study's own images without a person; None where there is none."""
    rows = []
    for network in study.finished:
        cells = _alarm_cells(partial(metric_of, study, network))
        if set(cells) == {UNKNOWN}:
            continue
        empty = sum(image.person_free for image in network.image_scores.values())
        rows.append(Row((network.label, str(empty), *cells), slot=network.slot))
    caption = (
        "Pictures without a person. An alarm marks more than 0.1 % of the pixels; the area is the "
        "mean share of a picture that is marked."
    )
    return table_of(caption, (NETWORK, *numbers("Pictures", *_ALARMS)), rows)


_ALARMS = ("With an alarm", "Area marked")


def _alarm_cells(metric: Callable[[str], Interval | None]) -> tuple[str, str]:
    area = bounded(metric("false_positive_area"), lambda share: percent(share, 2))
    return bounded(metric("false_positive_images"), percent), area


def corruption_name(name: str) -> str:
    """A corruption as the page names it."""
    return capitalised({"jpeg": "JPEG"}.get(name, name.replace("_", " ")))


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
    labels = {name: _first_cell(study, name)[0] for name in names}
    rows = []
    for corruption, networks in corruptions.items():
        records = (networks.get(name) for name in names)
        cells = (bounded(record.retention if record else None, percent) for record in records)
        rows.append(Row((corruption_name(corruption), *cells)))
    means = (percent(mean_retention(study, name)) for name in names)
    rows.append(Row(("Mean over corruptions", *means), "baseline"))
    every = study.analysis.robustness
    clean = {record.network: record.clean for record in reversed(every)}
    counts = [f"{count:,}" for count in sorted({record.images for record in every})]
    caption = (
        f"IoU on corrupted pictures as a share of the IoU on the same {listed(counts, 'or')} test "
        "pictures uncorrupted. Uncorrupted IoU: "
        f"{listed([f'{labels[name]} {score(clean[name])}' for name in names])}."
    )
    columns = (*words("Corruption"), *numbers(*labels.values(), group=group))
    return Table(caption, columns, tuple(rows))


def mean_retention(study: Study, network: str) -> float | None:
    """Mean over corruptions of a network's retention."""
    records = study.analysis.robustness
    return spread(each.retention.estimate for each in records if each.network == network).mean
