from __future__ import annotations

import itertools
import math
import statistics
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from humanseg.evaluation.statistics import GroupBootstrap, Trainings, compare_pair, finish_pairs
from humanseg.evaluation.statistics import bootstrap as bootstrap_module
from humanseg.evaluation.statistics.paired import unseen
from humanseg.evaluation.statistics.significance import (
    TTest,
    cohen_dz,
    corrected_t,
    holm,
    welch_t,
    wilcoxon,
)
from humanseg.results import Interval, PairAnalysis

GROUPS = ["d", "a", "b", "a", "c", "e", "c", "c", "f", "g"]
SCORES = [0.9, 0.4, None, 0.5, 0.95, 0.8, 0.99, 0.7, math.nan, 0.6]
SIZES = [3.0, 9.0, 2.0, 5.0, None, 4.0, 8.0, 7.0, 6.0, 1.0]


def _multiplicities(bootstrap: GroupBootstrap, pictures: int) -> np.ndarray:
    """How often each resample has each picture: the sums of indicator columns."""
    seen: list[np.ndarray] = []

    def keep(sums: np.ndarray) -> np.ndarray:
        seen.append(sums.astype(int))
        return sums[:, 0]

    bootstrap.of_sums(np.eye(pictures), keep)
    return np.concatenate(seen[1:])  # the first is the sample itself


def _slow(
    counts: np.ndarray, pictures: Sequence[Any], number: Callable[[list[Any]], float]
) -> Interval:
    """Write every resample out and compute the number from scratch."""
    everything = [number([p for p in pictures if p is not None])]
    for row in counts:
        sample = [p for p, c in zip(pictures, row, strict=True) for _ in range(c) if p is not None]
        everything.append(number(sample) if len(sample) > 1 else math.nan)
    low, high = np.nanquantile(everything[1:], [0.025, 0.975])
    return Interval(estimate=everything[0], low=float(low), high=float(high))


def _assert_same(actual: Interval | None, expected: Interval) -> None:
    assert actual is not None
    assert actual.model_dump() == pytest.approx(expected.model_dump(), abs=1e-12)


