from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import BinaryCalibrationError

from humanseg.evaluation.metrics import add_calibrations, calibrate
from humanseg.evaluation.metrics.surface import near_contour
from humanseg.results import Calibration

SHAPE = (30, 40)
pictures = st.builds(lambda seed: _picture(np.random.default_rng(seed)), st.integers(0, 2**32 - 1))


def _picture(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A probability and a truth; bin edges differ between implementations and are kept off."""
    probability = (rng.integers(0, 1500, SHAPE) + 0.5) / 1500
    return probability.astype(np.float32), rng.random(SHAPE) < rng.choice([0.001, 0.1, 0.5])


def _theirs(probability: np.ndarray, truth: np.ndarray) -> float:
    error = BinaryCalibrationError(n_bins=15, norm="l1")
    return float(error(torch.from_numpy(probability.ravel()), torch.from_numpy(truth.ravel())))


@given(pictures)
@settings(max_examples=20)
def test_calibrate__error_agrees_with_torchmetrics(
    picture: tuple[np.ndarray, np.ndarray],
) -> None:
    probability, truth = picture
    whole, band = calibrate(probability, truth)
    assert whole.error == pytest.approx(_theirs(probability, truth.astype(int)), abs=1e-5)
    near = near_contour(truth, 50)
    if near.any():
        expected = _theirs(probability[near], truth[near].astype(int))
        assert band.error == pytest.approx(expected, abs=1e-5)


def test_calibrate__pixels_by_hand() -> None:
    probability = np.array([[0.0, 0.5, 1.0, 1.0]], dtype=np.float32)
    truth = np.array([[False, True, True, False]])
    whole, band = calibrate(probability, truth)
    assert whole.pixels == (1, *[0] * 6, 1, *[0] * 6, 2)
    assert whole.probability == (0.0, *[0.0] * 6, 0.5, *[0.0] * 6, 2.0)
    assert whole.person == (0, *[0] * 6, 1, *[0] * 6, 1)
    # Half of the four pixels' distances: 0, |1 - 0.5|, |1 - 2|.
    assert whole.error == pytest.approx((0 + 0.5 + 1.0) / 4)
    # At this size 2 % of the diagonal is less than a pixel: the band is the contour itself.
    assert sum(band.pixels) == 2
    assert band.error == pytest.approx((0.5 + 0.0) / 2)


def test_calibrate__the_band_has_both_sides_of_the_contour() -> None:
    truth = np.zeros((300, 400), dtype=bool)  # diagonal 500: 2 % is 10 pixels
    truth[:, :200] = True
    probability = np.where(truth, 0.9, 0.1).astype(np.float32)
    _, band = calibrate(probability, truth)
    # The contour is column 199: columns 189 to 199 are person, 200 to 209 are not.
    assert (sum(band.pixels), sum(band.person)) == (300 * 21, 300 * 11)
    assert band.error == pytest.approx(0.1)


@pytest.mark.parametrize("value", [False, True])
def test_calibrate__without_a_contour_there_is_no_band(value: bool) -> None:
    probability = np.full(SHAPE, 0.25, dtype=np.float32)
    whole, band = calibrate(probability, np.full(SHAPE, value))
    assert whole.error == pytest.approx(0.75 if value else 0.25)
    assert sum(band.pixels) == 0
    assert band.error is None


@pytest.mark.parametrize("value", [0.0, 1.0, float(np.nextafter(np.float32(1), np.float32(0)))])
def test_calibrate__a_certain_and_right_network_has_no_error(value: float) -> None:
    whole, _ = calibrate(np.full(SHAPE, value, dtype=np.float32), np.full(SHAPE, value > 0.5))
    assert whole.error == pytest.approx(0.0, abs=1e-6)
    assert len(whole.pixels) == 15


@given(st.lists(pictures, max_size=3))
@settings(max_examples=15)
def test_add_calibrations__is_the_calibration_of_all_pixels(
    many: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    total = add_calibrations(calibrate(*picture)[0] for picture in many)
    if not many:
        assert sum(total.pixels) == 0
        assert total.error is None
        return
    together, _ = calibrate(
        np.concatenate([one for one, _ in many]), np.concatenate([two for _, two in many])
    )
    assert (total.pixels, total.person) == (together.pixels, together.person)
    assert total.probability == pytest.approx(together.probability)


def test_add_calibrations__loses_nothing_in_large_sums() -> None:
    # float32 would stop counting at 16 million.
    large = Calibration(pixels=(2**30,) * 15, probability=(2.0**30,) * 15, person=(0,) * 15)
    small = Calibration(pixels=(1,) * 15, probability=(0.25,) * 15, person=(1,) * 15)
    total = add_calibrations([large, small])
    assert total.pixels == (2**30 + 1,) * 15
    assert total.probability == (2.0**30 + 0.25,) * 15
