"""The report's charts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from humanseg.report.formatting import duration, large, percent, score
from humanseg.report.summary import Network, Study, interval
from humanseg.report.svg import Axis, Box, Panel, plain, ticks
from humanseg.results import EpochRecord

_WIDE = 480
_STRIP = 74
_BEE_STEP = 5.0


def _floor_tenth(value: float) -> float:
    return max(0.0, math.floor(value * 10 - 1e-9) / 10)


def strip_plot(study: Study) -> Markup:
    """Every picture's IoU, one strip per network, medians marked."""
    scores = {network: network.by_picture("iou") for network in study.finished}
    low = _floor_tenth(min((min(one.values(), default=1.0) for one in scores.values()), default=0))
    height = 14 + _STRIP * len(scores) + 44
    panel = Panel(
        "Per-image IoU of every test picture, by network",
        "; ".join(
            f"{network.label}: median {score(statistics.median(one.values()))}"
            for network, one in scores.items()
            if one
        ),
        size=(_WIDE, height),
        box=Box(10, 14, _WIDE - 14, 14 + _STRIP * len(scores)),
        x_axis=Axis(low, 1.0, "Per-image IoU"),
    )
    for place, (network, values) in enumerate(scores.items()):
        _strip(panel, network, values, 14 + _STRIP * place)
    return panel.render()


def _strip(panel: Panel, network: Network, values: dict[str, float], top: float) -> None:
    centre = top + 46
    panel.label(panel.box.left, top + 13, network.label, "series")
    if not values:
        return
    for id_, dy in _swarm(panel, values).items():
        note = f"{id_}: {score(values[id_])}"
        panel.marker(panel.x(values[id_]), centre + dy, network.slot, note)
    median = statistics.median(values.values())
    place = panel.x(median)
    panel.line(place, centre - 25, place, centre + 25, "median")
    anchor = "end" if place > panel.box.right - 50 else "middle"
    right = min(place, panel.box.right)
    panel.label(right, top + 16, f"median {score(median)}", "value", anchor)


