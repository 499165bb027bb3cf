"""Compare networks two by two on the same pictures, and say when a difference may be claimed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from humanseg.evaluation.statistics.bootstrap import GroupBootstrap
from humanseg.evaluation.statistics.significance import cohen_dz, corrected_t, holm, wilcoxon
from humanseg.results import PairAnalysis

Doubt = Literal["interval", "wilcoxon", "folds", "seeds", "small"]

SIGNIFICANCE = 0.05
SMALLEST_DIFFERENCE = 0.01
"""One point: other labels of the same picture, or another seed, move scores by as much."""


def compare_pair(
    first: str,
    second: str,
    metric: Literal["iou", "boundary_iou"],
    differences: Sequence[float | None],
    bootstrap: GroupBootstrap,
    *,
    fold_differences: Sequence[float] = (),
    test_share_over_train: float | None = None,
    seed_sd: float | None = None,
) -> PairAnalysis:
    """Everything about two networks that does not depend on the other pairs.

    The record is unfinished: its corrected p-values are None and it claims nothing, until
    `finish_pairs` has seen all pairs.

    Args:
        first: name of one network.
        second: name of the other.
        metric: what the scores are.
        differences: (pictures,) score of `first` minus score of `second`, -1 to 1, of scores that
            were averaged over seeds and repeats. None where either is undefined.
        bootstrap: over the groups of these pictures, in the same order.
        fold_differences: mean difference over the pictures of each test fold, of every repeat.
        test_share_over_train: pictures tested over pictures trained on; needed with folds.
        seed_sd: the larger of both networks' deviations over seeds.

    Raises:
        ValueError: a difference that is not finite, no defined difference, not one per picture, or
            folds without `test_share_over_train`.
    """
    pair = f"{first} minus {second} ({metric})"
    _require_finite(pair, "picture", differences)
    _require_finite(pair, "fold", fold_differences)
    defined = [value for value in differences if value is not None]
    mean = bootstrap.mean(differences)
    if mean is None:
        raise ValueError(f"{pair}: no picture has a score from both; leave this pair out.")
    p, rank_biserial = wilcoxon(defined)
    folds = None
    if len(fold_differences):
        if test_share_over_train is None:
            raise ValueError(f"{pair}: has folds; give `test_share_over_train` with them.")
        folds = corrected_t(fold_differences, test_share_over_train)
    return PairAnalysis(
        first=first,
        second=second,
        metric=metric,
        images=len(defined),
        difference=mean,
        median=float(np.median(defined)),
        wilcoxon_p=p,
        wilcoxon_holm=None,
        rank_biserial=rank_biserial,
        cohen_dz=cohen_dz(defined),
        corrected_t=folds.t if folds else None,
        corrected_df=folds.df if folds else None,
        corrected_p=folds.p if folds else None,
        corrected_holm=None,
        seed_sd=seed_sd,
        evidence=False,
        doubts=(),
    )


def finish_pairs(pairs: Sequence[PairAnalysis]) -> list[PairAnalysis]:
    """Correct the tests for the number of pairs, and say of each pair whether it differs.

    Pairs of one metric are one family; the rule is in docs/statistics.md.

    Args:
        pairs: from `compare_pair`, all pairs of an analysis.

    Returns:
        The same pairs in the same order, with corrected p-values, `doubts` and `evidence`.
    """
    finished = list(pairs)
    for metric in dict.fromkeys(pair.metric for pair in pairs):
        places = [place for place, pair in enumerate(pairs) if pair.metric == metric]
        ranks = holm([pairs[place].wilcoxon_p for place in places])
        folds = holm([pairs[place].corrected_p for place in places])
        for place, rank_p, fold_p in zip(places, ranks, folds, strict=True):
            corrected = {"wilcoxon_holm": rank_p, "corrected_holm": fold_p}
            pair = pairs[place].model_copy(update=corrected)
            doubts = tuple(_doubts(pair))
            claim = {"doubts": doubts, "evidence": not doubts}
            finished[place] = pair.model_copy(update=claim)
    return finished


def _doubts(pair: PairAnalysis) -> Iterator[Doubt]:
    mean, low, high = pair.difference.estimate, pair.difference.low, pair.difference.high
    if low is None or high is None or low <= 0 <= high:
        yield "interval"
    if pair.wilcoxon_holm is None or pair.wilcoxon_holm >= SIGNIFICANCE:
        yield "wilcoxon"
    if pair.corrected_holm is not None and pair.corrected_holm >= SIGNIFICANCE:
        yield "folds"
    if pair.seed_sd is not None and abs(mean) <= pair.seed_sd:
        yield "seeds"
    if round(abs(mean), 3) < SMALLEST_DIFFERENCE:  # as it is shown
        yield "small"


def _require_finite(pair: str, what: str, values: Sequence[float | None]) -> None:
    for place, value in enumerate(values):
        if value is not None and not math.isfinite(value):
            raise ValueError(
                f"{pair}: the difference of {what} number {place + 1} is {value}; "
                "give finite numbers, and None for pictures without a score."
            )
