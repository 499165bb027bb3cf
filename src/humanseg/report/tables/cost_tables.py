"""Tables of what networks take, and of what was published."""

from __future__ import annotations

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
from humanseg.report.tables.table import NETWORK, Row, Table, numbers, words
from humanseg.report.text.definitions import PUBLISHED, PUBLISHED_TEST_IDS

_COSTS: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("train_seconds", "Training time", duration),
    ("wall_seconds", "Wall time", duration),
    ("images_per_second", "Pictures per second", rate),
    ("latency_seconds", "Latency of one picture", milliseconds),
    ("peak_memory_bytes", "Peak memory", memory),
    ("parameters", "Parameters", large),
    ("macs", "MACs", large),
)


def cost_table(study: Study) -> Table | None:
    """What each network takes and weighs; None without trainings."""
    if not study.runs:
        return None
    modes = ("Precision", "Memory format", "Device", "Threads")
    rows = []
    for network in study.finished:
        cells = [show(network.cost(field).mean) for field, _, show in _COSTS]
        rows.append(Row((network.label, *cells, *_modes(network)), slot=network.slot))
        if len(network.runs) > 1:
            deviations = [
                show(network.cost(field).sd) if field.endswith("_seconds") else ""
                for field, _, show in _COSTS
            ]
            name = f"SD over {counted(len(network.runs), 'run')}"
            rows.append(Row((name, *deviations, *[""] * len(modes)), "spread"))
    caption = (
        "Cost of one run, mean over runs. Training time is that of the training iterations; wall "
        "time is that of the whole run."
    )
    columns = (NETWORK, *numbers(*(label for _, label, _ in _COSTS)), *words(*modes))
    return Table(caption, columns, tuple(rows))


def _modes(network: Network) -> list[str]:
    resolved = [run.resolved for run in network.runs]
    threads = {run.environment.threads for run in network.runs}
    return [
        *(
            listed(sorted({getattr(choice, field) for choice in resolved}))
            for field in ("precision", "memory_format", "device")
        ),
        listed(sorted(UNKNOWN if count is None else str(count) for count in threads)),
    ]


def published_table(study: Study) -> Table | None:
    """Published figures and ours by the same convention; None outside that protocol."""
    if not study.runs or any(run.config.split.protocol != "reference" for run in study.runs):
        return None
    columns = (
        NETWORK,
        *numbers("published", "here", group="Batch-averaged IoU"),
        *numbers("published", "here", group="Batch-averaged Dice"),
        *numbers("published, T4", "here", group="Training time"),
    )
    rows = []
    for network in study.networks:
        theirs = PUBLISHED.get(network.arch)
        batch = (
            network.mean(f"batch_{name}") if network.runs else None for name in ("iou", "dice")
        )
        iou, dice = (score(value, 4) for value in batch)
        cells = (
            network.label,
            score(theirs.iou if theirs else None, 4),
            iou,
            score(theirs.dice if theirs else None, 4),
            dice,
            duration(theirs.seconds if theirs else None),
            duration(network.cost("train_seconds").mean),
        )
        rows.append(Row(cells, slot=network.slot))
    selected = any(run.config.training.checkpoint == "best" for run in study.runs)
    note = " In both, the epoch was selected on the reported pictures." if selected else ""
    seen = {frozenset(run.split.test) for run in study.runs}
    caption = "Published figures and these runs."
    if seen != {PUBLISHED_TEST_IDS}:
        caption = (
            "Published figures and these runs, which were tested on other pictures: the protocol "
            "is the same, but the scores cannot be compared."
        )
    return Table(f"{caption}{note}", columns, tuple(rows))
