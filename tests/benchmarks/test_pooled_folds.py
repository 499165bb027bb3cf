"""Pooled spreads of folds, against a textbook's example and simulated equal networks."""

import numpy as np
import pytest
from benchmarks.pooled_folds import pooled_differences, spread

# Montgomery, Design and Analysis of Experiments, ch. 4: hardness testing, coded. Four tips (rows)
# on four specimens (columns); SS error 8.00 with 9 degrees of freedom, mean square 0.89.
HARDNESS = (
    (-2.0, -1.0, 1.0, 5.0),
    (-1.0, -2.0, 3.0, 4.0),
    (-3.0, -1.0, 0.0, 2.0),
    (2.0, 1.0, 5.0, 7.0),
)


def test_spread__is_that_of_the_textbook() -> None:
    deviation, freedom = spread(HARDNESS)
    assert freedom == 9
    assert deviation**2 == pytest.approx(8.0 / 9)


@pytest.mark.parametrize("scores", [((1.0, 2.0),), ((1.0,), (2.0,)), ()])
def test_spread__of_one_network_or_fold_is_refused(scores: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(ValueError, match="give two networks and folds or more"):
        spread(scores)


def test_pooled_differences__by_hand() -> None:
    scores = dict(zip("abcd", HARDNESS, strict=True))
    result = pooled_differences(scores, "a", test_share_over_train=0.5)
    # Means 0.75, 1.0, -0.5, 3.75. Error: sqrt(2 * 8/9 * (1/4 + 1/2)) = 1.154701.
    # t(0.975, 9) = 2.262157.
    assert [each.interval.estimate for each in result.values()] == pytest.approx([0.25, -1.25, 3.0])
    assert result["d"].interval.low == pytest.approx(3.0 - 2.262157 * 1.154701, abs=1e-5)
    assert result["d"].interval.high == pytest.approx(3.0 + 2.262157 * 1.154701, abs=1e-5)
    # t = 2.598076 with 9 degrees of freedom: two-sided 0.02884, times three by Holm.
    assert result["d"].p == pytest.approx(3 * 0.02884, abs=2e-4)


def test_pooled_differences__equal_networks_are_told_apart_in_one_ablation_of_twenty() -> None:
    """Sixteen equal networks on three folds whose trainings share their images."""
    random, share, said = np.random.default_rng(0), 0.55, 0
    together = share / (1 + share)  # correlation that Nadeau and Bengio suppose
    trials = 1000
    for _ in range(trials):
        luck = np.sqrt(together) * random.normal(size=(16, 1))
        luck = luck + np.sqrt(1 - together) * random.normal(size=(16, 3))
        scores = 0.85 + 0.02 * random.normal(size=(1, 3)) + 0.007 * luck
        of_steps = {str(number): row for number, row in enumerate(scores.tolist())}
        differences = pooled_differences(of_steps, "0", share)
        said += any(each.p < 0.05 for each in differences.values())
    assert said / trials <= 0.05


def test_pooled_differences__a_large_effect_is_seen() -> None:
    random = np.random.default_rng(1)
    scores = 0.85 + 0.007 * random.normal(size=(16, 3))
    scores[5] += 0.05
    differences = pooled_differences(
        {str(n): row for n, row in enumerate(scores.tolist())}, "0", 0.55
    )
    assert [name for name, each in differences.items() if each.p < 0.05] == ["5"]
