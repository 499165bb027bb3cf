from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.video.flicker import TOLERANCE, FlickerMeter, dtssd


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((40, 50, 3), level, dtype=np.uint8)


def constant(value: float) -> NDArray[np.float32]:
    return np.full((40, 50), value, dtype=np.float32)


def test_flicker__is_the_mean_change_per_thousand_where_nothing_moves() -> None:
    meter = FlickerMeter(threshold=0.5)
    for value in (0.6, 0.7, 0.4):  # changes of 0.1 and 0.3; the second crosses the threshold
        meter.add(constant(value), grey(100))

    result = meter.result()

    assert result.change == pytest.approx(1000 * (0.1 + 0.3) / 2, rel=1e-5)
    assert result.flips == pytest.approx(1000 / 2)
    assert (result.unchanged, result.pairs) == (1.0, 2)


def test_flicker__a_probability_at_the_threshold_is_inside_the_mask() -> None:
    meter = FlickerMeter(threshold=0.5)
    meter.add(constant(0.5), grey(100))
    meter.add(constant(0.75), grey(100))
    assert meter.result().flips == 0


def test_flicker__where_the_picture_changes_the_mask_may_too() -> None:
    meter = FlickerMeter(threshold=0.5)
    before, after = grey(100), grey(100)
    after[:, 25:] = 160
    now = constant(0.2)
    now[:, 25:] = 0.9
    meter.add(constant(0.2), before)
    meter.add(now, after)

    result = meter.result()

    assert (result.change, result.flips) == (0, 0)
    # Columns 25 to 49 change; averaging over 3x3 and the 5x5 around take 3 columns more.
    assert result.unchanged == pytest.approx(22 / 50)


def test_flicker__noise_below_the_tolerance_counts_as_unchanged() -> None:
    for level, share in ((100 + TOLERANCE - 1, 1.0), (100 + TOLERANCE, 0.0)):
        meter = FlickerMeter(threshold=0.5)
        meter.add(constant(0.5), grey(100))
        meter.add(constant(0.5), grey(level))
        assert meter.result().unchanged == share


def test_flicker__without_an_unchanged_pixel_there_is_no_number() -> None:
    meter = FlickerMeter(threshold=0.5)
    assert meter.result().change is None
    meter.add(constant(0.5), grey(0))
    meter.add(constant(0.9), grey(200))
    result = meter.result()
    assert (result.change, result.flips, result.unchanged, result.pairs) == (None, None, 0.0, 1)


def test_flicker__remembers_values_not_the_callers_array() -> None:
    meter = FlickerMeter(threshold=0.5)
    probability = constant(0.2)
    meter.add(probability, grey(100))
    probability += 0.5
    meter.add(probability, grey(100))
    assert meter.result().change == pytest.approx(500)


def test_dtssd__is_zero_when_the_change_is_the_truths() -> None:
    truth = [np.zeros((4, 4), bool), np.ones((4, 4), bool)]
    predicted = [constant(0.1)[:4, :4], constant(1.1)[:4, :4]]
    assert dtssd(predicted, truth) == pytest.approx(0, abs=1e-6)


def test_dtssd__by_hand() -> None:
    truth = [np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))]
    predicted = [np.zeros((2, 2)), np.array([[0.4, 0.0], [0.0, 0.0]]), np.full((2, 2), 0.4)]
    # sqrt(0.16 / 4) = 0.2, then sqrt(3 * 0.16 / 4)
    assert dtssd(predicted, truth) == pytest.approx((0.2 + np.sqrt(0.12)) / 2)


def test_dtssd__needs_two_frames_and_as_many_truths() -> None:
    assert dtssd([np.zeros((2, 2))], [np.zeros((2, 2))]) is None
    with pytest.raises(ValueError, match="shorter"):
        dtssd([np.zeros((2, 2))] * 2, [np.zeros((2, 2))])
