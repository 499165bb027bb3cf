"""Tables of how networks do on pictures that are unlike those they were trained on."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from humanseg.report.formatting import (
    UNKNOWN,
    bounded,
    listed,
    percent,
    points,
    score,
)
from humanseg.report.study import Network, Study
from humanseg.report.tables import NETWORK, Column, Row, Table
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
    """Training pictures against held-out ones; None where it was not measured."""
    rows = []
    for network in study.finished:
        found = study.analysed(network)
        if found is None or found.train_iou is None or found.gap is None:
            continue
        held_out = found.train_iou - found.gap
        cells = (network.label, score(found.train_iou), score(held_out), points(found.gap))
        rows.append(Row(cells, slot=network.slot))
    if not rows:
        return None
    columns = (
        NETWORK,
        Column("Training pictures", _IOU),
        Column("Held-out pictures", _IOU),
        Column("Gap (points)"),
    )
    return Table(
        "The same networks on the pictures they trained on and on those they did not; means over "
        "runs.",
        columns,
        tuple(rows),
    )


def source_table(study: Study) -> Table | None:
    """Every source left out of training in turn; None where it was not asked for."""
    found = study.analysis.sources if study.analysis else ()
    if not found:
        return None
    rows = []
    for one in found:
        label, slot = _first_cell(study, one.network)
        cells = (
            label,
            one.source,
            str(one.images),
            bounded(one.seen),
            bounded(one.unseen),
            bounded(one.gap, points),
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
    return Table(
        "Pictures of one source, by networks that trained with and without that source.",
        columns,
        tuple(rows),
    )


def external_table(study: Study) -> Table | None:
    """Other data sets; None where there was none."""
    found = study.analysis.external if study.analysis else ()
    if not found:
        return None
    empty = any(one.person_free for one in found)
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
    for one in found:
        label, slot = _first_cell(study, one.network)
        cells = [label, one.data, str(one.images)]
        names = ("iou", "boundary_iou", "surface_dice_10")
        cells += [bounded(one.metrics.get(name)) for name in names]
        if empty:
            alarms = one.metrics.get("false_positive_images")
            area = one.metrics.get("false_positive_area")
            cells += [
                str(one.person_free),
                bounded(alarms, percent),
                bounded(area, lambda share: percent(share, 2)),
            ]
        rows.append(Row(tuple(cells), slot=slot))
    caption = "On other data sets, which no network was trained on."
    return Table(caption, tuple(columns), tuple(rows))


def alarm_table(study: Study) -> Table | None:
    """What is marked on the study's own pictures without anyone; None where there is none."""
    rows = []
    for network in study.finished:
        alarms = study.metric(network, "false_positive_images")
        area = study.metric(network, "false_positive_area")
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
    if not rows:
        return None
    columns = (NETWORK, Column("Pictures"), Column("With an alarm"), Column("Area marked"))
    return Table(
        "Pictures without a person: on how many more than 0.1 % of the pixels are marked, and how "
        "much of a picture is on average.",
        columns,
        tuple(rows),
    )


def corruption_name(name: str) -> str:
    """A corruption as the page names it."""
    words = {"jpeg": "JPEG"}.get(name, name.replace("_", " "))
    return f"{words[:1].upper()}{words[1:]}"


def by_corruption(study: Study) -> dict[str, dict[str, RobustnessAnalysis]]:
    """What was analysed by corruption and network."""
    found: dict[str, dict[str, RobustnessAnalysis]] = {}
    for one in study.analysis.robustness if study.analysis else ():
        found.setdefault(one.corruption, {})[one.network] = one
    return found


def robustness_table(study: Study) -> Table | None:
    """Share of IoU that is kept under every corruption; None where it was not measured."""
    found = by_corruption(study)
    if not found:
        return None
    names = dict.fromkeys(name for one in found.values() for name in one)
    group = "IoU kept, mean over severities [95 % interval]"
    columns = [Column("Corruption", numeric=False)]
    columns += [Column(_first_cell(study, name)[0], group) for name in names]
    rows = []
    for corruption, one in found.items():
        kept = (bounded(one[name].retention if name in one else None, percent) for name in names)
        rows.append(Row((corruption_name(corruption), *kept)))
    means = [kept_on_average(found, name) for name in names]
    rows.append(Row(("Mean over corruptions", *(percent(value) for value in means)), "floor"))
    clean = [f"{_first_cell(study, name)[0]} {score(_clean(found, name))}" for name in names]
    images = {one.images for several in found.values() for one in several.values()}
    caption = (
        f"Corrupted IoU as a share of clean IoU on {_numbers(images)} of the networks' own test "
        f"pictures. Clean IoU of the same pictures: {listed(clean)}."
    )
    return Table(caption, tuple(columns), tuple(rows))


def kept_on_average(found: dict[str, dict[str, RobustnessAnalysis]], network: str) -> float | None:
    """Mean over corruptions of a network's retention."""
    kept = [one[network].retention.estimate for one in found.values() if network in one]
    return statistics.fmean(kept) if kept else None


def _clean(found: dict[str, dict[str, RobustnessAnalysis]], network: str) -> float | None:
    return next((one[network].clean for one in found.values() if network in one), None)


def _numbers(counts: Iterable[int]) -> str:
    return listed([f"{count:,}" for count in sorted(set(counts))], "or") or UNKNOWN
