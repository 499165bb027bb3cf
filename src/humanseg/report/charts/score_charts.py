"""Charts of scores: their spread over pictures, their differences, and how sure networks are."""

from __future__ import annotations

import math
import statistics

from markupsafe import Markup

from humanseg.evaluation.metrics.calibration import add_calibrations
from humanseg.report.charts.svg import BELOW, Axis, Panel, tenth_below
from humanseg.report.formatting import bounded, counted, percent, points, score, signed
from humanseg.report.ranking import METRIC_NAMES, Metric, Pair, metric_of, pairs_of
from humanseg.report.study import Network, Study, grouped
from humanseg.report.tables.difference_tables import MARGIN
from humanseg.results import Interval

WIDE = 480
NOTHING = Markup("")
_STRIP = 88
_BEE_STEP = 5.0
_PAIR = 46


def ends_of(interval: Interval) -> tuple[float, float]:
    """Both ends of an interval; the estimate twice where there is none."""
    if interval.low is None or interval.high is None:
        return interval.estimate, interval.estimate
    return interval.low, interval.high


def strip_plot(study: Study) -> Markup:
    """Every picture's IoU, one strip per network, with median, mean and its interval."""
    scores = {network: network.by_image("iou") for network in study.finished}
    if not any(scores.values()):
        return NOTHING
    low = tenth_below(min(min(values.values(), default=1.0) for values in scores.values()))
    panel = Panel(
        "Per-image IoU of every test picture, by network",
        "; ".join(
            f"{network.label}: mean {bounded(metric_of(study, network, 'iou'))}, median "
            f"{score(statistics.median(values.values()))}"
            for network, values in scores.items()
            if values
        ),
        size=(WIDE, 14 + _STRIP * len(scores) + BELOW),
        margins=(10, 14, 14),
        x_axis=Axis(low, 1.0, "Per-image IoU"),
    )
    for index, (network, values) in enumerate(scores.items()):
        _strip(panel, study, network, values, 14 + _STRIP * index)
    return panel.render()


def _strip(
    panel: Panel, study: Study, network: Network, values: dict[str, float], top: float
) -> None:
    centre = top + 48
    panel.label(panel.left, top + 13, network.label, "series")
    mean = metric_of(study, network, "iou")
    if not values or mean is None:
        return
    for id_, dy in _swarm(panel, values).items():
        value = values[id_]
        panel.marker(panel.x(value), centre + dy, network.slot, f"{id_}: {score(value)}")
    median = statistics.median(values.values())
    panel.line(panel.x(median), centre - 24, panel.x(median), centre + 24, "median")
    bar = top + 79
    if mean.low is not None and mean.high is not None:
        low, high = (panel.x(panel.x_axis.inside(end)) for end in (mean.low, mean.high))
        panel.line(low, bar, high, bar, f"whisker net-{network.slot}")
    panel.marker(panel.x(mean.estimate), bar, network.slot, f"mean {bounded(mean)}", size=4.2)
    text = f"mean {bounded(mean)}, median {score(median)}"
    panel.label(panel.right, top + 13, text, "value", "end")


