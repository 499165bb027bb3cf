"""From the runs of an architecture to its figures, and from these to a table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from benchmarks.tables import percent, table, three
from benchmarks.training.record import ArchResult, Epoch, OurRun, Pair, Result, Roofline, Run

from humanseg.config.architectures import Arch, label

_NOTHING = "–"
HEADER = [
    "images/s in training",
    "by round",
    "whole run",
    "by round, s",
    "peak memory",
    "validation IoU",
    "IoU by round",
    "plain's IoU reached after",
    "of the roofline",
    "refused",
]


def rates(runs: Sequence[Run], *, full_size: bool = False) -> list[float]:
    """Images per second of every epoch after the first, of the first where there is no other.

    Args:
        runs: of one loop.
        full_size: leave out epochs at a smaller size, and the first whatever else there is.
    """
    speeds = []
    for run in runs:
        early = run.early_epochs if isinstance(run, OurRun) else 0
        later = run.epochs[1:] or run.epochs
        counted = run.epochs[max(1, early) :] if full_size else later
        speeds += [epoch.images_per_second for epoch in counted]
    return speeds


def seconds_to_iou(epochs: Sequence[Epoch], target: float) -> float | None:
    """Seconds since the process start when an epoch's end first had `target`; None if none had."""
    reached = (epoch.seconds for epoch in epochs if epoch.validation_iou >= target)
    return next(reached, None)


def _pair(
    plain: Sequence[Run], ours: Sequence[Run], figure: Callable[[Run], float | None]
) -> Pair | None:
    """Medians of a figure over both loops' runs; None where a run lacks it."""
    values = [[figure(run) for run in runs] for runs in (plain, ours)]
    measured = [[value for value in part if value is not None] for part in values]
    return pair_of(*measured) if measured == values else None


def pair_of(plain: Sequence[float], ours: Sequence[float]) -> Pair:
    """Medians of both, and their ratio; 0 where the plain median is 0."""
    before, after = statistics.median(plain), statistics.median(ours)
    return Pair(plain=before, ours=after, ratio=after / before if before else 0.0)


def figures(arch: Arch, plain: Sequence[Run], ours: Sequence[OurRun]) -> ArchResult:
    """Everything of one architecture but its roofline; runs of one round belong together."""
    times = tuple(
        seconds_to_iou(our.epochs, base.epochs[-1].validation_iou)
        for base, our in zip(plain, ours, strict=True)
    )
    shares = [
        time / base.seconds for time, base in zip(times, plain, strict=True) if time is not None
    ]
    return ArchResult(
        arch=arch,
        plain=tuple(plain),
        ours=tuple(ours),
        images_per_second=pair_of(rates(plain), rates(ours)),
        wall_seconds=None
        if any(run.refusal for run in ours)
        else pair_of([run.seconds for run in plain], [run.seconds for run in ours]),
        peak_memory_bytes=_pair(plain, ours, lambda run: run.peak_memory_bytes),
        validation_iou=pair_of(
            [run.epochs[-1].validation_iou for run in plain],
            [run.epochs[-1].validation_iou for run in ours],
        ),
        seconds_to_plain_iou=times,
        share_of_plain=statistics.median(shares) if len(shares) == len(times) else None,
        roofline=None,
    )


def figures_table(result: Result) -> str:
    """All figures of a result as a Markdown table: the plain loop's, then ours.

    Columns in which nothing could be measured are left out.
    """
    rows = [[label(arch.arch), *_cells(arch)] for arch in result.archs]
    header = ["plain → ours", *HEADER]
    columns = [at for at in range(len(header)) if any(row[at] != _NOTHING for row in rows)]
    return table([header[at] for at in columns], [[row[at] for at in columns] for row in rows])


def summary(result: Result) -> str:
    """The table with what must be known to read it."""
    return "\n".join([figures_table(result), "", *_notes(result)])


