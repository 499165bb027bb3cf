"""That scenes have the alpha they say, and that alpha is scored as its definitions say."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.matting import Row, scene, scored, summarise, trimap
from tests.conftest import draw_folder

from humanseg.data.layouts import discover


def test_scored__of_values_worked_out_by_hand() -> None:
    truth = np.zeros((40, 40))
    truth[:, 20:] = 1.0
    truth[:, 19] = 0.5  # the one mixed column: columns 9 to 29 are near
    assert scored(truth, truth) == (0.0, 0.0, 0.0)
    sad, mse, gradient = scored(np.clip(truth + 0.25, 0.0, 1.0), truth)
    # Too much by 0.25 in columns 9 to 19, eleven of 21 columns, 40 rows.
    assert sad == pytest.approx(11 * 40 * 0.25 / 1000)
    assert mse == pytest.approx(0.0625 * 11 / 21)
    assert gradient > 0.0


def test_scored__takes_nothing_far_from_the_edge() -> None:
    truth = np.zeros((40, 60))
    truth[:, 20:] = 1.0
    truth[:, 19] = 0.5
    wrong = truth.copy()
    wrong[:, 50:] = 0.0
    assert scored(wrong, truth)[:2] == (0.0, 0.0)


def test_trimap__is_open_along_the_outline_and_where_unsure() -> None:
    probability = np.zeros((100, 100), dtype=np.float32)
    probability[:, 50:] = 1.0
    probability[50, 90] = 0.9  # person, but not surely
    known = trimap(probability, 0.5, 0.02)
    assert np.unique(known[0]).tolist() == [0.0, 0.5, 1.0]
    assert np.flatnonzero(known[0] == 0.5).tolist() == [48, 49, 50, 51]
    assert known[50, 90] == 0.5


def test_scene__is_mixed_by_its_alpha(tmp_path: Path) -> None:
    sample = discover(draw_folder(tmp_path, 1), "auto")[0]
    ground = np.full((30, 40, 3), (0, 0, 255), dtype=np.uint8)
    image, alpha = scene(sample, ground, np.random.default_rng(1))
    assert image.shape == (*alpha.shape, 3)
    assert ((alpha > 0.05) & (alpha < 0.95)).sum() > 50
    outside, inside = image[alpha == 0.0].astype(int), image[alpha > 0.999].astype(int)
    assert np.abs(outside - (0, 0, 255)).max() < 15
    assert np.abs(inside - (250, 230, 200)).mean() < 15


def test_summarise__says_changes_against_the_unrefined() -> None:
    rows = [
        Row(id=name, method=method, sad=sad, mse=0.0, gradient=sad / 2)
        for name, method, sad in [
            ("a", "unrefined", 4.0),
            ("a", "closed form", 3.0),
            ("b", "unrefined", 2.0),
            ("b", "closed form", 2.5),
        ]
    ]
    own, other = summarise(rows)
    assert own.sad is not None
    assert own.sad.estimate == 3.0
    assert other.sad_change is not None
    assert other.sad_change.estimate == -0.25
    assert other.gradient_change is not None
    assert other.gradient_change.estimate == -0.125
    assert (own.better, other.better) == (0, 1)