def _swarm(panel: Panel, values: dict[str, float]) -> dict[str, float]:
    """Vertical offsets that keep neighbours apart: stacked from the middle outwards."""
    order = sorted(values, key=lambda name: (values[name], name))
    columns = grouped((round(panel.x(values[id_]) / _BEE_STEP), id_) for id_ in order)
    tallest = max(len(column) for column in columns.values())
    step = min(_BEE_STEP, 44 / tallest)
    return {
        id_: step * ((rank + 1) // 2) * (1 if rank % 2 else -1)
        for column in columns.values()
        for rank, id_ in enumerate(column)
    }


def share_plot(study: Study) -> Markup:
    """IoU against the share of the picture that is person."""
    shares = {id_: image.foreground_share for id_, image in study.image_scores.items()}
    scores = [(network, network.by_image("iou")) for network in study.finished]
    if not any(values for _, values in scores):
        return NOTHING
    low = tenth_below(min(min(values.values(), default=1.0) for _, values in scores))
    high = max(0.1, math.ceil(max(shares.values(), default=1.0) * 10) / 10)
    panel = Panel(
        "Per-image IoU against foreground share",
        "One mark per test picture and network; small persons are on the left.",
        size=(WIDE, 14 + _STRIP * max(len(scores), 2) + BELOW),
        margins=(38, 34, 14),
        x_axis=Axis(0.0, high, "Foreground share", lambda share: f"{100 * share:g} %"),
        y_axis=Axis(low, 1.0, "Per-image IoU"),
    )
    for network, values in scores:
        for id_, value in values.items():
            note = f"{id_}: {network.label} {score(value)}, foreground {percent(shares[id_])}"
            panel.marker(panel.x(shares[id_]), panel.y(value), network.slot, note)
    return panel.render()


def interval_plot(study: Study, metric: Metric) -> Markup:
    """Every pair's difference with its interval; nothing without a pair."""
    pairs = pairs_of(study, metric)
    if not pairs:
        return NOTHING
    ends = [end for pair in pairs for end in ends_of(pair.difference)]
    reach = max(0.02, *(abs(end) for end in ends))
    panel = Panel(
        f"Differences in {METRIC_NAMES[metric]} between networks",
        "; ".join(_described(pair) for pair in pairs),
        size=(WIDE, 10 + _PAIR * len(pairs) + BELOW),
        margins=(14, 10, 14),
        x_axis=Axis(
            min(-0.3 * reach, *ends),
            1.08 * max(*ends, 0.3 * reach),
            f"Difference in {METRIC_NAMES[metric]} (points), mean with 95 % interval",
            signed,
        ),
    )
    for index, pair in enumerate(pairs):
        _draw_pair(panel, pair, 10 + _PAIR * index)
    return panel.render()


def _described(pair: Pair) -> str:
    level = f"equal within {MARGIN}" if pair.record.equivalent else "undecided"
    verdict = "a clear difference" if pair.record.evidence else level
    difference = bounded(pair.difference, points)
    return f"{pair.first.label} minus {pair.second.label}: {difference} points, {verdict}"


def _draw_pair(panel: Panel, pair: Pair, top: float) -> None:
    middle = top + 30
    low, high = (panel.x(end) for end in ends_of(pair.difference))
    panel.line(panel.x(0.0), middle - 10, panel.x(0.0), middle + 12, "zero")
    panel.label(panel.left, top + 16, f"{pair.first.label} − {pair.second.label}", "series")
    text = bounded(pair.difference, signed)
    panel.label(panel.right, top + 16, text, "value", "end")
    panel.line(low, middle, high, middle, "whisker net-0")
    kind = "" if pair.record.evidence else "open"
    panel.marker(
        panel.x(pair.difference.estimate), middle, 0, _described(pair), size=5.0, kind=kind
    )


_FEW = 1e-5
"""Bins with a smaller share of the pixels are not drawn: their frequencies are noise."""

_CURVES = {
    "calibration": ("ece", "all pixels"),
    "band_calibration": ("band_ece", "pixels near contours"),
}


def reliability_plot(study: Study, field: str) -> Markup:
    """How often pixels of a probability are person; `field` of the records says which pixels."""
    metric, where = _CURVES[field]
    curves = {network: bins for network in study.finished if (bins := _bins(network, field))}
    if not curves:
        return NOTHING
    panel = Panel(
        f"Probability against frequency, {where}",
        "Calibration error: "
        + "; ".join(f"{net.label} {bounded(metric_of(study, net, metric))}" for net in curves)
        + ". On the diagonal, probability and frequency agree.",
        size=(WIDE, 410),
        margins=(38, 34, 14),
        x_axis=Axis(0.0, 1.0, f"Probability, {where}"),
        y_axis=Axis(0.0, 1.0, "Share of pixels that are person"),
    )
    panel.line(panel.x(0.0), panel.y(0.0), panel.x(1.0), panel.y(1.0), "diagonal")
    for network, bins in curves.items():
        notes = [
            f"{network.label}: probability {score(probability, 2)}, person {percent(share)} of "
            f"{counted(pixels, 'pixel')}"
            for probability, share, pixels in bins
        ]
        panel.series(network.slot, [(probability, share) for probability, share, _ in bins], notes)
    return panel.render()


def _bins(network: Network, field: str) -> list[tuple[float, float, int]]:
    """Mean probability, share of person and pixels of every bin, over all that scored."""
    total = add_calibrations(getattr(record, field) for record in network.scored)
    least = max(1.0, _FEW * sum(total.pixels))
    return [
        (likely / count, true / count, count)
        for count, likely, true in zip(total.pixels, total.probability, total.person, strict=True)
        if count >= least
    ]
