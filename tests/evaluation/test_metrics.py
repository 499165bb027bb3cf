from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import binary_jaccard_index
from torchmetrics.functional.segmentation import dice_score

from humanseg.evaluation.metrics import Counts, count_pixels, score_image, summarise
from humanseg.evaluation.metrics.overlap import pairwise_ious
from humanseg.evaluation.metrics.surface import boundary_band, boundary_width
from humanseg.results import ImageScore

SHAPE = (12, 17)
masks = arrays(np.bool_, SHAPE)


def _authors_boundary(mask: np.ndarray, dilation: int) -> np.ndarray:
    """The Boundary IoU authors' procedure: frame of zeros, 3x3 erosion repeated."""
    padded = np.pad(mask, 1)
    eroded = ndimage.binary_erosion(padded, np.ones((3, 3)), iterations=dilation)
    return np.asarray(mask & ~eroded[1:-1, 1:-1])


@given(masks, st.integers(1, 6))
@settings(max_examples=60)
def test_boundary_band__equals_the_authors_procedure(mask: np.ndarray, width: int) -> None:
    np.testing.assert_array_equal(boundary_band(mask, width), _authors_boundary(mask, width))


def test_boundary_width__is_two_per_cent_of_the_diagonal() -> None:
    assert boundary_width(480, 640) == 16
    assert boundary_width(3, 3) == 1


@given(masks, masks)
@settings(max_examples=60)
def test_score_image__agrees_with_others(prediction: np.ndarray, truth: np.ndarray) -> None:
    score = score_image("a", prediction, truth)
    flat_truth, flat_prediction = truth.ravel(), prediction.ravel()
    tn, fp, fn, tp = sklearn_metrics.confusion_matrix(
        flat_truth, flat_prediction, labels=[False, True]
    ).ravel()
    assert (score.tp, score.fp, score.fn, score.tn) == (tp, fp, fn, tn)
    assert score.pixel_accuracy == pytest.approx(
        sklearn_metrics.accuracy_score(flat_truth, flat_prediction)
    )
    if not truth.any():
        assert (score.iou, score.dice, score.boundary_iou) == (None, None, None)
    else:
        assert score.iou == pytest.approx(
            sklearn_metrics.jaccard_score(flat_truth, flat_prediction, zero_division=0)
        )
        assert score.dice == pytest.approx(
            sklearn_metrics.f1_score(flat_truth, flat_prediction, zero_division=0)
        )


def _pairs(count: int = 21) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    truth = rng.random((count, *SHAPE)) < 0.4
    return truth ^ (rng.random(truth.shape) < 0.15), truth


def _scores(predictions: np.ndarray, truths: np.ndarray) -> list[ImageScore]:
    return [
        score_image(str(index), prediction, truth)
        for index, (prediction, truth) in enumerate(zip(predictions, truths, strict=True))
    ]


def test_summarise__agrees_with_smp() -> None:
    predictions, truths = _pairs()
    summary = summarise(_scores(predictions, truths))
    stats = smp.metrics.get_stats(
        torch.from_numpy(predictions)[:, None].long(),
        torch.from_numpy(truths)[:, None].long(),
        mode="binary",
    )
    assert summary.iou_mean == pytest.approx(
        smp.metrics.iou_score(*stats, reduction="micro-imagewise").item()
    )
    assert summary.dataset_iou == pytest.approx(
        smp.metrics.iou_score(*stats, reduction="micro").item()
    )
    assert summary.dice_mean == pytest.approx(
        smp.metrics.f1_score(*stats, reduction="micro-imagewise").item()
    )
    assert summary.dataset_dice == pytest.approx(
        smp.metrics.f1_score(*stats, reduction="micro").item()
    )
    assert summary.pixel_accuracy == pytest.approx(
        smp.metrics.accuracy(*stats, reduction="micro").item()
    )


def test_summarise__agrees_with_torchmetrics() -> None:
    predictions, truths = _pairs()
    summary = summarise(_scores(predictions, truths))
    p, t = torch.from_numpy(predictions).int(), torch.from_numpy(truths).int()
    assert summary.dataset_iou == pytest.approx(binary_jaccard_index(p, t).item())
    per_image = dice_score(p[:, None], t[:, None], num_classes=1, average="none")
    assert summary.dice_mean == pytest.approx(per_image.mean().item())


