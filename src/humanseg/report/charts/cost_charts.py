"""Charts of accuracy against cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from humanseg.report.charts.score_charts import WIDE, ends_of
from humanseg.report.charts.svg import Axis, Panel, plain, ticks
from humanseg.report.formatting import bounded, duration, large, milliseconds, score
from humanseg.report.ranking import metric_of, ranked
from humanseg.report.study import Network, Study
from humanseg.results import Interval

_SECONDS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_SHORT = ((1.0, "seconds"), (1e-3, "milliseconds"))
_COUNTS = ((1e9, "billions"), (1e6, "millions"), (1.0, ""))
_COSTS = (
    ("latency_seconds", "Latency", _SHORT, milliseconds),
    ("parameters", "Parameters", _COUNTS, large),
    ("macs", "MACs per picture", _COUNTS, large),
    ("train_seconds", "Training time", _SECONDS, duration),
)


def cost_plots(study: Study) -> list[Markup]:
    """Accuracy against latency, parameters, MACs and training time; nothing without trainings."""
    scored = [
        (network, iou)
        for network in ranked(study, "iou")
        if network.runs and (iou := metric_of(study, network, "iou")) is not None
    ]
    return [_cost_plot(scored, *cost) for cost in _COSTS] if scored else []


def _cost_axis(name: str, values: Sequence[float], units: Sequence[tuple[float, str]]) -> Axis:
    """An axis from zero, labelled in the largest unit that keeps ticks above one."""
    high = 1.15 * max(values, default=1.0) or 1.0
    factor, unit = next((unit for unit in units if high >= 2 * unit[0]), units[-1])
    label = f"{name} ({unit})" if unit else name
    marks = tuple(factor * tick for tick in ticks(0.0, high / factor))
    return Axis(0.0, high, label, lambda value: plain(value / factor), marks)


def _cost_plot(
    scored: Sequence[tuple[Network, Interval]],
    field: str,
    name: str,
    units: Sequence[tuple[float, str]],
    show: Callable[[float | None], str],
) -> Markup:
    costs = [network.cost(field) or 0.0 for network, _ in scored]
    ends = [ends_of(iou) for _, iou in scored]
    low, high = _padded([end for pair in ends for end in pair])
    panel = Panel(
        f"Per-image IoU against {name.removesuffix(' per picture')}",
        "; ".join(
            f"{network.label}: {bounded(iou)}, {show(cost)}"
            for (network, iou), cost in zip(scored, costs, strict=True)
        ),
        size=(WIDE, 280),
        margins=(46, 34, 14),
        x_axis=_cost_axis(name, costs, units),
        y_axis=Axis(low, high, "Per-image IoU, mean with 95 % interval"),
    )
    heights = _spaced([panel.y(iou.estimate) for _, iou in scored], panel.bottom)
    for (network, iou), cost, (bottom, top), height in zip(
        scored, costs, ends, heights, strict=True
    ):
        x, y = panel.x(cost), panel.y(iou.estimate)
        panel.line(x, panel.y(bottom), x, panel.y(top), f"whisker net-{network.slot}")
        note = f"{bounded(iou)}, {show(cost)}"
        panel.marker(x, y, network.slot, note, size=5.5)
        leftwards = x > (panel.left + panel.right) / 2
        text = f"{network.label} {score(iou.estimate)}"
        side = -10 if leftwards else 10
        panel.label(x + side, height + 4, text, "series", "end" if leftwards else "start")
    return panel.render()


_LINE = 17


def _spaced(heights: Sequence[float], bottom: float) -> list[float]:
    """Heights of labels, in the order of scores from the top down, that never touch."""
    spaced: list[float] = []
    for height in heights:
        spaced.append(max(height, spaced[-1] + _LINE) if spaced else height)
    lowest = bottom - 8
    for index in reversed(range(len(spaced))):
        spaced[index] = min(spaced[index], lowest)
        lowest = spaced[index] - _LINE
    return spaced


def _padded(values: Sequence[float]) -> tuple[float, float]:
    """An axis range of at least ten points, so that small gaps look small."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    missing = max(0.0, 0.1 - (high - low)) / 2
    low, high = low - missing, high + missing
    if high > 1.0:
        low, high = low - (high - 1.0), 1.0
    return max(0.0, low - 0.01), min(1.0, high + 0.01)
