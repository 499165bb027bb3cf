from __future__ import annotations

import numpy as np
import pytest
from benchmarks.flicker import TOLERANCE, FlickerMeter
from numpy.typing import NDArray


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
