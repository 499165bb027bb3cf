from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from humanseg.evaluation.metrics import score_image
from humanseg.evaluation.metrics.surface import contour, measure_surfaces, near_contour
from humanseg.results import ImageScore

SHAPE = (30, 40)  # diagonal 50: 2 % is exactly 1 pixel
masks = arrays(np.bool_, SHAPE) | st.builds(
    lambda seed, share: (
        ndimage.zoom(np.random.default_rng(seed).random((6, 8)), 5, order=1) < share
    ),
    st.integers(0, 2**32 - 1),
    st.floats(0.1, 0.9),
)


def _brute_contour(mask: np.ndarray) -> np.ndarray:
    """The reference's words: the mask less its erosion by a 3x3 cross, the frame repeated."""
    cross = ndimage.generate_binary_structure(2, 1)
    eroded = ndimage.binary_erosion(np.pad(mask, 1, mode="edge"), cross)[1:-1, 1:-1]
    return np.asarray(mask & ~eroded)


def _brute_squared(from_: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Over all pairs of pixels: squared distance to the nearest, for each of the first."""
    offsets = np.argwhere(from_)[:, None] - np.argwhere(to)[None]
    return np.asarray((offsets**2).sum(axis=2).min(axis=1))


def _brute(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    """Every surface measure by brute force."""
    found, true = _brute_contour(prediction), _brute_contour(truth)
    total = found.sum() + true.sum()
    if not total and (prediction == truth).all():
        return dict.fromkeys(("surface_dice_05", "surface_dice_10", "assd", "hd95"))
    if not found.any() or not true.any():
        return {"surface_dice_05": 0.0, "surface_dice_10": 0.0, "assd": 1.0, "hd95": 1.0}
    one, other = _brute_squared(true, found), _brute_squared(found, true)
    squared_diagonal = truth.shape[0] ** 2 + truth.shape[1] ** 2
    diagonal = math.sqrt(squared_diagonal)
    return {
        "surface_dice_05": sum((part * 40_000 <= squared_diagonal).sum() for part in (one, other))
        / total,
        "surface_dice_10": sum((part * 10_000 <= squared_diagonal).sum() for part in (one, other))
        / total,
        "assd": sum(np.sqrt(part).sum() for part in (one, other)) / total / diagonal,
        "hd95": max(np.percentile(np.sqrt(part), 95) for part in (one, other)) / diagonal,
    }


def _measures(score: ImageScore) -> dict[str, float | None]:
    return {
        name: getattr(score, name)
        for name in ("surface_dice_05", "surface_dice_10", "assd", "hd95")
    }


@given(masks)
@settings(max_examples=60)
def test_contour__is_the_mask_less_its_erosion(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(contour(mask), _brute_contour(mask))


@given(masks, masks)
@settings(max_examples=80)
def test_score_image__surfaces_equal_all_pairs_of_contour_pixels(
    prediction: np.ndarray, truth: np.ndarray
) -> None:
    found = _measures(score_image("a", prediction, truth))
    expected = _brute(prediction, truth)
    if not truth.any():  # nobody there: no score, whatever is marked
        expected = dict.fromkeys(expected)
    for name, value in expected.items():
        assert found[name] == (None if value is None else pytest.approx(value, abs=1e-12)), name


@given(masks, st.sampled_from([10, 25, 50]))
@settings(max_examples=60)
def test_near_contour__equals_distances_to_all_contour_pixels(mask: np.ndarray, parts: int) -> None:
    everywhere = np.ones(SHAPE, dtype=bool)
    edge = _brute_contour(mask)
    near = np.zeros(SHAPE, dtype=bool)
    if edge.any():
        near = (_brute_squared(everywhere, edge) * parts**2 <= 50**2).reshape(SHAPE)
    np.testing.assert_array_equal(near_contour(mask, parts), near)


@given(masks, masks)
@settings(max_examples=30)
def test_score_image__surfaces_do_not_care_which_mask_is_the_truth(
    one: np.ndarray, other: np.ndarray
) -> None:
    assume(one.any() and other.any())
    forth, back = score_image("a", one, other), score_image("a", other, one)
    assert _measures(forth) == {
        name: value if value is None else pytest.approx(value)
        for name, value in _measures(back).items()
    }
    assert (forth.contour_true, forth.contour_predicted) == (
        back.contour_predicted,
        back.contour_true,
    )


@given(masks)
@settings(max_examples=30)
def test_score_image__surfaces_of_identical_masks_coincide(mask: np.ndarray) -> None:
    found = set(_measures(score_image("a", mask, mask)).items())
    if contour(mask).any():
        assert found == {
            ("surface_dice_05", 1.0),
            ("surface_dice_10", 1.0),
            ("assd", 0.0),
            ("hd95", 0.0),
        }
    else:
        assert {value for _, value in found} == {None}


@pytest.mark.parametrize("side", [1, 3, 8])
def test_measure_surfaces__does_not_depend_on_how_it_is_computed(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(side)
    prediction, truth = (
        np.kron(rng.random((12, 16)) < 0.5, np.ones((side, side), dtype=bool)) for _ in range(2)
    )
    monkeypatch.setattr("humanseg.evaluation.metrics.surface._LONG", math.inf)
    by_points = measure_surfaces(prediction, truth)
    monkeypatch.setattr("humanseg.evaluation.metrics.surface._LONG", 0)
    over_picture = measure_surfaces(prediction, truth)
    assert by_points == over_picture
    assert by_points["distance_sum"]


def _box(top: int, left: int, height: int, width: int, size: int = 200) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_score_image__a_square_moved_by_one_pixel() -> None:
    # Contours of 4 * 19 = 76 pixels each. The left and right sides (18 pixels each, corners aside)
    # and two corners lie one pixel off; of the rows, 19 of 20 pixels coincide with the other's.
    score = score_image("a", _box(50, 51, 20, 20), _box(50, 50, 20, 20))
    assert (score.contour_true, score.contour_predicted) == (76, 76)
    # Each contour: both rows of 20 share 19; the two columns' 18 inner pixels share none.
    assert score.distance_sum == 2 * (2 + 36)
    assert score.distance_p95 == 1.0
    # 0.5 % of a diagonal of 282.8 is 1.4 pixels.
    assert score.surface_dice_05 == 1.0
    assert score.assd == pytest.approx(76 / 152 / math.hypot(200, 200))
    assert score.hd95 == pytest.approx(1 / math.hypot(200, 200))


def test_score_image__tolerances_grow_with_the_picture() -> None:
    # Two pixels apart: 1.4 pixels is too little and 2.8 enough at a side of 200.
    moved, still = _box(50, 52, 20, 20), _box(50, 50, 20, 20)
    score = score_image("a", moved, still)
    assert score.surface_dice_10 == 1.0
    assert score.surface_dice_05 is not None
    assert score.surface_dice_05 < 0.6
    twice = [np.kron(mask, np.ones((2, 2), dtype=bool)) for mask in (moved, still)]
    larger = score_image("a", *twice)
    assert larger.surface_dice_10 == 1.0
    # The same masks in a larger picture are within its larger tolerance.
    padded = [np.pad(mask, (0, 200)) for mask in (moved, still)]
    assert score_image("a", *padded).surface_dice_05 == 1.0


def test_score_image__a_tolerance_includes_its_end() -> None:
    # 240 x 320 has a diagonal of 400: 0.5 % is 2 pixels, 1 % is 4.
    truth = np.zeros((240, 320), dtype=bool)
    truth[100, 100] = True
    for shift, near_05, near_10 in ((2, 2, 2), (3, 0, 2), (4, 0, 2), (5, 0, 0)):
        score = score_image("a", np.roll(truth, shift, axis=1), truth)
        assert (score.contour_near_05, score.contour_near_10) == (near_05, near_10)


@pytest.mark.parametrize(
    ("apart", "near_05", "near_10"), [(4, 2, 2), (5, 0, 2), (9, 0, 2), (10, 0, 0)]
)
def test_measure_surfaces__reach_is_a_200th_and_a_100th_of_the_diagonal(
    apart: int, near_05: int, near_10: int
) -> None:
    """Of 997.05 pixels: 4.985 and 9.97."""
    truth, prediction = np.zeros((2, 700, 710), dtype=np.bool_)
    truth[300, 300] = prediction[300, 300 + apart] = True
    surfaces = measure_surfaces(prediction, truth)
    assert (surfaces["contour_near_05"], surfaces["contour_near_10"]) == (near_05, near_10)


def test_score_image__the_border_of_the_picture_is_no_contour() -> None:
    # A person cut off by the left border: three sides of the 20 x 30 box, 20 + 2 * 29 pixels.
    truth = _box(50, 0, 20, 30)
    score = score_image("a", truth, truth)
    assert score.contour_true == 2 * 30 + 20 - 2
    # One column of pixels, as wide as the person: contour from end to end.
    assert score_image("a", _box(50, 0, 20, 1), truth).contour_predicted == 20


def test_score_image__two_people_of_whom_one_is_missed() -> None:
    near, far = _box(20, 20, 10, 10), _box(20, 120, 10, 10)
    score = score_image("a", near, near | far)
    assert (score.contour_true, score.contour_predicted) == (72, 36)
    assert score.surface_dice_05 == pytest.approx(72 / 108)
    # The far one's pixels are 91 to 100 pixels from the near one's right side, in the same rows.
    rows = [91] * 10 + [100] * 10 + [distance for distance in range(92, 100) for _ in range(2)]
    assert score.distance_sum == sum(rows)
    directed = np.array([0] * 36 + rows)
    assert score.distance_p95 == pytest.approx(np.percentile(directed, 95))


EMPTY = np.zeros(SHAPE, dtype=bool)
FULL = np.ones(SHAPE, dtype=bool)
ONE = EMPTY.copy()
ONE[3, 4] = True
FAR = EMPTY.copy()
FAR[3, 24] = True


@pytest.mark.parametrize(
    ("prediction", "truth", "surface_dice", "distance"),
    [
        (EMPTY, EMPTY, None, None),
        (FULL, FULL, None, None),
        (FULL, EMPTY, None, None),
        (ONE, EMPTY, None, None),
        (EMPTY, FULL, 0.0, 1.0),
        (EMPTY, ONE, 0.0, 1.0),
        (ONE, FULL, 0.0, 1.0),
        (ONE, ONE, 1.0, 0.0),
        (FAR, ONE, 0.0, 20 / 50),
        (~ONE, ONE, 0.0, 1 / 50),  # a hole: its contour are the four pixels around it
    ],
)
def test_score_image__surfaces_of_special_masks(
    prediction: np.ndarray, truth: np.ndarray, surface_dice: float | None, distance: float | None
) -> None:
    score = score_image("a", prediction, truth)
    assert score.surface_dice_05 == score.surface_dice_10 == surface_dice
    assert score.assd == score.hd95 == distance


@pytest.mark.parametrize(
    ("prediction", "truth", "precision", "recall", "person_free"),
    [
        (EMPTY, EMPTY, None, None, True),
        (ONE, EMPTY, None, None, True),
        (EMPTY, ONE, 0.0, 0.0, False),
        (FULL, ONE, 1 / 1200, 1.0, False),
        (ONE, FULL, 1.0, 1 / 1200, False),
    ],
)
def test_score_image__precision_and_recall_of_special_masks(
    prediction: np.ndarray,
    truth: np.ndarray,
    precision: float | None,
    recall: float | None,
    person_free: bool,
) -> None:
    score = score_image("a", prediction, truth)
    assert (score.precision, score.recall, score.person_free) == (precision, recall, person_free)


def test_score_image__contours_can_be_left_out() -> None:
    score = score_image("a", FAR, ONE, contours=False)
    assert not score.measured
    assert (score.surface_dice_05, score.assd, score.hd95) == (None, None, None)
    whole = score_image("a", FAR, ONE)
    assert whole.measured
    assert whole.boundary_iou == score.boundary_iou


def test_score_image__intricate_masks_take_no_longer_than_a_moment() -> None:
    rows, columns = np.indices((480, 640))
    checkers = (rows + columns) % 2 == 0
    dots = (rows % 2 == 0) & (columns % 2 == 0) & (np.hypot(rows - 240, columns - 320) < 60)
    disc = np.hypot(rows - 240, columns - 320) < 235
    for prediction, truth in ((checkers, ~checkers), (checkers, disc), (dots, disc)):
        began = time.thread_time()
        score_image("a", prediction, truth)
        assert time.thread_time() - began < 1.0
