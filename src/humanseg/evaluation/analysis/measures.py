"""What is said of one network alone: metrics with intervals, strata, the gap to training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.evaluation.analysis.subjects import Subject
from humanseg.evaluation.metrics import add_calibrations
from humanseg.evaluation.metrics.overlap import pool_counts
from humanseg.evaluation.statistics import GroupBootstrap
from humanseg.results import ImageScore, Interval, NetworkAnalysis, Stratum

MARKED_SHARE = 0.001
"""A picture without a person counts as a false positive above this share of marked pixels."""

COMPARED: tuple[Literal["iou", "boundary_iou"], ...] = ("iou", "boundary_iou")
"""Metrics that networks are compared by and that strata have."""

SIZES = ("small", "medium", "large")
"""Thirds by the share of the image that is person."""

_PER_IMAGE: tuple[str, ...] = (
    "iou",
    "dice",
    "precision",
    "recall",
    "boundary_iou",
    "surface_dice_05",
    "surface_dice_10",
    "assd",
    "hd95",
)


def bootstrap_of(names: Sequence[str], groups: Mapping[str, str]) -> GroupBootstrap:
    """Resamples of these pictures; one without a group is a group of its own."""
    return GroupBootstrap([groups.get(name, name) for name in names])


def thirds(values: Mapping[str, float], labels: Sequence[str]) -> dict[str, str]:
    """Divide images into thirds of equal number, lowest first; equal values stay together."""
    if len(values) < len(labels):
        return {}
    cuts = np.quantile(list(values.values()), [1 / 3, 2 / 3])
    numbers = np.digitize(list(values.values()), cuts, right=True).tolist()
    return {name: labels[number] for name, number in zip(values, numbers, strict=True)}


def measure(subject: Subject, groups: Mapping[str, str]) -> dict[str, Interval]:
    """Every metric that the scores allow, with its interval; see `NetworkAnalysis.metrics`."""
    bootstrap = bootstrap_of(list(subject.by_image), groups)
    metrics = {name: bootstrap.mean(list(subject.metric(name).values())) for name in _PER_IMAGE}
    ious = list(subject.metric("iou").values())
    metrics["iou_sd"] = bootstrap.sd(ious)
    metrics["iou_median"] = bootstrap.quantile(ious, 0.5)
    metrics["iou_p05"] = bootstrap.quantile(ious, 0.05)
    metrics |= _pooled(subject, bootstrap)
    metrics |= _calibrated(subject)
    metrics |= _person_free(subject, groups)
    return {name: value for name, value in metrics.items() if value is not None}


def _pooled(subject: Subject, bootstrap: GroupBootstrap) -> dict[str, Interval | None]:
    counts = [pool_counts(scores) for scores in subject.by_image.values()]
    tp, fp, fn, tn = np.array(counts, dtype=np.float64).T
    columns = np.stack([tp, tp + fp + fn, tn, tn + fp + fn], axis=1)

    def two_class_miou(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((sums[:, 0] / sums[:, 1] + sums[:, 2] / sums[:, 3]) / 2)

    return {
        "pixel_accuracy": bootstrap.ratio(tp + tn, tp + fp + fn + tn),
        "dataset_iou": bootstrap.ratio(tp, tp + fp + fn),
        "dataset_dice": bootstrap.ratio(2 * tp, 2 * tp + fp + fn),
        "two_class_miou": bootstrap.of_sums(columns, two_class_miou),
    }


def _calibrated(subject: Subject) -> dict[str, Interval | None]:
    metrics: dict[str, Interval | None] = {}
    for name, field in (("ece", "calibration"), ("band_ece", "band_calibration")):
        curves = [getattr(run, field) for run in subject.runs]
        if curves and all(curve is not None for curve in curves):
            error = add_calibrations(curves).error
            metrics[name] = None if error is None else Interval(estimate=error)
    return metrics


def marked_area(score: ImageScore) -> float | None:
    """Share of the pixels that are marked where nobody is; None with a person."""
    return score.false_alarm if score.person_free else None


def marked(score: ImageScore) -> float | None:
    """Whether more than `MARKED_SHARE` is marked where nobody is, 0 or 1; None with a person."""
    return float(score.false_alarm > MARKED_SHARE) if score.person_free else None


def _person_free(subject: Subject, groups: Mapping[str, str]) -> dict[str, Interval | None]:
    if not subject.person_free:
        return {}
    bootstrap = bootstrap_of(subject.person_free, groups)
    areas, marks = subject.metric(marked_area), subject.metric(marked)
    return {
        "false_positive_area": bootstrap.mean([areas[name] for name in subject.person_free]),
        "false_positive_images": bootstrap.mean([marks[name] for name in subject.person_free]),
    }


def analyse_network(
    subject: Subject, groups: Mapping[str, str], sources: Mapping[str, str]
) -> NetworkAnalysis:
    """Metrics, strata, spread of seeds and the gap to the training pictures."""
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
        images=len(subject.by_image),
        undefined=len(subject.person_free),
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
    sizes = thirds({name: share for name, share in shares.items() if share > 0}, SIZES)
    named = {name: sources[name] for name in shares if name in sources}
    kinds: list[tuple[Literal["size", "source"], Sequence[str], Mapping[str, str]]] = [
        ("size", SIZES, sizes)
    ]
    if len(set(named.values())) > 1:
        kinds.append(("source", sorted(set(named.values())), named))
    return tuple(
        Stratum(
            kind=kind,
            name=part,
            images=sum(shares[name] > 0 for name in ids),
            metrics=_few(subject, ids, groups),
        )
        for kind, parts, labels in kinds
        for part in parts
        if (ids := [name for name in labels if labels[name] == part])
    )


def _few(subject: Subject, ids: Sequence[str], groups: Mapping[str, str]) -> dict[str, Interval]:
    bootstrap = bootstrap_of(ids, groups)
    values = {metric: subject.metric(metric) for metric in COMPARED}
    means = {metric: bootstrap.mean([values[metric][name] for name in ids]) for metric in COMPARED}
    return {metric: mean for metric, mean in means.items() if mean is not None}