def test_bootstrap__draws_whole_groups_as_many_as_there_are() -> None:
    counts = _multiplicities(GroupBootstrap(GROUPS, resamples=4000), len(GROUPS))
    names = sorted(set(GROUPS))
    by_group = np.stack([counts[:, GROUPS.index(name)] for name in names], axis=1)
    assert counts.shape == (4000, len(GROUPS))
    assert (by_group.sum(axis=1) == len(names)).all()
    for place, name in enumerate(GROUPS):
        np.testing.assert_array_equal(counts[:, place], by_group[:, names.index(name)])
    np.testing.assert_allclose(by_group.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(by_group.var(axis=0), 1 - 1 / len(names), atol=0.1)


def test_bootstrap__equals_writing_every_resample_out() -> None:
    bootstrap = GroupBootstrap(GROUPS, resamples=500, seed=3)
    counts = _multiplicities(bootstrap, len(GROUPS))
    scores = [None if s is None or math.isnan(s) else s for s in SCORES]
    both = [None if s is None or n is None else (s, n) for s, n in zip(scores, SIZES, strict=True)]
    _assert_same(bootstrap.mean(SCORES), _slow(counts, scores, statistics.fmean))
    _assert_same(bootstrap.sd(SCORES), _slow(counts, scores, statistics.stdev))
    _assert_same(
        bootstrap.ratio(SCORES, SIZES),
        _slow(counts, both, lambda pairs: sum(p[0] for p in pairs) / sum(p[1] for p in pairs)),
    )
    for q in (0.0, 0.05, 0.5, 0.8, 1.0):
        expected = _slow(counts, scores, lambda s, q=q: float(np.quantile(s, q)))  # type: ignore[misc]
        _assert_same(bootstrap.quantile(SCORES, q), expected)


def test_bootstrap__of_sums_takes_any_function_of_sums() -> None:
    bootstrap = GroupBootstrap(GROUPS, resamples=300)
    columns = np.array([SCORES, SIZES], dtype=float).T
    expected = bootstrap.ratio(SCORES, SIZES)
    assert bootstrap.of_sums(columns, lambda sums: sums[:, 0] / sums[:, 1]) == expected


def test_bootstrap__shares_its_resamples_between_numbers() -> None:
    bootstrap = GroupBootstrap(GROUPS, resamples=300)
    first, second = bootstrap.mean(SIZES), bootstrap.mean([s and s + 1 for s in SIZES])
    assert first is not None
    assert second is not None
    assert second.low == pytest.approx((first.low or 0) + 1)
    assert second.high == pytest.approx((first.high or 0) + 1)


def test_bootstrap__depends_on_the_seed_and_not_on_the_order_of_pictures() -> None:
    forward = GroupBootstrap(GROUPS, resamples=300).mean(SCORES)
    assert forward is not None
    _assert_same(GroupBootstrap(GROUPS[::-1], resamples=300).mean(SCORES[::-1]), forward)
    assert GroupBootstrap(GROUPS, resamples=300).mean(SCORES) == forward
    assert GroupBootstrap(GROUPS, resamples=300, seed=1).mean(SCORES) != forward


def test_bootstrap__drawing_anew_in_small_chunks_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = GroupBootstrap(GROUPS, resamples=301)
    expected = kept.mean(SCORES), kept.quantile(SCORES, 0.3)
    monkeypatch.setattr(bootstrap_module, "_KEPT_BYTES", 0)
    monkeypatch.setattr(bootstrap_module, "_CHUNK_ENTRIES", 70)
    anew = GroupBootstrap(GROUPS, resamples=301)
    for _ in range(2):
        assert (anew.mean(SCORES), anew.quantile(SCORES, 0.3)) == expected


def test_bootstrap__memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [str(number) for number in range(100_000)]
    scores = np.linspace(0, 1, len(groups))
    monkeypatch.setattr(bootstrap_module, "_KEPT_BYTES", 0)
    tracemalloc.start()
    try:
        bootstrap = GroupBootstrap(groups, resamples=100)
        bootstrap.mean(scores)
        bootstrap.quantile(scores, 0.05)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60e6  # all multiplicities at once are 80 MB as integers alone


@pytest.mark.parametrize("score", [0.1, 0.7, 1 / 3, 0.0])
def test_bootstrap__of_equal_scores_is_that_score(score: float) -> None:
    bootstrap = GroupBootstrap(GROUPS, resamples=200)
    scores = [score] * len(GROUPS)
    exactly = Interval(estimate=score, low=score, high=score)
    assert bootstrap.mean(scores) == exactly
    assert bootstrap.quantile(scores, 0.05) == exactly
    assert bootstrap.sd(scores) == Interval(estimate=0, low=0, high=0)
    pixels = range(1, len(GROUPS) + 1)
    seven_tenths = bootstrap.ratio([7 * n for n in pixels], [10 * n for n in pixels])
    assert seven_tenths == Interval(estimate=0.7, low=0.7, high=0.7)


@pytest.mark.parametrize(
    "scores", [[0.2, 0.4, None], [0.2, 0.4, math.nan]], ids=["None", "not a number"]
)
def test_bootstrap__has_no_ends_with_scores_of_one_group(scores: list[float | None]) -> None:
    bootstrap = GroupBootstrap(["a", "a", "b"], resamples=100)
    for interval in (bootstrap.mean(scores), bootstrap.quantile(scores, 0.5)):
        assert interval is not None
        assert interval.estimate == pytest.approx(0.3)
        assert (interval.low, interval.high) == (None, None)
    whole = GroupBootstrap(["a", "a", "a"], resamples=100).mean([0.2, 0.4, 0.6])
    assert whole is not None
    assert whole.low is None


def test_bootstrap__is_none_where_the_number_is_undefined() -> None:
    bootstrap = GroupBootstrap(["a", "b"], resamples=100)
    assert bootstrap.mean([None, None]) is None
    assert bootstrap.quantile([None, None], 0.5) is None
    assert bootstrap.sd([None, None]) is None
    assert bootstrap.sd([0.3, None]) is None
    assert bootstrap.ratio([0.0, 0.0], [0.0, 0.0]) is None


def test_bootstrap__refuses_what_it_cannot_resample() -> None:
    with pytest.raises(ValueError, match="0 pictures"):
        GroupBootstrap([])
    with pytest.raises(ValueError, match="0 resamples"):
        GroupBootstrap(["a"], resamples=0)
    bootstrap = GroupBootstrap(["a", "b"], resamples=100)
    with pytest.raises(ValueError, match="3 values for 2 pictures"):
        bootstrap.mean([1, 2, 3])
    with pytest.raises(ValueError, match="infinite"):
        bootstrap.quantile([1, math.inf], 0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        bootstrap.quantile([1, 2], 5)


def _sign_flips(ranks: Sequence[float], signed: float) -> float:
    """Share of all sign patterns whose signed rank sum is at least as far from zero."""
    sums = [
        abs(sum(s * r for s, r in zip(signs, ranks, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(ranks))
    ]
    return sum(total >= abs(signed) for total in sums) / len(sums)


def test_wilcoxon__agrees_with_all_sign_patterns() -> None:
    p, effect = wilcoxon([0.01, -0.02, 0.03, 0.04, 0.05, 0.06])
    assert p == pytest.approx(_sign_flips([1, 2, 3, 4, 5, 6], 21 - 2 * 2))
    assert effect == pytest.approx((19 - 2) / 21)


def test_wilcoxon__ranks_zeros_and_counts_them_for_neither() -> None:
    p, effect = wilcoxon([0, 0, 0, -0.1, -0.2, 0.3, 0.4, 0.5])  # ranks 2, 2, 2, 4 to 8
    assert p == pytest.approx(_sign_flips([4, 5, 6, 7, 8], 6 + 7 + 8 - 4 - 5))
    assert p == pytest.approx(14 / 32)  # leaving zeros out beforehand would give 10 / 32
    assert effect == pytest.approx((21 - 9) / 36)


def test_wilcoxon__is_silent_and_bounded() -> None:
    assert wilcoxon([0.0, -0.0, 1e-17]) == (None, 0.0)
    assert wilcoxon([0.2]) == (1.0, 1.0)
    p, effect = wilcoxon([0.1] * 20 + [0.0] * 5)
    assert p is not None
    assert p < 0.001
    assert effect == pytest.approx(1 - 15 / 325)
    with pytest.raises(ValueError, match="at least one"):
        wilcoxon([])


def test_wilcoxon__takes_rounding_for_no_difference() -> None:
    noisy = [0.1 + 0.2 - 0.3, 0.1 + 0.2, 0.3, -0.3, 0.5]
    assert wilcoxon(noisy) == wilcoxon([0, 0.3, 0.3, -0.3, 0.5])


def test_holm__agrees_with_numbers_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, None, 0.6, 0.04]) == pytest.approx([0.06, None, 0.6, 0.08])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([None]) == [None]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(max_examples=60)
def test_holm__is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    places = range(len(p_values))
    subsets = [s for n in places for s in itertools.combinations(places, n + 1)]
    expected = [
        max(min(1, len(s) * min(p_values[j] for j in s)) for s in subsets if i in s) for i in places
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_corrected_t__agrees_with_numbers_by_hand() -> None:
    test = corrected_t([0.0, 0.01, 0.02, 0.03, 0.04] * 3, 1 / 4)
    assert test is not None
    # Mean 0.02, squared deviations 3 * 0.001 over 14, times 1/15 + 1/4 = 0.316667.
    assert test.t == pytest.approx(0.02 / math.sqrt(0.003 / 14 * 0.3166666667))
    assert test.t == pytest.approx(2.4279, abs=1e-4)
    assert test.df == 14
    assert 0.02 < test.p < 0.05  # the table's 2.145 and 2.624
    error = math.sqrt(0.003 / 14 * 0.3166666667)
    assert (test.low, test.high) == pytest.approx(
        (0.02 - 2.144787 * error, 0.02 + 2.144787 * error), abs=1e-8
    )


def test_corrected_t__takes_the_share_of_the_real_parts() -> None:
    """58 tested, 203 trained on: not the 1/4 of five folds without a validation part."""
    test = corrected_t([0.01, 0.02, 0.03, 0.00, 0.04], 58 / 203)
    assert test is not None
    # Mean 0.02, variance 0.00025, factor 0.2 + 0.285714 = 0.485714: error 0.0110195.
    assert test.t == pytest.approx(1.81497, abs=1e-5)
    assert test.p == pytest.approx(0.1437, abs=1e-4)  # 0.1347 with a quarter, 0.0161 uncorrected


def test_welch_t__agrees_with_numbers_by_hand() -> None:
    test = welch_t([0.90, 0.92, 0.94], [0.80, 0.90])
    assert test is not None
    # Means 0.92 and 0.85; variances 0.0004 / 3 and 0.005 / 2: error 0.0513160.
    assert test.t == pytest.approx(0.07 / math.sqrt(0.0004 / 3 + 0.0025))
    # Satterthwaite: the square of 0.0026333 over half that of 0.00013333 plus that of 0.0025.
    assert test.df == pytest.approx(1.10795, abs=1e-4)
    assert (test.low + test.high) / 2 == pytest.approx(0.07)
    assert test.p > 0.3


def test_welch_t__agrees_with_scipy() -> None:
    rng = np.random.default_rng(5)
    for ours, theirs in itertools.product((2, 3, 5), repeat=2):
        first, second = rng.normal(0.9, 0.01, ours), rng.normal(0.88, 0.03, theirs)
        test, reference = (
            welch_t(first.tolist(), second.tolist()),
            stats.ttest_ind(first, second, equal_var=False),
        )
        assert test is not None
        assert (test.t, test.df, test.p) == pytest.approx(
            (reference.statistic, reference.df, reference.pvalue), rel=1e-6
        )
        interval = reference.confidence_interval()
        assert (test.low, test.high) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_welch_t__needs_two_seeds_of_each() -> None:
    assert welch_t([0.9], [0.8, 0.7]) is None
    assert welch_t([0.9, 0.9], [0.8, 0.8]) == TTest(t=None, df=2, p=0.0, low=0.1, high=0.1)
    assert welch_t([0.9, 0.9], [0.9, 0.9]) == TTest(t=0.0, df=2, p=1.0, low=0.0, high=0.0)


def test_bootstrap__over_seeds_agrees_with_writing_it_out() -> None:
    """Variance of the difference: that over pictures plus that over seeds, unbiased."""
    rng = np.random.default_rng(3)
    pictures = 40
    first = 0.9 + rng.normal(0, 0.02, 3)[:, None] + rng.normal(0, 0.05, (3, pictures))
    second = 0.85 + rng.normal(0, 0.01, 2)[:, None] + rng.normal(0, 0.05, (2, pictures))
    names = [str(number) for number in range(pictures)]
    interval = GroupBootstrap(names, resamples=40_000).difference_over_seeds(first, second)
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    assert interval.estimate == pytest.approx(first.mean() - second.mean())
    over_seeds = first.mean(axis=1).var(ddof=1) / 3 + second.mean(axis=1).var(ddof=1) / 2
    over_pictures = (first.mean(axis=0) - second.mean(axis=0)).var() / pictures
    alone = GroupBootstrap(names, resamples=1000).mean(first.mean(axis=0) - second.mean(axis=0))
    assert alone is not None
    assert interval.high - interval.low > (alone.high or 0) - (alone.low or 0)
    # Two and three seeds have no normal distribution: the width agrees within a fifth.
    width = 2 * 1.96 * math.sqrt(over_seeds + over_pictures)
    assert interval.high - interval.low == pytest.approx(width, rel=0.2)


def test_bootstrap__over_seeds_leaves_out_pictures_without_a_score() -> None:
    first = np.array([[0.9, math.nan, 0.7], [0.8, math.nan, 0.8]])
    second = np.array([[0.5, math.nan, 0.5]])
    bootstrap = GroupBootstrap(["a", "b", "c"], resamples=200)
    interval = bootstrap.difference_over_seeds(first, second)
    assert interval is not None
    assert interval.estimate == pytest.approx(0.3)
    nothing = np.full((2, 3), math.nan)
    assert bootstrap.difference_over_seeds(nothing, nothing) is None


def test_corrected_t__has_a_closed_form_with_two_degrees_of_freedom() -> None:
    test = corrected_t([-0.03, -0.02, -0.01], 0.5)
    assert test is not None
    t = -0.02 / math.sqrt((1 / 3 + 0.5) * 1e-4)
    assert test.t == pytest.approx(t)
    assert test.p == pytest.approx(1 - abs(t) / math.sqrt(2 + t * t))


def test_corrected_t__without_variance_has_no_quotient() -> None:
    same = TTest(t=None, df=2, p=0.0, low=0.02, high=0.02)
    assert corrected_t([0.02, 0.1 + 0.2 - 0.28, 0.02], 0.25) == same
    assert corrected_t([0.0, 0.0], 0.25) == TTest(t=0.0, df=1, p=1.0, low=0.0, high=0.0)
    assert corrected_t([0.02], 0.25) is None
    assert corrected_t([], 0.25) is None


@pytest.mark.parametrize("share", [0.0, -1.0, math.nan, math.inf])
def test_corrected_t__refuses_the_uncorrected_one(share: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        corrected_t([0.1, 0.2], share)


def test_cohen_dz__is_mean_over_deviation() -> None:
    assert cohen_dz([1.0, 2.0, 3.0, 4.0]) == pytest.approx(2.5 / math.sqrt(5 / 3))
    assert cohen_dz([0.3, 0.1 + 0.2]) is None
    assert cohen_dz([0.3]) is None
    with pytest.raises(ValueError, match="not finite"):
        cohen_dz([0.1, math.nan])


def _clear_pair(**changes: object) -> PairAnalysis:
    """A pair that nothing speaks against."""
    record: dict[str, object] = {
        "first": "unet",
        "second": "fpn",
        "metric": "iou",
        "images": 100,
        "difference": Interval(estimate=0.03, low=0.02, high=0.04),
        "median": 0.03,
        "wilcoxon_p": 0.001,
        "wilcoxon_holm": None,
        "rank_biserial": 0.5,
        "cohen_dz": 0.4,
        "corrected_t": 3.0,
        "corrected_df": 14,
        "corrected_p": 0.01,
        "corrected_holm": None,
        "seed_sd": 0.005,
        "evidence": False,
        "doubts": (),
    }
    return PairAnalysis.model_validate(record | changes)


@pytest.mark.parametrize(
    ("changes", "doubts"),
    [
        ({}, ()),
        ({"corrected_p": None}, ("training",)),
        ({"corrected_p": None, "seeds_p": 0.01}, ()),
        ({"corrected_p": None, "seeds_p": 0.05}, ("seeds",)),
        ({"seed_sd": 0.04}, ()),
        ({"rank_biserial": -0.5}, ("direction",)),
        ({"rank_biserial": -0.5, "wilcoxon_p": 0.2}, ("wilcoxon",)),
        ({"difference": Interval(estimate=0.03, low=-0.01, high=0.07)}, ("interval",)),
        (
            {"difference": Interval(estimate=-0.03, low=-0.07, high=0.0), "rank_biserial": -0.5},
            ("interval",),
        ),
        ({"difference": Interval(estimate=0.03)}, ("interval",)),
        (
            {"difference": Interval(estimate=-0.03, low=-0.04, high=-0.02), "rank_biserial": -0.5},
            (),
        ),
        ({"wilcoxon_p": 0.05}, ("wilcoxon",)),
        ({"wilcoxon_p": None}, ("wilcoxon",)),
        ({"corrected_p": 0.05}, ("folds",)),
        ({"difference": Interval(estimate=0.0094, low=0.006, high=0.02)}, ("small",)),
        (
            {
                "difference": Interval(estimate=-0.0096, low=-0.02, high=-0.006),
                "rank_biserial": -0.5,
            },
            (),
        ),
        ({"wilcoxon_p": 0.2, "corrected_p": 0.3}, ("wilcoxon", "folds")),
        ({"unseen": 0.0299}, ()),
        ({"unseen": 0.0301}, ("few",)),
        ({"unseen": None}, ()),
    ],
)
def test_finish_pairs__names_every_doubt(
    changes: dict[str, object], doubts: tuple[str, ...]
) -> None:
    (pair,) = finish_pairs([_clear_pair(**changes)])
    assert pair.doubts == doubts
    assert pair.evidence is not bool(doubts)


def test_finish_pairs__corrects_within_a_metric() -> None:
    pairs = [
        _clear_pair(first="a", wilcoxon_p=0.02, corrected_p=0.01),
        _clear_pair(first="b", wilcoxon_p=0.03, metric="boundary_iou", corrected_p=0.04),
        _clear_pair(first="c", wilcoxon_p=0.04, corrected_p=None),
        _clear_pair(first="d", wilcoxon_p=0.01, corrected_p=0.03),
    ]
    finished = finish_pairs(pairs)
    assert [pair.first for pair in finished] == ["a", "b", "c", "d"]
    ranks = [pair.wilcoxon_holm for pair in finished]
    assert ranks == pytest.approx([0.04, 0.03, 0.04, 0.03])
    folds = [pair.corrected_holm for pair in finished]
    assert folds == pytest.approx([0.02, 0.04, None, 0.03])
    assert finish_pairs([]) == []


def test_finish_pairs__three_pairs_are_decided_by_holm() -> None:
    """Signed ranks of 0.02 each and folds of 0.02 each: significant alone, not of three."""
    ranks = [_clear_pair(first=name, wilcoxon_p=0.02, corrected_p=0.001) for name in "abc"]
    assert [pair.doubts for pair in finish_pairs(ranks)] == [("wilcoxon",)] * 3
    folds = [_clear_pair(first=name, corrected_p=0.02) for name in "abc"]
    assert [pair.doubts for pair in finish_pairs(folds)] == [("folds",)] * 3
    seeds = [_clear_pair(first=name, corrected_p=None, seeds_p=0.02) for name in "abc"]
    assert [pair.doubts for pair in finish_pairs(seeds)] == [("seeds",)] * 3
    for alone in (ranks[:1], folds[:1], seeds[:1]):
        assert finish_pairs(alone)[0].evidence


def test_finish_pairs__folds_and_seeds_are_one_family() -> None:
    pairs = [
        _clear_pair(first="a", corrected_p=0.03),
        _clear_pair(first="b", corrected_p=None, seeds_p=0.02),
    ]
    first, second = finish_pairs(pairs)
    assert (first.corrected_holm, first.seeds_holm) == (0.04, None)
    assert (second.corrected_holm, second.seeds_holm) == (None, 0.04)


@pytest.mark.parametrize(
    ("changes", "equivalent"),
    [
        ({}, True),
        ({"difference": Interval(estimate=0.005, low=-0.01, high=0.02)}, True),
        ({"difference": Interval(estimate=0.005, low=-0.01, high=0.0201)}, False),
        ({"difference": Interval(estimate=-0.005, low=-0.0201, high=0.01)}, False),
        ({"difference": Interval(estimate=0.005)}, False),
        ({"trainings": Interval(estimate=0.005, low=-0.03, high=0.04)}, False),
        ({"trainings": None}, False),
        ({"difference": Interval(estimate=0.1, low=-0.1, high=0.3)}, False),
        ({"trainings": Interval(estimate=0.005, low=-0.01, high=0.014), "unseen": 0.006}, True),
        ({"trainings": Interval(estimate=0.005, low=-0.01, high=0.015), "unseen": 0.006}, False),
    ],
)
def test_finish_pairs__equal_only_within_two_points(
    changes: dict[str, object], *, equivalent: bool
) -> None:
    level: dict[str, object] = {
        "difference": Interval(estimate=0.005, low=-0.002, high=0.012),
        "trainings": Interval(estimate=0.005, low=-0.01, high=0.02),
        "wilcoxon_p": 0.4,
    }
    (pair,) = finish_pairs([_clear_pair(**(level | changes))])
    assert (pair.equivalent, pair.evidence) == (equivalent, False)


def test_finish_pairs__a_difference_is_not_equality_however_small_its_interval() -> None:
    clear = {"difference": Interval(estimate=0.015, low=0.012, high=0.018)}
    within = {"trainings": Interval(estimate=0.015, low=0.011, high=0.019)}
    (pair,) = finish_pairs([_clear_pair(**clear, **within)])
    assert (pair.evidence, pair.equivalent) == (True, False)


def test_unseen__is_the_rule_of_three() -> None:
    """None of 60 groups: at most one in twenty fails, and loses half of its score."""
    assert unseen(60) == pytest.approx(0.025)
    differences = [0.02, None, 0.03, 0.02]
    bootstrap = GroupBootstrap(["a", "b", "c", "c"], resamples=100)
    pair = compare_pair("unet", "fpn", "iou", differences, bootstrap)
    assert pair.unseen == pytest.approx(3 / 2 * 0.5), "two groups have a difference"


def test_compare_pair__two_folds_ten_points_apart_are_not_equal() -> None:
    """One degree of freedom proves nothing, and what is not proved is not equality either."""
    rng = np.random.default_rng(0)
    differences = (0.1 + rng.normal(0, 0.03, 80)).tolist()
    bootstrap = GroupBootstrap([str(number) for number in range(80)], resamples=1000)
    trainings = Trainings(fold_differences=[0.13, 0.07], test_share_over_train=1.0)
    pair = compare_pair("unet", "deeplabv3plus", "iou", differences, bootstrap, trainings)
    (pair,) = finish_pairs([pair])
    assert pair.corrected_df == 1
    assert (pair.evidence, pair.equivalent, pair.doubts) == (False, False, ("folds",))


def test_compare_pair__signed_ranks_for_the_other_network_are_no_support() -> None:
    """Better by 12 points on 45 pictures, worse by 0.4 on 245: higher on average only."""
    rng = np.random.default_rng(1)
    differences = np.concatenate([np.full(245, -0.004), np.full(45, 0.12)])
    rng.shuffle(differences)
    differences += rng.normal(0, 0.0005, 290)
    folds = [float(differences[fold::5].mean()) for fold in range(5)]
    pair = compare_pair(
        "unet",
        "fpn",
        "iou",
        differences.tolist(),
        GroupBootstrap([str(number) for number in range(290)], resamples=1000),
        Trainings(fold_differences=folds, test_share_over_train=58 / 203),
    )
    (pair,) = finish_pairs([pair])
    assert pair.difference.estimate > 0.01
    assert (pair.median < 0, pair.rank_biserial < 0) == (True, True)
    assert (pair.evidence, "direction" in pair.doubts) == (False, True)


def test_compare_pair__holds_what_its_parts_say() -> None:
    differences = [0.02, 0.05, None, 0.01, 0.04, -0.01, 0.0, 0.03, 0.06, 0.02]
    defined = [value for value in differences if value is not None]
    bootstrap = GroupBootstrap(GROUPS, resamples=200)
    folds = [0.02, 0.03, 0.01]
    pair = compare_pair(
        "unet",
        "fpn",
        "boundary_iou",
        differences,
        bootstrap,
        Trainings(fold_differences=folds, test_share_over_train=0.5, seed_sd=0.004),
    )
    test = corrected_t(folds, 0.5)
    assert test is not None
    assert (pair.first, pair.second, pair.metric) == ("unet", "fpn", "boundary_iou")
    assert (pair.images, pair.median, pair.seed_sd) == (9, 0.02, 0.004)
    assert pair.difference == bootstrap.mean(differences)
    assert (pair.wilcoxon_p, pair.rank_biserial) == wilcoxon(defined)
    assert pair.cohen_dz == cohen_dz(defined)
    assert (pair.corrected_t, pair.corrected_df, pair.corrected_p) == (test.t, test.df, test.p)
    assert (pair.wilcoxon_holm, pair.corrected_holm, pair.evidence) == (None, None, False)
    assert pair.trainings == Interval(
        estimate=pair.difference.estimate, low=test.low, high=test.high
    )
    assert (pair.seeds_t, pair.seeds_df, pair.seeds_p) == (None, None, None)


def test_compare_pair__several_seeds_are_tested_over_seeds() -> None:
    first = np.array([[0.90, 0.80], [0.94, 0.84], [0.92, 0.82]])
    second = np.array([[0.80, 0.70], [0.88, 0.78]])
    apart = (first.mean(axis=0) - second.mean(axis=0)).tolist()
    bootstrap = GroupBootstrap(["a", "b"], resamples=200)
    trainings = Trainings(by_seed=(first, second))
    pair = compare_pair("unet", "fpn", "iou", apart, bootstrap, trainings)
    test = welch_t([0.85, 0.89, 0.87], [0.75, 0.83])
    assert test is not None
    assert (pair.seeds_t, pair.seeds_df, pair.seeds_p) == pytest.approx((test.t, test.df, test.p))
    assert pair.difference == bootstrap.difference_over_seeds(first, second)
    assert (pair.corrected_p, pair.trainings) == (
        None,
        Interval(estimate=pair.difference.estimate, low=test.low, high=test.high),
    )


def test_compare_pair__of_equal_networks_claims_nothing() -> None:
    bootstrap = GroupBootstrap(GROUPS, resamples=200)
    zeros = [0.0] * len(GROUPS)
    trainings = Trainings(fold_differences=[0.0] * 5, test_share_over_train=1)
    pair = compare_pair("unet", "fpn", "iou", zeros, bootstrap, trainings)
    (pair,) = finish_pairs([pair])
    assert (pair.wilcoxon_p, pair.rank_biserial, pair.cohen_dz) == (None, 0.0, None)
    assert (pair.corrected_t, pair.corrected_p) == (0.0, 1.0)
    assert pair.doubts == ("interval", "wilcoxon", "folds", "small")


def test_compare_pair__refuses_scores_that_are_no_numbers_by_name() -> None:
    bootstrap = GroupBootstrap(["a", "b"], resamples=100)
    with pytest.raises(ValueError, match=r"unet minus fpn \(iou\).*picture number 2 is nan"):
        compare_pair("unet", "fpn", "iou", [0.1, math.nan], bootstrap)
    with pytest.raises(ValueError, match=r"unet minus fpn.*fold number 1 is inf"):
        compare_pair(
            "unet", "fpn", "iou", [0.1, 0.2], bootstrap, Trainings(fold_differences=[math.inf])
        )
    with pytest.raises(ValueError, match=r"unet minus fpn.*no picture"):
        compare_pair("unet", "fpn", "iou", [None, None], bootstrap)
    with pytest.raises(ValueError, match=r"unet minus fpn.*test_share_over_train"):
        compare_pair(
            "unet", "fpn", "iou", [0.1, 0.2], bootstrap, Trainings(fold_differences=[0.1, 0.2])
        )


@pytest.mark.parametrize(("limit", "held"), [(1399, False), (1400, True), (2**20, True)])
def test_bootstrap__keeps_multiplicities_up_to_the_limit(
    limit: int, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of seven groups in a hundred resamples, two bytes each."""
    monkeypatch.setattr(bootstrap_module, "_KEPT_BYTES", limit)
    assert (GroupBootstrap(GROUPS, resamples=100)._kept is not None) == held
