"""Charts of what corrupted pictures cost."""

from __future__ import annotations

from markupsafe import Markup

from humanseg.report.charts.svg import Axis, Box, Panel, tenth_below
from humanseg.report.formatting import bounded, percent, score
from humanseg.report.study import Study
from humanseg.report.tables.generalisation_tables import by_corruption, corruption_name
from humanseg.results import RobustnessAnalysis


def robustness_curves(study: Study) -> list[Markup]:
    """IoU by severity, one small chart per corruption, on shared axes; severity 0 is clean."""
    every = study.analysis.robustness
    lowest = (min(record.severities, default=record.clean) for record in every)
    low = tenth_below(min(lowest, default=0.0))
    last = max((len(record.severities) for record in every), default=0)
    axis = Axis(0.0, last, "Severity, 0 is clean", marks=tuple(range(last + 1)))
    return [
        _panel(study, corruption, list(networks.values()), axis, low)
        for corruption, networks in by_corruption(study).items()
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
        box=Box(34, 34, 290, 166),
        x_axis=x_axis,
        y_axis=Axis(low, 1.0, f"{name}, per-image IoU"),
    )
    for network, record in named:
        points = list(enumerate((record.clean, *record.severities)))
        notes = [f"{network.label}, severity {at}: {score(value)}" for at, value in points]
        panel.series(network.slot, points, notes)
    return panel.render()