def _by_round(result: ArchResult, figure: Callable[[Run], float], digits: int) -> str:
    """A figure of every round, both loops; nothing where there is one round."""
    if len(result.ours) < 2:
        return _NOTHING
    plain, ours = (
        ", ".join(f"{figure(run):.{digits}f}" for run in runs)
        for runs in (result.plain, result.ours)
    )
    return f"{plain} → {ours}"


def _cells(result: ArchResult) -> list[str]:
    rate, wall, memory, iou = (
        result.images_per_second,
        result.wall_seconds,
        result.peak_memory_bytes,
        result.validation_iou,
    )
    learnt = wall is not None  # a network that was refused has no IoU worth reaching
    whole = wall and f"{wall.plain:.1f} → {wall.ours:.1f} s ({1 / wall.ratio:.2f}x)"
    peak = memory and f"{memory.plain / 2**20:.0f} → {memory.ours / 2**20:.0f} MiB"
    return [
        f"{rate.plain:.2f} → {rate.ours:.2f} ({rate.ratio:.2f}x)",
        _by_round(result, lambda run: statistics.median(rates([run])), 2),
        whole or _NOTHING,
        _by_round(result, lambda run: run.seconds, 0) if learnt else _NOTHING,
        peak or _NOTHING,
        f"{three(iou.plain)} → {three(iou.ours)}" if learnt else _NOTHING,
        _by_round(result, lambda run: run.epochs[-1].validation_iou, 3) if learnt else _NOTHING,
        _reached(result) if learnt else _NOTHING,
        _NOTHING if result.roofline is None else _share(result.roofline),
        _refused(result),
    ]


def _reached(result: ArchResult) -> str:
    """When ours had the plain loop's final validation IoU, as a share of that loop's time."""
    missed = result.seconds_to_plain_iou.count(None)
    if missed:
        return f"not reached in {missed} of {len(result.seconds_to_plain_iou)} rounds"
    return f"{percent(result.share_of_plain)} of plain's time"


def _refused(result: ArchResult) -> str:
    """How many runs of ours ended without a result."""
    count = sum(run.refusal is not None for run in result.ours)
    return f"{count} of {len(result.ours)} runs" if count else _NOTHING


def _share(roofline: Roofline) -> str:
    return f"{percent(roofline.fraction)} ({roofline.bound})"


def _notes(result: Result) -> list[str]:
    notes = [
        f"{result.encoder_name} ({result.encoder_weights}), {result.data}: "
        f"{result.training_pictures} + {result.validation_pictures} pictures, {result.epochs} "
        f"epochs, batch {result.batch_size}, {result.image_size[0]}x{result.image_size[1]}, "
        f"{result.environment.device}; medians of {len(result.archs[0].ours)} round(s)."
    ]
    notes += remarks(result)
    notes += [
        f"Ceilings in {ceiling.precision}: {ceiling.flop_per_second / 1e9:.0f} GFLOP/s, "
        f"{ceiling.bytes_per_second / 1e9:.1f} GB/s."
        for ceiling in result.ceilings
    ]
    notes += [
        f"{arch.arch}, round {run.round}: ended without a result after its last epoch, so its "
        f"whole run is not compared: {run.refusal}"
        for arch in result.archs
        for run in arch.ours
        if run.refusal
    ]
    return notes


def remarks(result: Result) -> list[str]:
    """Sentences without which the table would be misread."""
    random = result.encoder_weights == "none"
    sentences = [f"Encoder: {'random weights' if random else result.encoder_weights}, in both."]
    if result.data == "drawn":
        sentences.append("The pictures are drawn.")
    runs = [run for arch in result.archs for run in arch.ours]
    refused = sum(run.refusal is not None for run in runs)
    if refused:
        sentences.append(
            f"{refused} of {len(runs)} runs of ours had learnt too little and were refused at "
            "their end; rates alone are compared there."
        )
    if result.plain_batch_norm == "ours":
        sentences.append("Batch statistics follow with the same momentum in both.")
    elif random and refused < len(runs):
        sentences.append(
            "Batch statistics follow faster in ours than in the plain loop: IoU compares recipes."
        )
    if len(result.archs[0].ours) == 1:
        sentences.append("One round: how far its times move is not known.")
    return sentences
