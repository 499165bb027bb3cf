"""Comparing an exported network with torch, by stand-ins whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.model_directory import Parity
from humanseg.models.parity import (
    check_int8_parity,
    check_parity,
    measure_parity,
    probe_images,
)
from humanseg.system.errors import ExportError

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


def brightness(images: Images) -> Probabilities:
    """A network that everybody can compute by hand."""
    return np.asarray(images.mean(axis=-1) / 255.0, dtype=np.float32)


def test_probe_images__always_the_same_and_all_different() -> None:
    pictures = probe_images((32, 96))
    assert pictures.shape == (6, 32, 96, 3)
    assert pictures.dtype == np.uint8
    assert np.array_equal(pictures, probe_images((32, 96)))
    assert len({picture.tobytes() for picture in pictures}) == 6


def test_measure__the_same_network() -> None:
    parity = measure_parity(brightness, brightness, probe_images((32, 32)), threshold=0.5)
    assert parity == Parity(
        pictures=6, largest_difference=0.0, mean_difference=0.0, mask_agreement=1.0
    )


def test_measure__known_differences() -> None:
    def off(images: Images) -> Probabilities:
        found = brightness(images)
        found[:, 0, 0] = 1.0 - found[:, 0, 0]
        return found

    pictures = np.full((1, 10, 10, 3), 255, np.uint8)
    parity = measure_parity(brightness, off, pictures, threshold=0.5)
    assert parity.largest_difference == 1.0
    assert parity.mean_difference == pytest.approx(0.01)
    assert parity.mask_agreement == pytest.approx(0.99)


def test_measure__batch_of_a_fixed_size_is_refused() -> None:
    def first_only(images: Images) -> Probabilities:
        return brightness(images[:1])

    with pytest.raises(ExportError, match=r"gives shape \(1, 32, 32\) where torch gives \(2, "):
        measure_parity(brightness, first_only, probe_images((32, 32)), threshold=0.5)


def test_measure__pictures_of_a_batch_that_are_mixed_up_show() -> None:
    def reversed_batch(images: Images) -> Probabilities:
        return brightness(images[::-1])

    parity = measure_parity(brightness, reversed_batch, probe_images((32, 32)), threshold=0.5)
    assert parity.largest_difference > 0.1


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1])
def test_measure__what_is_no_probability_is_refused(value: float) -> None:
    def broken(images: Images) -> Probabilities:
        found = brightness(images)
        found[0, 3, 3] = value
        return found

    with pytest.raises(ExportError, match="no probabilities"):
        measure_parity(brightness, broken, probe_images((32, 32)), threshold=0.5)


def _parity(largest: float, mean: float, agreement: float) -> Parity:
    return Parity(
        pictures=6, largest_difference=largest, mean_difference=mean, mask_agreement=agreement
    )


@pytest.mark.parametrize(
    ("parity", "tolerance", "passes"),
    [
        (_parity(1e-3, 1e-4, 0.999), 1e-3, True),
        (_parity(1.1e-3, 1e-4, 1.0), 1e-3, False),
        (_parity(1e-4, 1e-4, 0.998), 1e-3, False),
        (_parity(1e-4, 1e-4, 0.998), 1e-9, False),
        (_parity(0.019, 1e-3, 0.981), 0.02, True),
        (_parity(0.019, 1e-3, 0.979), 0.02, False),
    ],
)
def test_check(parity: Parity, tolerance: float, passes: bool) -> None:
    if passes:
        check_parity(parity, what="x", tolerance=tolerance)
    else:
        with pytest.raises(ExportError, match="x: differs from torch"):
            check_parity(parity, what="x", tolerance=tolerance)


@pytest.mark.parametrize(
    ("parity", "passes"),
    [
        (_parity(0.9, 0.019, 0.981), True),
        (_parity(0.9, 0.021, 0.999), False),
        (_parity(0.9, 0.001, 0.979), False),
    ],
)
def test_check_int8(parity: Parity, passes: bool) -> None:
    if passes:
        check_int8_parity(parity, what="x")
    else:
        with pytest.raises(ExportError, match="x: int8 changes"):
            check_int8_parity(parity, what="x")