def test_summarise__batch_scores_follow_the_published_convention() -> None:
    predictions, truths = _pairs(21)
    scores = _scores(predictions, truths)
    summary = summarise(scores, scores)
    expected = [
        binary_jaccard_index(
            torch.from_numpy(predictions[part]).int(), torch.from_numpy(truths[part]).int()
        ).item()
        for part in (slice(0, 16), slice(16, 21))
    ]
    assert summary.batch_iou == pytest.approx(np.mean(expected))
    assert summary.batch_iou != pytest.approx(summary.dataset_iou, abs=1e-6)


EMPTY = np.zeros(SHAPE, dtype=bool)
FULL = np.ones(SHAPE, dtype=bool)
ONE = EMPTY.copy()
ONE[3, 4] = True
CORNER = EMPTY.copy()
CORNER[0, 0] = True


@pytest.mark.parametrize(
    ("prediction", "truth", "iou", "dice", "boundary"),
    [
        (EMPTY, EMPTY, None, None, None),
        (ONE, EMPTY, None, None, None),
        (EMPTY, ONE, 0.0, 0.0, 0.0),
        (FULL, FULL, 1.0, 1.0, 1.0),
        (ONE, ONE, 1.0, 1.0, 1.0),
        (CORNER, CORNER, 1.0, 1.0, 1.0),
        (CORNER, ONE, 0.0, 0.0, 0.0),
        (FULL, ONE, 1 / 204, 2 / 205, 0.0),
    ],
)
def test_score_image__special_masks(
    prediction: np.ndarray,
    truth: np.ndarray,
    iou: float | None,
    dice: float | None,
    boundary: float | None,
) -> None:
    score = score_image("x", prediction, truth)
    assert score.iou == (None if iou is None else pytest.approx(iou))
    assert score.dice == (None if dice is None else pytest.approx(dice))
    assert score.boundary_iou == (None if boundary is None else pytest.approx(boundary))


def test_score_image__hand_worked_square() -> None:
    truth = np.zeros((100, 100), dtype=bool)
    truth[20:60, 20:60] = True  # 1600
    prediction = np.zeros((100, 100), dtype=bool)
    prediction[20:60, 30:70] = True  # shifted by 10
    score = score_image("square", prediction, truth)
    assert (score.tp, score.fp, score.fn, score.tn) == (1200, 400, 400, 8000)
    assert score.iou == 0.6
    assert score.dice == 0.75
    # Bands of 3 pixels (2 % of 141): each 1600 - 34 * 34 = 444. They share two horizontal strips
    # of 30 x 3, and nothing else: the vertical sides are 10 apart.
    assert score.boundary_intersection == 180
    assert score.boundary_union == 2 * 444 - 180


def test_score_image__shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="prediction is"):
        score_image("x", EMPTY, np.zeros((3, 3), dtype=bool))
    with pytest.raises(ValueError, match=r"prediction is \(3, 3\), truth is \(12, 17\)"):
        score_image("x", np.zeros((3, 3), dtype=bool), EMPTY)


def test_summarise__undefined_pictures_are_counted_and_left_out() -> None:
    summary = summarise([score_image("a", EMPTY, EMPTY), score_image("b", ONE, ONE)])
    assert (summary.images, summary.undefined) == (2, 1)
    assert summary.iou_mean == 1.0
    assert summary.iou_sd is None


def test_summarise__only_empty_pictures_have_no_mean() -> None:
    summary = summarise([score_image("a", EMPTY, EMPTY)])
    assert summary.iou_mean is None
    assert summary.dataset_iou is None
    assert summary.pixel_accuracy == 1.0


def test_summarise__spread_and_percentiles() -> None:
    predictions, truths = _pairs()
    scores = _scores(predictions, truths)
    ious = [score.iou for score in scores if score.iou is not None]
    summary = summarise(scores)
    assert summary.iou_median == pytest.approx(np.median(ious))
    assert summary.iou_p05 == pytest.approx(np.percentile(ious, 5))
    assert summary.iou_sd == pytest.approx(np.std(ious, ddof=1))
    assert all(not math.isnan(value) for value in ious)


