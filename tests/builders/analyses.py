"""Analyses by hand: real means, drawn intervals."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeGuard

import numpy as np

from humanseg.results import (
    Analysis,
    Bound,
    Evaluation,
    ExternalAnalysis,
    Interval,
    Leak,
    NetworkAnalysis,
    PairAnalysis,
    RobustnessAnalysis,
    RunResult,
    SourceAnalysis,
    Stratum,
    SuspectLabel,
)

Scored = RunResult | Evaluation
HALF = 0.005
"""Half the width of every drawn interval."""


def near(estimate: float, half: float = HALF) -> Interval:
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half)


def values_of(scored: Sequence[Scored], name: str) -> dict[str, float]:
    """Mean by picture of a property of its score."""
    values: dict[str, list[float]] = {}
    for record in scored:
        for image in record.scores:
            if (value := getattr(image, name)) is not None:
                values.setdefault(image.id, []).append(value)
    return {id_: statistics.fmean(each) for id_, each in values.items()}


def metrics_of(scored: Sequence[Scored]) -> dict[str, Interval]:
    names = ["iou", "dice", "boundary_iou", "surface_dice_05", "surface_dice_10", "assd", "hd95"]
    by_name = {name: list(values_of(scored, name).values()) for name in names}
    numbers = {name: statistics.fmean(values) for name, values in by_name.items() if values}
    if not numbers:
        return {}
    overlaps = by_name["iou"]
    numbers["iou_sd"] = statistics.stdev(overlaps) if len(overlaps) > 1 else 0.0
    numbers["iou_median"] = statistics.median(overlaps)
    numbers["iou_p05"] = float(np.percentile(overlaps, 5))
    dice = numbers["dice"]
    numbers |= {"dataset_iou": numbers["iou"], "dataset_dice": dice, "two_class_miou": 0.9}
    numbers |= {"pixel_accuracy": 0.95, "precision": 0.94, "recall": 0.93}
    numbers |= {"ece": 0.021, "band_ece": 0.101}
    return {name: near(value) for name, value in numbers.items()}


def strata_of(scored: Sequence[Scored], sources: Mapping[str, str]) -> tuple[Stratum, ...]:
    shares = values_of(scored, "foreground_share")
    order = sorted(shares, key=lambda id_: shares[id_])
    third = max(1, len(order) // 3)
    parts = [("size", "small", order[:third]), ("size", "medium", order[third : 2 * third])]
    parts.append(("size", "large", order[2 * third :]))
    for source in sorted(set(sources.values())):
        parts.append(("source", source, [id_ for id_ in order if sources[id_] == source]))
    strata = []
    for kind, name, ids in parts:
        means: dict[str, Interval] = {}
        for metric in ("iou", "boundary_iou"):
            scores = values_of(scored, metric)
            defined = [scores[id_] for id_ in ids if id_ in scores]
            means |= {metric: near(statistics.fmean(defined))} if defined else {}
        stratum = {"kind": kind, "name": name, "images": len(ids), "metrics": means}
        strata.append(Stratum.model_validate(stratum))
    return tuple(strata)


def deviation_over_seeds(runs: Sequence[RunResult]) -> float | None:
    by_seed: dict[int, list[float]] = {}
    for run in runs:
        by_seed.setdefault(run.config.training.seed, []).append(run.summary.iou_mean or 0.0)
    means = [statistics.fmean(values) for values in by_seed.values()]
    return statistics.stdev(means) if len(means) > 1 else None


def network_of(
    name: str, arch: str, scored: Sequence[Scored], sources: Mapping[str, str]
) -> NetworkAnalysis:
    runs = [record for record in scored if isinstance(record, RunResult)]
    train = [run.train_summary.iou_mean or 0.0 for run in runs if run.train_summary]
    held = [run.summary.iou_mean or 0.0 for run in runs]
    return NetworkAnalysis(
        name=name,
        arch=arch,
        runs=tuple(run.name for run in runs),
        images=len({image.id for record in scored for image in record.scores}),
        undefined=scored[0].summary.undefined,
        metrics=metrics_of(scored),
        seed_sd=deviation_over_seeds(runs),
        fold_ious=tuple(held),
        train_iou=statistics.fmean(train) if train else None,
        gap=statistics.fmean(train) - statistics.fmean(held) if train else None,
        strata=strata_of(scored, sources),
        weak=any(run.weak for run in runs),
    )


def is_run(record: Scored) -> TypeGuard[RunResult]:
    return isinstance(record, RunResult)


def is_folded(scored: Sequence[Scored]) -> bool:
    runs = [record for record in scored if isinstance(record, RunResult)]
    return any(run.config.split.protocol == "folds" for run in runs)


def pair_of(
    metric: str, first: tuple[str, Sequence[Scored]], second: tuple[str, Sequence[Scored]]
) -> PairAnalysis | None:
    ours, theirs = values_of(first[1], metric), values_of(second[1], metric)
    paired = [ours[id_] - theirs[id_] for id_ in ours if id_ in theirs]
    if not paired:
        return None
    seeds = [
        deviation_over_seeds([run for run in scored if isinstance(run, RunResult)])
        for _, scored in (first, second)
    ]
    deviations = [value for value in seeds if value is not None]
    difference = statistics.fmean(paired)
    folds, several = is_folded(first[1]), bool(deviations)
    doubts = []
    if abs(difference) <= HALF:
        doubts += ["interval", "wilcoxon"]
    if not folds and not several:
        doubts.append("training")
    # A drawn test: significant where the difference is twice as large as the spread of seeds.
    elif abs(difference) <= max(HALF, 2 * max(deviations, default=0.0)):
        doubts.append("folds" if folds else "seeds")
    if round(abs(difference), 3) < 0.01:
        doubts.append("small")
    if any(run.weak for _, scored in (first, second) for run in scored if is_run(run)):
        doubts.append("weak")
    half = max(HALF, 2 * max(deviations, default=0.0))
    values = {
        "first": first[0],
        "second": second[0],
        "metric": metric,
        "images": len(paired),
        "difference": near(difference),
        "median": statistics.median(paired),
        "wilcoxon_p": 0.2 if "wilcoxon" in doubts else 0.0002,
        "wilcoxon_holm": 0.4 if "wilcoxon" in doubts else 0.0006,
        "rank_biserial": 0.6 if difference > 0 else -0.6,
        "cohen_dz": None,
        "corrected_t": 2.0 if folds else None,
        "corrected_df": 2 if folds else None,
        "corrected_p": (0.3 if "folds" in doubts else 0.004) if folds else None,
        "corrected_holm": (0.3 if "folds" in doubts else 0.012) if folds else None,
        "seed_sd": max(deviations) if deviations else None,
        "seeds_p": (0.3 if "seeds" in doubts else 0.004) if several and not folds else None,
        "seeds_holm": (0.3 if "seeds" in doubts else 0.012) if several and not folds else None,
        "trainings": near(difference, half) if folds or several else None,
        "evidence": not doubts,
        "equivalent": bool(doubts)
        and not {"training", "weak"} & set(doubts)
        and abs(difference) + half <= 0.02,
        "doubts": doubts,
    }
    return PairAnalysis.model_validate(values)


def analyse(
    networks: Mapping[str, tuple[str, Sequence[Scored]]],
    origins: Mapping[str, str] | None = None,
    **more: object,
) -> Analysis:
    """An analysis by hand: real means, drawn intervals.

    Args:
        networks: architecture and scores by name.
        origins: source by picture.
        **more: fields of `Analysis`.
    """
    finished = {name: (name, scored) for name, (_, scored) in networks.items() if scored}
    pairs = [
        pair
        for metric in ("iou", "boundary_iou")
        for first, second in combinations(finished.values(), 2)
        if (pair := pair_of(metric, first, second)) is not None
    ]
    scored = [record for _, several in finished.values() for record in several]
    runs = [record for record in scored if isinstance(record, RunResult)]
    pictures = len({image.id for record in scored for image in record.scores})
    values: dict[str, object] = {
        "images": pictures,
        "groups": max(1, pictures - 1),
        "folds": getattr(runs[0].config.split, "folds", None) if is_folded(scored) else None,
        "repeats": 1,
        "seeds": len({run.config.training.seed for run in runs}),
        "networks": tuple(
            network_of(name, arch, several, origins or {})
            for name, (arch, several) in networks.items()
            if several
        ),
        "pairs": tuple(pairs),
    }
    baselines = runs[0].baselines if runs else {}
    if "mean_mask" in baselines:
        iou = baselines["mean_mask"].iou_mean
        bound = {"name": "mean_mask", "side": "baseline", "networks": (), "images": pictures}
        values["bounds"] = (Bound.model_validate({**bound, "iou": iou, "boundary_iou": 0.1}),)
    return Analysis.model_validate(values | more)


CEILINGS = (
    Bound(
        name="output_grid",
        side="ceiling",
        networks=("fpn", "deeplabv3plus"),
        images=12,
        iou=0.986,
        boundary_iou=0.921,
        detail="80x80",
    ),
    Bound(
        name="label_agreement",
        side="ceiling",
        networks=(),
        images=2,
        iou=0.991,
        boundary_iou=0.968,
        detail="street/3 and street/7",
    ),
)
LEAKS = (
    Leak(first="street/3", second="street/7", kind="exact", divided=False),
    Leak(first="street/1", second="street/2", kind="scene", similarity=0.93, divided=True),
)
SUSPECTS = (
    SuspectLabel(id="street/4", reason="holes", value=0.031, count=12),
    SuspectLabel(id="street/5", reason="specks", value=0.004, count=3),
    SuspectLabel(id="street/6", reason="disagreement", value=0.41),
)


def generalisation(
    networks: Mapping[str, tuple[str, Sequence[Scored]]], sources: Mapping[str, str]
) -> dict[str, object]:
    """The parts of an analysis beyond the comparison itself, with plausible values."""
    names = list(networks)
    left_out = [
        SourceAnalysis(
            network=name,
            source=source,
            images=list(sources.values()).count(source),
            seen=near(0.88),
            unseen=near(0.84 - 0.01 * rank),
            gap=near(0.04 + 0.01 * rank),
        )
        for source in sorted(set(sources.values()))
        for rank, name in enumerate(names)
    ]
    external = [
        ExternalAnalysis(
            network=name,
            data="drawn people",
            fingerprint="cd" * 32,
            images=40,
            undefined=1,
            metrics={
                "iou": near(0.8 - 0.02 * rank),
                "boundary_iou": near(0.5),
                "surface_dice_10": near(0.7),
                "false_positive_images": near(0.25),
                "false_positive_area": near(0.004),
            },
            person_free=4,
        )
        for rank, name in enumerate(names)
    ]
    robustness = [
        RobustnessAnalysis(
            network=name,
            corruption=corruption,
            images=12,
            clean=0.88,
            severities=tuple(0.88 - lost * severity for severity in range(1, 6)),
            retention=near(1 - 3 * lost / 0.88),
        )
        for corruption, lost in (("gaussian_noise", 0.02), ("motion_blur", 0.05 * 0.8))
        for name in names
    ]
    return {
        "sources": tuple(left_out),
        "external": tuple(external),
        "robustness": tuple(robustness),
        "leaks": LEAKS,
        "suspects": SUSPECTS,
    }
