"""Tests and effect sizes of paired differences.

Differences and means are rounded to 12 decimals, and refused with a ValueError if not finite.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_DECIMALS = 12
"""Scores averaged in another order differ in the last bits; that is no difference."""


@dataclass(frozen=True)
class TTest:
    """A t-test of one pair over its trainings."""

    t: float | None
    """None where it is infinite: nothing varies, and the difference is not zero."""
    df: float
    p: float
    """Two-sided."""
    low: float
    """Lower end of the 95 % interval of the mean difference."""
    high: float


def _t_test(mean: float, variance: float, df: float) -> TTest:
    """Test a mean difference whose variance was estimated with `df` degrees of freedom."""
    if variance == 0:
        zero = mean == 0
        return TTest(t=0.0 if zero else None, df=df, p=1.0 if zero else 0.0, low=mean, high=mean)
    error = math.sqrt(variance)
    t = mean / error
    half = float(stats.t.ppf(0.975, df)) * error
    return TTest(t=t, df=df, p=float(2 * stats.t.sf(abs(t), df)), low=mean - half, high=mean + half)


def wilcoxon(differences: Sequence[float]) -> tuple[float | None, float]:
    """Wilcoxon signed-rank test of paired differences, and its effect size.

    Zeros are ranked with the rest and then left out of both sums of ranks (Pratt 1959). Without
    zeros and ties, up to 50 differences are tested exactly; with them, up to 13; otherwise by the
    normal approximation.

    The effect size is the matched-pairs rank-biserial correlation (Kerby 2014): the share of all
    ranks that positive differences hold minus the share that negative ones hold. The ranks of zeros
    are for neither and remain in the whole, so many zeros draw it towards 0.

    Args:
        differences: at least one.

    Returns:
        Two-sided p, None if all differences are zero; effect size from -1 to 1.

    Raises:
        ValueError: no differences.
    """
    rounded = _rounded(differences)
    if not len(rounded):
        raise ValueError("No differences to test: give at least one.")
    if not rounded.any():
        return None, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how p is approximated is said above
        p = float(stats.wilcoxon(rounded, zero_method="pratt").pvalue)
    ranks = stats.rankdata(np.abs(rounded))
    return p, float((ranks * np.sign(rounded)).sum() / ranks.sum())


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number, step-down (Holm 1979); None counts as no test."""
    corrected: list[float | None] = [None] * len(p_values)
    tests = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    largest = 0.0
    for done, (p, index) in enumerate(tests):
        largest = max(largest, min(1.0, (len(tests) - done) * p))
        corrected[index] = largest
    return corrected


def corrected_t(differences_by_fold: Sequence[float], test_share_over_train: float) -> TTest | None:
    """Corrected resampled t-test over folds.

    Training parts overlap, so folds are not independent and the plain t-test over them claims far
    too much. The variance of their mean is taken as (1/J + n_test/n_train) s^2 instead of s^2/J
    (Nadeau and Bengio 2003; for repeated cross-validation Bouckaert and Frank 2004), with J - 1
    degrees of freedom.

    Args:
        differences_by_fold: (J,) mean difference over each test part, of every repeat. Repeats must
            divide the pictures anew; other seeds on the same folds are averaged beforehand.
        test_share_over_train: pictures tested over pictures trained on; with k folds 1 / (k - 1),
            or more where some are held back for validation.

    Returns:
        The test; None with fewer than two folds. If all differences are the same, p is 0, or 1 if
        they are zero.

    Raises:
        ValueError: a share that is not above zero.
    """
    if not (math.isfinite(test_share_over_train) and test_share_over_train > 0):
        raise ValueError(
            f"Test over training pictures is {test_share_over_train}: give a number above 0."
        )
    rounded = _rounded(differences_by_fold)
    folds = len(rounded)
    if folds < 2:
        return None
    if np.ptp(rounded) == 0:
        return _t_test(float(rounded[0]), 0.0, folds - 1)
    variance = (1 / folds + test_share_over_train) * np.var(rounded, ddof=1)
    return _t_test(float(np.mean(rounded)), float(variance), folds - 1)


def welch_t(first: Sequence[float], second: Sequence[float]) -> TTest | None:
    """Welch's t-test of two networks over their training seeds (Welch 1947).

    Trainings of different networks share nothing but their pictures, so they are not paired, and
    one network may vary more than the other. The degrees of freedom are Satterthwaite's.

    Args:
        first: mean score of one network by seed.
        second: of the other.

    Returns:
        The test of the mean of `first` minus that of `second`; None with fewer than two seeds of
        either. If neither varies, p is 0, or 1 if they are equal.
    """
    ours, theirs = _rounded(first), _rounded(second)
    if len(ours) < 2 or len(theirs) < 2:
        return None
    mean = float(np.round(ours.mean() - theirs.mean(), _DECIMALS))
    parts = [
        (float(np.var(means, ddof=1)) / len(means) if np.ptp(means) else 0.0, len(means) - 1)
        for means in (ours, theirs)
    ]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return _t_test(mean, 0.0, len(ours) + len(theirs) - 2)
    df = variance**2 / sum(part**2 / own for part, own in parts)
    return _t_test(mean, variance, df)


def cohen_dz(differences: Sequence[float]) -> float | None:
    """Mean over sample standard deviation of paired differences (Cohen 1988).

    None with fewer than two, or if all are the same.
    """
    rounded = _rounded(differences)
    if len(rounded) < 2 or np.ptp(rounded) == 0:
        return None
    return float(np.mean(rounded) / np.std(rounded, ddof=1))


def _rounded(differences: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("A difference is not finite: leave out what has no score.")
    return np.round(values, _DECIMALS)
