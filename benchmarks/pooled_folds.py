"""Differences of many networks from one, over the same few folds.

Over three folds a single pair has two degrees of freedom, and its interval is as wide as any effect
that is looked for. Where many networks were trained on the same folds, what is left of a score
after its network's and its fold's mean is luck, and there are many such rests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from humanseg.evaluation.statistics.significance import holm
from humanseg.results import Interval


@dataclass(frozen=True)
class PooledDifference:
    """A network's mean score minus that of the one that all are compared with."""

    interval: Interval
    """95 %, for this difference alone."""
    p: float
    """Two-sided, corrected for the number of differences (Holm 1979)."""


def spread(scores: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Standard deviation of what is left without the means of networks and folds.

    The error of a two-way analysis of variance without replication (Fisher 1925): networks are the
    treatments, folds the blocks.

    Args:
        scores: (N, J) of N networks on J folds, two at least of each.

    Returns:
        The deviation, and its degrees of freedom, (N - 1)(J - 1).

    Raises:
        ValueError: fewer than two networks or folds.
    """
    values = np.array(scores, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"Scores of shape {values.shape}: give two networks and folds or more.")
    rests = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    freedom = (values.shape[0] - 1) * (values.shape[1] - 1)
    return math.sqrt(float((rests**2).sum()) / freedom), freedom


def pooled_differences(
    scores: Mapping[str, Sequence[float]], base: str, test_share_over_train: float
) -> dict[str, PooledDifference]:
    """Differences from `base`, with the spread pooled over all networks.

    The variance of a mean difference over J folds is 2 s^2 (1/J + n_test/n_train): s from `spread`,
    and the second term for training parts that overlap (Nadeau and Bengio 2003). It supposes that
    luck is as large for all networks.

    Args:
        scores: by network, of J folds in one order.
        base: the network that all others are compared with.
        test_share_over_train: images tested over images trained on.
    """
    deviation, freedom = spread(list(scores.values()))
    folds = len(scores[base])
    error = deviation * math.sqrt(2 * (1 / folds + test_share_over_train))
    half = float(stats.t.ppf(0.975, freedom)) * error
    means = {
        name: float(np.mean(of_folds) - np.mean(scores[base]))
        for name, of_folds in scores.items()
        if name != base
    }
    p_values = holm([float(2 * stats.t.sf(abs(mean) / error, freedom)) for mean in means.values()])
    return {
        name: PooledDifference(Interval(estimate=mean, low=mean - half, high=mean + half), p or 0.0)
        for (name, mean), p in zip(means.items(), p_values, strict=True)
    }
