"""Charts of what corrupted pictures cost."""

from __future__ import annotations

from markupsafe import Markup

from humanseg.report.charts.svg import Axis, Box, Panel, tenth_below
from humanseg.report.formatting import bounded, percent, score
from humanseg.report.study import Network, Study
from humanseg.report.tables.generalisation_tables import by_corruption, corruption_name, network_of
from humanseg.results import RobustnessAnalysis


def robustness_curves(study: Study) -> tuple[Markup, ...]:
    """IoU by severity, one small chart per corruption, on shared axes; severity 0 is clean."""
    corruptions = by_corruption(study)
    records = [record for networks in corruptions.values() for record in networks.values()]
    if not records:
        return ()
    low = tenth_below(min(min(record.severities, default=record.clean) for record in records))
    last = max(len(record.severities) for record in records)
    return tuple(
        _panel(
            corruption,
            [
                (network, record)
                for name, record in networks.items()
                if (network := network_of(study, name))
            ],
            Axis(0.0, last, "Severity, 0 is clean", marks=tuple(range(last + 1))),
            low,
        )
        for corruption, networks in corruptions.items()
    )


def _panel(
    corruption: str, records: list[tuple[Network, RobustnessAnalysis]], x_axis: Axis, low: float
) -> Markup:
    name = corruption_name(corruption)
    panel = Panel(
        f"Per-image IoU by severity: {name.lower()}",
        "Share of clean IoU retained: "
        + "; ".join(f"{net.label} {bounded(own.retention, percent)}" for net, own in records),
        size=(300, 210),
        box=Box(34, 34, 290, 166),
        x_axis=x_axis,
        y_axis=Axis(low, 1.0, f"{name}, per-image IoU"),
    )
    for network, record in records:
        values = (record.clean, *record.severities)
        points = [(panel.x(severity), panel.y(value)) for severity, value in enumerate(values)]
        panel.path(points, f"curve net-{network.slot}")
        for severity, ((x, y), value) in enumerate(zip(points, values, strict=True)):
            note = f"{network.label}, severity {severity}: {score(value)}"
            panel.marker(x, y, network.slot, note)
    return panel.render()
