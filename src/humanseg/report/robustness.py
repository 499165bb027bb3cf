"""Charts of what corrupted pictures cost."""

from __future__ import annotations

from markupsafe import Markup

from humanseg.report.charts import floor_tenth
from humanseg.report.formatting import bounded, percent, score
from humanseg.report.generalisation_tables import by_corruption, corruption_name, network_of
from humanseg.report.study import Study
from humanseg.report.svg import Axis, Box, Panel
from humanseg.results import RobustnessAnalysis


def robustness_curves(study: Study) -> tuple[Markup, ...]:
    """IoU by severity, one small chart per corruption, on shared axes; severity 0 is clean."""
    found = by_corruption(study)
    every = [one for several in found.values() for one in several.values()]
    if not every:
        return ()
    low = floor_tenth(min(min(one.severities, default=one.clean) for one in every))
    most = max(len(one.severities) for one in every)
    return tuple(
        _panel(study, corruption, list(several.values()), low, most)
        for corruption, several in found.items()
    )


def _panel(
    study: Study, corruption: str, found: list[RobustnessAnalysis], low: float, most: int
) -> Markup:
    known = [(network, one) for one in found if (network := network_of(study, one.network))]
    name = corruption_name(corruption)
    panel = Panel(
        f"Per-image IoU by severity: {name.lower()}",
        "Share of clean IoU kept: "
        + "; ".join(f"{net.label} {bounded(one.retention, percent)}" for net, one in known),
        size=(300, 210),
        box=Box(34, 34, 290, 166),
        x_axis=Axis(0.0, most, "Severity, 0 is clean", marks=tuple(range(most + 1))),
        y_axis=Axis(low, 1.0, f"{name}, per-image IoU"),
    )
    for network, one in known:
        values = (one.clean, *one.severities)
        places = [(panel.x(severity), panel.y(value)) for severity, value in enumerate(values)]
        panel.path(places, f"curve net-{network.slot}")
        for severity, ((x, y), value) in enumerate(zip(places, values, strict=True)):
            note = f"{network.label}, severity {severity}: {score(value)}"
            panel.marker(x, y, network.slot, note)
    return panel.render()
