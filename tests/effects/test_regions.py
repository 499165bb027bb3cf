from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from humanseg.effects.regions import drop_unsure, find_regions, keep_regions, largest_share

masks = arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))


def _soft(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What a network would give: sure inside, falling off over a few pixels."""
    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), 1.5), dtype=np.float32)


def _two_people() -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    large, small = np.zeros((160, 200), dtype=bool), np.zeros((160, 200), dtype=bool)
    large[20:150, 30:90] = True
    small[60:120, 140:170] = True
    return _soft(large | small), large, small


@given(masks)
@settings(max_examples=200)
def test_find_regions__equals_scipy(mask: NDArray[np.bool_]) -> None:
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    regions = find_regions(mask)
    np.testing.assert_array_equal(regions.labels, labels)
    np.testing.assert_array_equal(regions.areas, np.bincount(labels.ravel(), minlength=1)[1:])
    assert len(regions.areas) == count


@pytest.mark.parametrize("density", [0.3, 0.4, 0.6])
def test_find_regions__equals_scipy_on_noise(density: float) -> None:
    mask = np.random.default_rng(0).random((320, 320)) < density  # windings at every scale
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    np.testing.assert_array_equal(find_regions(mask).labels, labels)


def test_find_regions__does_not_join_across_the_border() -> None:
    mask = np.zeros((3, 4), dtype=bool)
    mask[0, 3] = mask[1, 0] = True  # neighbours in memory, not in the picture
    assert len(find_regions(mask).areas) == 2


PERSON_AND_LAMP = np.array(
    [
        [0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.3],
        [0.1, 0.9, 0.6, 0.1, 0.7, 0.6, 0.3],
        [0.1, 0.6, 0.6, 0.2, 0.6, 0.6, 0.1],
        [0.1, 0.6, 0.6, 0.2, 0.8, 0.1, 0.1],
    ],
    dtype=np.float32,
)
"""A person of eight pixels, three of them sure (0.8 or more); a lamp of five, one sure, with two of
its soft edge."""


@pytest.mark.parametrize(
    ("share", "person", "lamp"),
    [(0.0, 8, 5), (0.2, 8, 5), (0.21, 8, 0), (0.375, 8, 0), (0.376, 0, 0), (1.0, 0, 0)],
)
def test_drop_unsure__counts_the_sure_pixels_of_each_region(
    share: float, person: int, lamp: int
) -> None:
    """One fifth of the lamp is sure, and three eighths of the person."""
    before = PERSON_AND_LAMP.copy()
    left = drop_unsure(PERSON_AND_LAMP, 0.5, share)
    np.testing.assert_array_equal(PERSON_AND_LAMP, before)
    assert (left >= 0.5)[:, :4].sum() == person
    assert (left >= 0.5)[:, 4:].sum() == lamp
    assert left.dtype == np.float32
    assert (left is PERSON_AND_LAMP) == (person + lamp == 13)
    if lamp == 0:
        assert left[0, 6] == left[1, 6] == 0.0, "the soft edge of a dropped region is left"
    np.testing.assert_array_equal(left[:, 0], before[:, 0])


def test_drop_unsure__a_breath_without_any_person_goes_too() -> None:
    grid = np.full((4, 4), 0.1, dtype=np.float32)
    grid[1, 1] = 0.3
    assert drop_unsure(grid, 0.5, 0.2)[1, 1] == 0.0


@pytest.mark.parametrize(("threshold", "sure"), [(0.5, 0.8), (0.25, 0.7), (0.75, 0.9), (1.0, 1.0)])
def test_drop_unsure__sure_moves_with_the_threshold(threshold: float, sure: float) -> None:
    at, below = np.float32(sure), np.nextafter(np.float32(sure), np.float32(0))
    for value, stays in ((at, True), (below, threshold == 1.0)):
        grid = np.full((3, 3), value, dtype=np.float32)
        assert bool(drop_unsure(grid, threshold, 1.0).any()) == (stays and value >= threshold)


def test_keep_regions__largest_leaves_one_person_as_it_was() -> None:
    probability, large, small = _two_people()
    kept = keep_regions(probability, largest=True)
    np.testing.assert_array_equal(kept[large], probability[large])
    assert kept[small].max() < 0.05
    assert kept[50:130, 130:180].max() < 0.05, "something of the dropped person's soft edge is left"
    # Its own soft edge is whole too.
    np.testing.assert_array_equal(kept[:, :110], probability[:, :110])


def test_keep_regions__drops_the_small_ones() -> None:
    probability, _, _ = _two_people()
    share = 60 * 30 / probability.size
    assert keep_regions(probability, smallest=share * 0.9) is probability
    kept = keep_regions(probability, smallest=share * 1.1)
    np.testing.assert_array_equal(kept, keep_regions(probability, largest=True))
    assert not keep_regions(probability, smallest=0.9)[probability >= 0.5].any()


def test_keep_regions__touching_people_are_one_region() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[5:20, 5:20] = mask[20:30, 20:35] = True  # at a corner
    probability = mask.astype(np.float32)
    assert keep_regions(probability, largest=True) is probability


def test_keep_regions__of_equals_the_topmost() -> None:
    probability = np.zeros((60, 60), dtype=np.float32)
    probability[40:50, 5:15] = probability[5:15, 40:50] = 1.0
    kept = keep_regions(probability, largest=True)
    assert kept[5:15, 40:50].min() == 1.0
    assert kept[40:50, 5:15].max() == 0.0


def test_keep_regions__leaves_no_hard_cut() -> None:
    """Around a dropped person the map is nowhere steeper than the person's own edge was."""
    mask = np.zeros((160, 200), dtype=bool)
    mask[20:150, 30:90] = mask[60:120, 98:130] = True  # soft edges meet
    probability = np.maximum(_soft(mask), 0.1)  # and a haze everywhere

    def steepest(values: NDArray[np.float32]) -> float:
        return float(max(np.abs(np.diff(values, axis=0)).max(), np.abs(np.diff(values)).max()))

    kept = keep_regions(probability, largest=True)
    assert steepest(kept) <= steepest(probability)
    assert kept[5, 190] == probability[5, 190], "far from everything, nothing changes"


@given(masks, st.floats(0.0, 0.3), st.booleans())
@settings(max_examples=100)
def test_keep_regions__kept_ones_stay_and_dropped_ones_go(
    mask: NDArray[np.bool_], smallest: float, largest: bool
) -> None:
    probability = np.where(mask, np.float32(0.8), np.float32(0.3))
    before = find_regions(mask)
    kept = keep_regions(probability, smallest=smallest, largest=largest)
    assert kept.dtype == np.float32
    assert (kept <= probability).all()
    after = kept >= 0.5
    staying = [
        number
        for number, area in enumerate(before.areas, start=1)
        if area >= smallest * mask.size and (not largest or number == before.areas.argmax() + 1)
    ]
    np.testing.assert_array_equal(after, np.isin(before.labels, staying) & mask)
    np.testing.assert_array_equal(kept[after], probability[after])


def test_keep_regions__nobody_is_nobody() -> None:
    probability = np.full((30, 30), 0.2, dtype=np.float32)
    assert keep_regions(probability, largest=True, smallest=0.1) is probability


def _holed() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A person with a hole of 10 x 10 pixels in 100 x 200, and a notch that is open outwards."""
    person = np.zeros((100, 200), dtype=bool)
    person[20:80, 40:160] = True
    hole = np.zeros_like(person)
    hole[40:50, 60:70] = True
    notch = np.zeros_like(person)
    notch[20:30, 120:130] = True
    return _soft(person & ~hole & ~notch), hole


def test_keep_regions__fills_holes_below_the_share_and_nothing_else() -> None:
    probability, hole = _holed()
    filled = keep_regions(probability, holes=0.006)  # the hole covers 0.005
    assert filled[hole].min() > 0.99
    changed = filled != probability
    changed[32:58, 52:78] = False  # and its soft edge
    assert not changed.any()
    assert keep_regions(probability, holes=0.003) is probability


def test_keep_regions__a_hole_on_the_border_is_no_hole() -> None:
    probability = np.ones((40, 40), dtype=np.float32)
    probability[0, 10:12] = 0.0
    assert keep_regions(probability, holes=0.5) is probability


def test_largest_share__of_the_largest_region_alone() -> None:
    probability = np.zeros((100, 100), dtype=np.float32)
    probability[10:12, 10:25] = 0.7  # 30 pixels
    probability[50:55, 50:55] = 0.9  # 25 pixels
    assert largest_share(probability, 0.5) == 0.003
    assert largest_share(probability, 0.8) == 0.0025
    assert largest_share(probability, 0.95) == 0.0