def _swarm(panel: Panel, values: dict[str, float]) -> dict[str, float]:
    """Vertical offsets that keep neighbours apart: stacked from the middle outwards."""
    columns: dict[int, list[str]] = {}
    for id_ in sorted(values, key=lambda one: (values[one], one)):
        columns.setdefault(round(panel.x(values[id_]) / _BEE_STEP), []).append(id_)
    tallest = max(len(column) for column in columns.values())
    step = min(_BEE_STEP, 44 / tallest)
    return {
        id_: step * ((place + 1) // 2) * (1 if place % 2 else -1)
        for column in columns.values()
        for place, id_ in enumerate(column)
    }


def share_plot(study: Study) -> Markup:
    """IoU against the share of the picture that is person."""
    shares = {image.id: image.foreground_share for run in study.runs for image in run.scores}
    scores = [(network, network.by_picture("iou")) for network in study.finished]
    low = _floor_tenth(min((min(one.values(), default=1.0) for _, one in scores), default=0))
    high = max(0.1, math.ceil(max(shares.values(), default=1.0) * 10) / 10)
    height = 14 + _STRIP * len(scores) + 44
    panel = Panel(
        "Per-image IoU against foreground share",
        "One mark per test picture and network; small persons are on the left.",
        size=(_WIDE, height),
        box=Box(38, 34, _WIDE - 14, height - 44),
        x_axis=Axis(0.0, high, "Foreground share of the truth", lambda one: f"{100 * one:g} %"),
        y_axis=Axis(low, 1.0, "Per-image IoU"),
    )
    for network, values in scores:
        for id_, value in values.items():
            note = f"{id_}: {network.label} {score(value)}, foreground {percent(shares[id_])}"
            panel.marker(panel.x(shares[id_]), panel.y(value), network.slot, note)
    return panel.render()


@dataclass(frozen=True)
class Curves:
    """One network's learning curves."""

    network: Network
    loss: Markup
    overlap: Markup


def learning_curves(study: Study) -> tuple[Curves, ...]:
    """Loss and IoU per epoch of every network, on shared axes."""
    if not study.runs:
        return ()
    records = [record for run in study.runs for record in run.epochs]
    top = loss_limit(records)
    low = _floor_tenth(min((_lowest_iou(record) for record in records), default=0.0))
    return tuple(
        Curves(
            network,
            _curve(study, network, "loss", Axis(0.0, top, "Loss")),
            _curve(study, network, "iou", Axis(low, 1.0, "IoU")),
        )
        for network in study.finished
    )


def _lowest_iou(record: EpochRecord) -> float:
    return min(
        record.train_iou,
        record.train_iou if record.validation_iou is None else record.validation_iou,
    )


def loss_limit(records: Sequence[EpochRecord]) -> float:
    """Upper end of the loss axis: a first epoch's wild validation loss must not flatten the rest.

    Twice the largest training loss is enough for curves that behave.
    """
    train = max((record.train_loss for record in records), default=1.0)
    losses = [record.validation_loss for record in records if record.validation_loss is not None]
    return max(min(max([train, *losses]), 2 * train), 1e-6)


def _curve(study: Study, network: Network, kind: str, y_axis: Axis) -> Markup:
    last = max((len(run.epochs) for run in study.runs), default=1)
    title = f"{y_axis.label} per epoch, {network.label}"
    kept = ", ".join(str(run.kept_epoch) for run in network.runs)
    epochs = tuple(dict.fromkeys([1, *(tick for tick in range(5, last + 1, _stride(last)))]))
    panel = Panel(
        title,
        f"Training dashed, validation solid; kept epoch {kept}.",
        size=(360, 220),
        box=Box(38, 30, 350, 176),
        x_axis=Axis(1, max(last, 2), "Epoch", marks=epochs),
        y_axis=y_axis,
    )
    for run in network.runs:
        for part in ("train", "validation"):
            points = [
                (panel.x(record.epoch), panel.y(min(value, y_axis.high)))
                for record in run.epochs
                if (value := getattr(record, f"{part}_{kind}")) is not None
            ]
            panel.path(points, f"curve {part} net-{network.slot}")
        _mark_kept(panel, network, run.epochs, run.kept_epoch, kind)
    return panel.render()


def _stride(last: int) -> int:
    return 5 * max(1, math.ceil(last / 40))


def _mark_kept(
    panel: Panel, network: Network, epochs: Sequence[EpochRecord], kept: int, kind: str
) -> None:
    place = panel.x(kept)
    panel.line(place, panel.box.top, place, panel.box.bottom, "kept")
    record = next((one for one in epochs if one.epoch == kept), None)
    if record is None:
        return
    value = getattr(record, f"validation_{kind}")
    value = getattr(record, f"train_{kind}") if value is None else value
    high = panel.y_axis.high if panel.y_axis else value
    note = f"kept: epoch {kept}, {score(value)}"
    panel.marker(place, panel.y(min(value, high)), network.slot, note, 4.2)


_SECONDS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_COUNTS = ((1e9, "billions"), (1e6, "millions"), (1.0, ""))


def cost_plots(study: Study) -> tuple[Markup, ...]:
    """Accuracy against training time and against MACs."""
    return (
        _cost_plot(study, "train_seconds", "Training time", _SECONDS, duration),
        _cost_plot(study, "macs", "MACs per picture", _COUNTS, large),
    )


def _cost_axis(name: str, values: Sequence[float], units: Sequence[tuple[float, str]]) -> Axis:
    """An axis from zero, labelled in the largest unit that keeps ticks above one."""
    high = 1.15 * max(values, default=1.0) or 1.0
    factor, unit = next(((one, name) for one, name in units if high >= 2 * one), units[-1])
    label = f"{name} ({unit})" if unit else name
    return Axis(0.0, high, label, lambda value: plain(value / factor), _unit_ticks(high, factor))


def _unit_ticks(high: float, factor: float) -> tuple[float, ...]:
    return tuple(factor * tick for tick in ticks(0.0, high / factor))


def _cost_plot(
    study: Study,
    field: str,
    name: str,
    units: Sequence[tuple[float, str]],
    show: Callable[[float | None], str],
) -> Markup:
    scored = [
        (network, network.cost(field).mean or 0.0, network.score("iou_mean").mean or 0.0)
        for network in study.ranked("iou")
    ]
    bounds = [interval(network.by_picture("iou").values()) for network, _, _ in scored]
    low, high = _padded([bound for pair in bounds for bound in pair])
    panel = Panel(
        f"Per-image IoU against {name.removesuffix(' per picture')}",
        "; ".join(f"{one.label}: {score(mean)}, {show(cost)}" for one, cost, mean in scored),
        size=(_WIDE, 280),
        box=Box(46, 34, _WIDE - 14, 236),
        x_axis=_cost_axis(name, [cost for _, cost, _ in scored], units),
        y_axis=Axis(low, high, "Per-image IoU, mean with 95 % interval"),
    )
    lowest = 0.0
    for (network, cost, mean), (bottom, top) in zip(scored, bounds, strict=True):
        x, y = panel.x(cost), panel.y(mean)
        panel.line(x, panel.y(bottom), x, panel.y(top), f"whisker net-{network.slot}")
        panel.marker(x, y, network.slot, f"{score(mean)}, {show(cost)}", 5.5)
        lowest = max(y + 4, lowest + 17)  # labels go down in the order of scores, never touching
        leftwards = x > (panel.box.left + panel.box.right) / 2
        text = f"{network.label} {score(mean)}"
        side = -10 if leftwards else 10
        panel.label(x + side, lowest, text, "series", "end" if leftwards else "start")
    return panel.render()


def _padded(values: Sequence[float]) -> tuple[float, float]:
    """An axis range of at least ten points, so that small gaps look small."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    missing = max(0.0, 0.1 - (high - low)) / 2
    low, high = low - missing, high + missing
    if high > 1.0:
        low, high = low - (high - 1.0), 1.0
    return max(0.0, low - 0.01), min(1.0, high + 0.01)
