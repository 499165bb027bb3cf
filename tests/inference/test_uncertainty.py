"""Uncertainty of probabilities that were made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.inference.engines.engine import FunctionEngine
from humanseg.inference.segmenter import Segmenter
from humanseg.inference.uncertainty import measure_uncertainty


def _halves(at_border: float) -> NDArray[np.float32]:
    """8x16: a person in the left half, whose last column has this probability."""
    probability = np.zeros((8, 16), np.float32)
    probability[:, :8] = 1.0
    probability[:, 7] = at_border
    return probability


def test_uncertainty__of_a_sure_network_is_nothing() -> None:
    sure = _halves(1.0)
    measured = measure_uncertainty(sure, sure)
    assert (measured.contour, measured.disagreement, measured.value) == (0.0, 0.0, 0.0)


def test_uncertainty__of_a_contour_is_its_area_against_that_of_the_people() -> None:
    # 4 * 0.75 * 0.25 = 0.75 in 8 pixels, beside 56 sure ones; at least 1 pixel is added
    unsure = _halves(0.75)
    measured = measure_uncertainty(unsure, unsure)
    assert measured.contour == pytest.approx(6 / (56 + 6 + 1))
    assert measured.disagreement == 0.0
    assert measured.value == pytest.approx(3 / 63)


def test_uncertainty__of_nobody_counts_against_the_smallest_person() -> None:
    # 4 * 0.4 * 0.6 = 0.96 twice, 4 * 0.1 * 0.9 = 0.36; 0.3 % of 1000 pixels are 3
    nobody = np.zeros((20, 50), np.float32)
    nobody[3, :3] = [0.4, 0.4, 0.1]
    assert measure_uncertainty(nobody, nobody).contour == pytest.approx(2.28 / (2.28 + 3))


def test_uncertainty__disagreement_is_what_does_not_overlap() -> None:
    # 8 pixels of 16 differ by 1; of 128 pixels 0.3 %, at least 1, is added to the larger sum of 16
    person, half = np.zeros((8, 16), np.float32), np.zeros((8, 16), np.float32)
    person[:2, :8], half[:1, :8] = 1.0, 1.0
    assert measure_uncertainty(person, half).disagreement == pytest.approx(8 / 17)
    assert measure_uncertainty(half, person).disagreement == pytest.approx(8 / 17)


def test_uncertainty__specks_where_nobody_is_count_little() -> None:
    nobody, speck = np.zeros((100, 100), np.float32), np.zeros((100, 100), np.float32)
    speck[0, 0] = 0.4
    assert measure_uncertainty(nobody, speck).disagreement == pytest.approx(0.4 / 30.4)


@pytest.mark.parametrize("flip_averaging", [False, True])
def test_segmenter__measures_it_beside_the_same_prediction(flip_averaging: bool) -> None:
    left = np.zeros((32, 32), np.float32)
    left[:, :16] = 1.0
    engine = FunctionEngine.of(lambda images: np.stack([left] * len(images)), (32, 32))
    segmenter = Segmenter.of_engine(engine, flip_averaging=flip_averaging)
    picture = np.zeros((64, 64, 3), np.uint8)
    plain = segmenter.predict(picture)
    measured = segmenter.predict(picture, uncertainty=True)
    assert plain.uncertainty is None
    assert np.array_equal(measured.grid, plain.grid)
    assert measured.uncertainty is not None
    assert measured.uncertainty.contour == 0.0
    # left half against right half: 1024 pixels differ, the larger of both is 1 everywhere
    assert measured.uncertainty.disagreement == pytest.approx(1024 / (1024 + 3))