def test_summarise__nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="No scores"):
        summarise([])


TURNS = (np.flipud, np.fliplr, np.transpose, np.rot90)


@given(masks, masks, st.sampled_from(TURNS))
@settings(max_examples=40)
def test_score_image__is_that_of_masks_turned_or_mirrored_alike(
    prediction: np.ndarray, truth: np.ndarray, turn: Callable[[np.ndarray], np.ndarray]
) -> None:
    plain, turned = (
        score_image("a", *pair).model_dump(exclude={"height", "width"})
        for pair in ((prediction, truth), (turn(prediction), turn(truth)))
    )
    assert turned == pytest.approx(plain)


@given(masks, masks)
@settings(max_examples=40)
def test_score_image__of_swapped_and_of_inverted_masks(
    prediction: np.ndarray, truth: np.ndarray
) -> None:
    score, swapped = score_image("a", prediction, truth), score_image("a", truth, prediction)
    assert (swapped.tp, swapped.fp, swapped.fn) == (score.tp, score.fn, score.fp)
    assert swapped.boundary_intersection == score.boundary_intersection
    assert swapped.boundary_union == score.boundary_union
    assert count_pixels(~prediction, ~truth) == (score.tn, score.fn, score.fp, score.tp)
    if score.iou is not None and score.dice is not None and score.boundary_iou is not None:
        assert 0 <= score.iou <= score.dice <= 1
        assert score.dice == pytest.approx(2 * score.iou / (1 + score.iou))
        assert 0 <= score.boundary_iou <= 1


def test_count_pixels__leaves_ignored_ones_out() -> None:
    prediction, truth, ignored = (
        np.array(rows, dtype=bool)
        for rows in (
            [[1, 1, 1, 0], [0, 0, 1, 0]],
            [[1, 1, 0, 0], [1, 0, 1, 0]],
            [[1, 0, 1, 1], [0, 0, 0, 0]],
        )
    )
    assert count_pixels(prediction, truth) == (3, 1, 1, 3)
    assert count_pixels(prediction, truth, ignored) == (2, 0, 1, 2)
    score = score_image("a", prediction, truth, ignored)
    assert (score.tp, score.fp, score.fn, score.tn) == (2, 0, 1, 2)
    # All marked pixels that remain touch the border: bands, one pixel wide, are the masks.
    assert (score.boundary_intersection, score.boundary_union) == (2, 3)
    assert (score.contour_true, score.contour_predicted) == (3, 2)
    without = score_image("a", prediction, truth, contours=False)
    assert (without.tp, without.contour_true, without.distance_sum) == (3, None, None)


def test_pairwise_ious__of_all_pairs_by_hand() -> None:
    masks = np.array([[[1, 1, 0]], [[0, 0, 0]]], dtype=bool)
    truths = np.array([[[1, 0, 0]], [[0, 1, 1]], [[0, 0, 0]]], dtype=bool)
    assert pairwise_ious(masks, truths).tolist() == [[1 / 2, 0.0], [1 / 3, 0.0], [0.0, 0.0]]


def test_counts__accuracy_is_that_of_both_classes() -> None:
    assert Counts(tp=3, fp=1, fn=2, tn=4).accuracy == 0.7
    assert Counts(tp=0, fp=0, fn=0, tn=0).accuracy == 0.0


def test_summarise__batches_have_sixteen_pictures() -> None:
    right, wrong = (Counts(tp=1, fp=0, fn=0, tn=1), Counts(tp=0, fp=1, fn=1, tn=0))
    scores = [score_image("a", ONE, ONE)]
    summary = summarise(scores, [right] * 16 + [wrong])
    assert (summary.batch_iou, summary.batch_dice, summary.batch_accuracy) == (0.5, 0.5, 0.5)
    nobody = summarise(scores, [Counts(tp=0, fp=0, fn=0, tn=9)])
    assert (nobody.batch_iou, nobody.batch_dice, nobody.batch_accuracy) == (0.0, 0.0, 1.0)
    assert summarise(scores).batch_iou is None
    assert summarise(scores).iou_sd is None
