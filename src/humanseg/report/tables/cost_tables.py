"""Tables of what networks take, and of what was published."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from humanseg.report.formatting import (
    UNKNOWN,
    counted,
    duration,
    large,
    listed,
    memory,
    milliseconds,
    rate,
    score,
)
from humanseg.report.study import Network, Study
from humanseg.report.tables.table import NETWORK, Row, Table, network_row, numbers, words
from humanseg.report.text.definitions import PUBLISHED, PUBLISHED_TEST_IDS

_COSTS: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "train_seconds": ("Training time", duration),
    "wall_seconds": ("Wall time", duration),
    "images_per_second": ("Pictures per second", rate),
    "latency_seconds": ("Latency of one picture", milliseconds),
    "peak_memory_bytes": ("Peak memory", memory),
    "parameters": ("Parameters", large),
    "macs": ("MACs", large),
}
_MODES = ("Precision", "Memory format", "Device", "Threads")


def cost_table(study: Study) -> Table:
    """What each network takes and weighs."""
    rows = []
    for network in study.finished if study.runs else ():
        means = [show(network.cost(field)) for field, (_, show) in _COSTS.items()]
        rows.append(network_row(network, *means, *_modes(network)))
        if len(network.runs) > 1:
            deviations = [
                show(statistics.stdev(getattr(run.cost, field) for run in network.runs))
                if field.endswith("_seconds")
                else ""
                for field, (_, show) in _COSTS.items()
            ]
            name = f"SD over {counted(len(network.runs), 'run')}"
            rows.append(Row((name, *deviations, *[""] * len(_MODES)), "spread"))
    caption = (
        "Cost of one run, mean over runs. Training time is that of the training iterations; wall "
        "time is that of the whole run."
    )
    measured = numbers(*(label for label, _ in _COSTS.values()))
    return Table("costs", caption, (NETWORK, *measured, *words(*_MODES)), rows)


def _modes(network: Network) -> list[str]:
    threads = {run.environment.threads for run in network.runs}
    return [
        *(
            listed(sorted({getattr(run.resolved, field) for run in network.runs}))
            for field in ("precision", "memory_format", "device")
        ),
        listed(sorted(UNKNOWN if count is None else str(count) for count in threads)),
    ]


def published_table(study: Study) -> Table:
    """Published figures and ours by the same convention; empty outside that protocol."""
    columns = (
        NETWORK,
        *numbers("published", "here", group="Batch-averaged IoU"),
        *numbers("published", "here", group="Batch-averaged Dice"),
        *numbers("published, T4", "here", group="Training time"),
    )
    protocols = {run.config.split.protocol for run in study.runs}
    rows = [
        network_row(network, *_published_cells(network))
        for network in (study.networks if protocols == {"reference"} else ())
    ]
    selected = any(run.config.training.checkpoint == "best" for run in study.runs)
    note = " In both, the epoch was selected on the reported pictures." if selected else ""
    caption = "Published figures and these runs."
    if {frozenset(run.split.test) for run in study.runs} != {PUBLISHED_TEST_IDS}:
        caption = (
            "Published figures and these runs, which were tested on other pictures: the protocol "
            "is the same, but the scores cannot be compared."
        )
    return Table("published", f"{caption}{note}", columns, rows)


def _published_cells(network: Network) -> list[str]:
    iou, dice, seconds = PUBLISHED.get(network.arch, (None, None, None))
    our_iou, our_dice = (
        network.mean(f"batch_{name}") if network.runs else None for name in ("iou", "dice")
    )
    scores = (score(value, 4) for value in (iou, our_iou, dice, our_dice))
    return [*scores, duration(seconds), duration(network.cost("train_seconds"))]
