"""Compare networks two by two on the same pictures, and say when a difference may be claimed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from humanseg.evaluation.statistics.bootstrap import Floats, GroupBootstrap
from humanseg.evaluation.statistics.significance import (
    cohen_dz,
    corrected_t,
    holm,
    welch_t,
    wilcoxon,
)
from humanseg.results import Doubt, Interval, PairAnalysis

SIGNIFICANCE = 0.05
SMALLEST_DIFFERENCE = 0.01
"""One point: other labels of the same picture, or another seed, move scores by as much."""
EQUAL_MARGIN = 0.02
"""Two points: networks whose difference surely lies within them may be called equal."""
UNSEEN_LOSS = 0.5
"""Half of a picture's score: what a network may lose on a kind of picture that it fails on."""


@dataclass(frozen=True)
class Trainings:
    """What the trainings of two networks tell beyond one of each; by default nothing.

    With folds the test is the corrected resampled t-test over folds, else Welch's over seeds.
    """

    fold_differences: Sequence[float] = ()
    """Mean difference over the pictures of each test fold, of every repeat."""
    test_share_over_train: float | None = None
    """Pictures tested over pictures trained on; needed with folds."""
    by_seed: tuple[Floats, Floats] | None = None
    """(seeds, pictures) scores of either network, NaN where undefined; None with one seed each."""
    seed_sd: float | None = None
    """The larger of both networks' deviations over seeds."""


def compare_pair(
    first: str,
    second: str,
    metric: Literal["iou", "boundary_iou"],
    differences: Sequence[float | None],
    bootstrap: GroupBootstrap,
    trainings: Trainings | None = None,
) -> PairAnalysis:
    """Everything about two networks that does not depend on the other pairs.

    The record is unfinished: its corrected p-values are None and it claims nothing, until
    `finish_pairs` has seen all pairs. `differences` are (pictures,) score of `first` minus score of
    `second`, averaged over seeds and repeats, None where either is undefined; `bootstrap` is over
    the groups of these pictures, in the same order.

    Raises:
        ValueError: a difference that is not finite, no defined difference, not one per picture, or
            folds without `test_share_over_train`.
    """
    trainings = trainings or Trainings()
    pair = f"{first} minus {second} ({metric})"
    _require_finite(pair, "picture", differences)
    _require_finite(pair, "fold", trainings.fold_differences)
    defined = [value for value in differences if value is not None]
    groups = bootstrap.count(differences)
    mean = bootstrap.mean(differences)
    if mean is None:
        raise ValueError(f"{pair}: no picture has a score from both; leave this pair out.")
    if trainings.by_seed is not None:
        mean = bootstrap.difference_over_seeds(*trainings.by_seed) or mean
    p, rank_biserial = wilcoxon(defined)
    folds = seeds = None
    if len(trainings.fold_differences):
        if trainings.test_share_over_train is None:
            raise ValueError(f"{pair}: has folds; give `test_share_over_train` with them.")
        folds = corrected_t(trainings.fold_differences, trainings.test_share_over_train)
    elif trainings.by_seed is not None:
        ours, theirs = (np.nanmean(scores, axis=1).tolist() for scores in trainings.by_seed)
        seeds = welch_t(ours, theirs)
    test = folds or seeds
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
        corrected_df=int(folds.df) if folds else None,
        corrected_p=folds.p if folds else None,
        corrected_holm=None,
        seed_sd=trainings.seed_sd,
        seeds_t=seeds.t if seeds else None,
        seeds_df=seeds.df if seeds else None,
        seeds_p=seeds.p if seeds else None,
        seeds_holm=None,
        trainings=test and Interval(estimate=mean.estimate, low=test.low, high=test.high),
        unseen=unseen(groups),
        evidence=False,
        doubts=(),
    )


def unseen(groups: int) -> float:
    """How far failures that none of so many groups of pictures shows may move a mean.

    What happened in none of n cases happens, with 95 % confidence, in at most 3 of n (rule of
    three: Hanley and Lippman-Hand 1983). Resampling knows only what it has seen.
    """
    return 3 / groups * UNSEEN_LOSS


def finish_pairs(pairs: Sequence[PairAnalysis]) -> list[PairAnalysis]:
    """Correct the tests for the number of pairs, and say of each pair whether it differs.

    Pairs of one metric are one family; the rule is in docs/statistics.md. Of all pairs of an
    analysis, in their order, with corrected p-values, `doubts`, `evidence` and `equivalent`.
    """
    finished = list(pairs)
    for metric in dict.fromkeys(pair.metric for pair in pairs):
        indices = [index for index, pair in enumerate(pairs) if pair.metric == metric]
        family = [pairs[index] for index in indices]
        ranks = holm([pair.wilcoxon_p for pair in family])
        trainings = holm(
            [pair.seeds_p if pair.corrected_p is None else pair.corrected_p for pair in family]
        )
        for index, pair, rank_p, training_p in zip(indices, family, ranks, trainings, strict=True):
            in_folds = pair.corrected_p is not None
            corrected = {
                "wilcoxon_holm": rank_p,
                "corrected_holm": training_p if in_folds else None,
                "seeds_holm": None if in_folds else training_p,
            }
            finished[index] = with_doubts(pair.model_copy(update=corrected))
    return finished


def with_doubts(pair: PairAnalysis, *more: Doubt) -> PairAnalysis:
    """The pair with what speaks against a difference, and what follows from that.

    With `more`, doubts that do not follow from its numbers, nothing is said of it at all.
    """
    own = (doubt for doubt in _doubts(pair) if doubt != "training" or "folds" not in more)
    doubts = tuple(dict.fromkeys((*own, *more)))
    equivalent = bool(doubts) and not more and _is_equivalent(pair)
    return pair.model_copy(
        update={"doubts": doubts, "evidence": not doubts, "equivalent": equivalent}
    )


def _doubts(pair: PairAnalysis) -> Iterator[Doubt]:
    mean = pair.difference.estimate
    if not pair.difference.excludes_zero:
        yield "interval"
    if pair.wilcoxon_holm is None or pair.wilcoxon_holm >= SIGNIFICANCE:
        yield "wilcoxon"
    elif pair.rank_biserial * mean <= 0:
        yield "direction"
    if pair.corrected_holm is not None:
        if pair.corrected_holm >= SIGNIFICANCE:
            yield "folds"
    elif pair.seeds_holm is None:
        yield "training"
    elif pair.seeds_holm >= SIGNIFICANCE:
        yield "seeds"
    if round(abs(mean), 3) < SMALLEST_DIFFERENCE:  # as it is shown
        yield "small"
    elif pair.unseen is not None and abs(mean) < pair.unseen:
        yield "few"


def _is_equivalent(pair: PairAnalysis) -> bool:
    """Whether pictures and trainings alike leave room for a difference within the margin only."""
    margin = EQUAL_MARGIN - (pair.unseen or 0.0)
    return all(
        interval is not None
        and interval.low is not None
        and interval.high is not None
        and interval.low >= -margin
        and interval.high <= margin
        for interval in (pair.difference, pair.trainings)
    )


def _require_finite(pair: str, what: str, values: Sequence[float | None]) -> None:
    for index, value in enumerate(values):
        if value is not None and not math.isfinite(value):
            raise ValueError(
                f"{pair}: the difference of {what} number {index + 1} is {value}; "
                "give finite numbers, and None for pictures without a score."
            )
