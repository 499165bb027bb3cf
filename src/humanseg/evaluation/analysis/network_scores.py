"""What is said of one network alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

from humanseg.evaluation.analysis.measures import bootstrap_of, measure, thirds
from humanseg.evaluation.analysis.subjects import Subject
from humanseg.results import Interval, NetworkAnalysis, Stratum

COMPARED: tuple[Literal["iou", "boundary_iou"], ...] = ("iou", "boundary_iou")
"""Metrics that networks are compared by and that strata have."""

SIZES = ("small", "medium", "large")
"""Thirds by the share of the image that is person."""


def analyse_network(
    subject: Subject, groups: Mapping[str, str], sources: Mapping[str, str]
) -> NetworkAnalysis:
    """Metrics, strata, spread of seeds and the gap to the training pictures."""
    ious = subject.metric("iou")
    gaps = [
        (run.train_iou, run.iou)
        for run in subject.runs
        if run.train_iou is not None and run.iou is not None
    ]
    train = fmean(iou for iou, _ in gaps) if gaps else None
    return NetworkAnalysis(
        name=subject.name,
        arch=subject.arch,
        runs=tuple(run.name for run in subject.runs),
        images=len(ious),
        undefined=sum(value is None for value in ious.values()),
        metrics=measure(subject, groups),
        seed_sd=subject.seed_sd("iou"),
        fold_ious=tuple(run.iou for run in subject.runs if run.iou is not None),
        train_iou=train,
        gap=None if train is None else train - fmean(iou for _, iou in gaps),
        strata=_strata(subject, groups, sources),
        without_contour=sum(
            any(score.lacks_contour for score in scores) for scores in subject.by_image.values()
        ),
        weak=subject.weak,
    )


def _strata(
    subject: Subject, groups: Mapping[str, str], sources: Mapping[str, str]
) -> tuple[Stratum, ...]:
    """Thirds by foreground size, and sources where there are several."""
    shares = {name: scores[0].foreground_share for name, scores in subject.by_image.items()}
    people = {name: share for name, share in shares.items() if share > 0}
    parts: list[tuple[Literal["size", "source"], str, list[str]]] = []
    sizes = thirds(people, SIZES)
    parts += [("size", size, [name for name in sizes if sizes[name] == size]) for size in SIZES]
    named = sorted({sources[name] for name in shares if name in sources})
    if len(named) > 1:
        parts += [
            ("source", source, [name for name in shares if sources.get(name) == source])
            for source in named
        ]
    return tuple(
        Stratum(kind=kind, name=name, images=len(ids), metrics=_few(subject, ids, groups))
        for kind, name, ids in parts
        if ids
    )


def _few(subject: Subject, ids: Sequence[str], groups: Mapping[str, str]) -> dict[str, Interval]:
    bootstrap = bootstrap_of(ids, groups)
    values = {metric: subject.metric(metric) for metric in COMPARED}
    means = {metric: bootstrap.mean([values[metric][name] for name in ids]) for metric in COMPARED}
    return {metric: mean for metric, mean in means.items() if mean is not None}
