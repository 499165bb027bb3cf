"""Curves: learning by epoch, and what corrupted pictures cost by severity."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from markupsafe import Markup

from humanseg.report.charts.svg import Axis, Panel, tenth_below
from humanseg.report.formatting import bounded, counted, listed, percent, score
from humanseg.report.study import Network, Study, grouped
from humanseg.report.tables.generalisation_tables import corruption_name
from humanseg.results import EpochRecord, RobustnessAnalysis


def learning_curves(study: Study) -> list[tuple[Network, Markup, Markup]]:
    """Loss and IoU per epoch of every network, on shared axes; nothing without trainings."""
    records = [record for run in study.runs for record in run.epochs]
    top = loss_limit(records)
    ious = [iou for each in records for iou in (each.train_iou, each.validation_iou)]
    low = tenth_below(min((iou for iou in ious if iou is not None), default=0.0))
    return [
        (
            network,
            _curve(study, network, "loss", Axis(0.0, top, "Loss")),
            _curve(study, network, "iou", Axis(low, 1.0, "IoU")),
        )
        for network in study.trained
    ]


def loss_limit(records: Sequence[EpochRecord]) -> float:
    """Upper end of the loss axis: a first epoch's wild validation loss must not flatten the rest.

    Twice the largest training loss is enough for curves that behave.
    """
    train = max((record.train_loss for record in records), default=1.0)
    losses = [record.validation_loss for record in records if record.validation_loss is not None]
    return max(min(max([train, *losses]), 2 * train), 1e-6)


def _by_epoch(network: Network, name: str) -> dict[int, list[float]]:
    """Values of all runs by epoch."""
    values = grouped(
        (record.epoch, value)
        for run in network.runs
        for record in run.epochs
        if (value := getattr(record, name)) is not None
    )
    return dict(sorted(values.items()))


def _curve(study: Study, network: Network, kind: str, y_axis: Axis) -> Markup:
    last = max((len(run.epochs) for run in study.runs), default=1)
    kept_epochs = sorted({run.kept_epoch for run in network.runs})
    several = len(network.runs) > 1
    over = f" Mean and range over {counted(len(network.runs), 'run')}." if several else ""
    epochs = listed([str(epoch) for epoch in kept_epochs])
    marks = (1, *range(5, last + 1, 5 * max(1, math.ceil(last / 40))))
    panel = Panel(
        f"{y_axis.label} per epoch, {network.label}",
        f"Training dashed, validation solid; reported epoch {epochs}.{over}",
        size=(360, 220),
        margins=(38, 30, 10),
        x_axis=Axis(1, max(last, 2), "Epoch", marks=marks),
        y_axis=y_axis,
    )
    by_part = {part: _by_epoch(network, f"{part}_{kind}") for part in ("train", "validation")}
    for part, values in by_part.items():
        _draw_runs(panel, y_axis, values, f"{part} net-{network.slot}", several=several)
    for epoch in kept_epochs:
        panel.line(panel.x(epoch), panel.top, panel.x(epoch), panel.bottom, "kept")
    # The mean of the epoch whose weights are scored; without validation that of training.
    kept = by_part["validation"].get(kept_epochs[0]) or by_part["train"].get(kept_epochs[0])
    if len(kept_epochs) == 1 and kept:
        mean = statistics.fmean(kept)
        note = f"reported epoch {kept_epochs[0]}: {score(mean)}"
        x, y = panel.x(kept_epochs[0]), panel.y(y_axis.inside(mean))
        panel.marker(x, y, network.slot, note, size=4.2)
    return panel.render()


def _draw_runs(
    panel: Panel, y_axis: Axis, values: dict[int, list[float]], style: str, *, several: bool
) -> None:
    """Draw the mean by epoch, and around it the range where there are several runs."""

    def line(of: Callable[[list[float]], float]) -> list[tuple[float, float]]:
        return [(panel.x(at), panel.y(y_axis.inside(of(each)))) for at, each in values.items()]

    if several and values:
        panel.path([*line(max), *reversed(line(min))], f"band {style}", closed=True)
    panel.path(line(statistics.fmean), f"curve {style}")


def robustness_curves(study: Study) -> list[Markup]:
    """IoU by severity, one small chart per corruption, on shared axes; severity 0 is clean."""
    every = study.analysis.robustness
    lowest = (min(record.severities, default=record.clean) for record in every)
    low = tenth_below(min(lowest, default=0.0))
    last = max((len(record.severities) for record in every), default=0)
    axis = Axis(0.0, last, "Severity, 0 is clean", marks=tuple(range(last + 1)))
    return [
        _panel(study, corruption, records, axis, low)
        for corruption, records in grouped((record.corruption, record) for record in every).items()
    ]


def _panel(
    study: Study, corruption: str, records: list[RobustnessAnalysis], x_axis: Axis, low: float
) -> Markup:
    name = corruption_name(corruption)
    named = [(study.network(record.network), record) for record in records]
    panel = Panel(
        f"Per-image IoU by severity: {name.lower()}",
        "Share of clean IoU retained: "
        + "; ".join(f"{network.label} {bounded(own.retention, percent)}" for network, own in named),
        size=(300, 210),
        margins=(34, 34, 10),
        x_axis=x_axis,
        y_axis=Axis(low, 1.0, f"{name}, per-image IoU"),
    )
    for network, record in named:
        points = list(enumerate((record.clean, *record.severities)))
        notes = [f"{network.label}, severity {at}: {score(value)}" for at, value in points]
        panel.series(network.slot, points, notes)
    return panel.render()
