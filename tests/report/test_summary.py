from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from humanseg.errors import DataError
from humanseg.report.formatting import duration, gap, large, listed, memory, points, rate, score
from humanseg.report.summary import Study, interval, load_study, spread

StudyMaker = Callable[..., Study]


def test_spread__one_value_has_no_deviation() -> None:
    assert spread([0.5]) == spread([0.5, None])
    assert spread([0.5]).sd is None
    assert spread([]).mean is None


def test_spread__deviation_is_of_a_sample() -> None:
    found = spread([0.8, 0.9])
    assert found.mean == pytest.approx(0.85)
    assert found.sd == pytest.approx(0.1 / 2**0.5)


def test_interval__covers_the_mean_and_repeats() -> None:
    values = np.random.default_rng(1).normal(0.05, 0.1, 200).tolist()
    low, high = interval(values)
    error = float(np.std(values, ddof=1)) / 200**0.5
    centre = float(np.mean(values))
    assert low == pytest.approx(centre - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(centre + 1.96 * error, abs=0.2 * error)
    assert interval(values) == (low, high)


def test_study__averages_pictures_over_seeds(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.8, 0.6], [0.9, 0.7]]})
    (network,) = study.finished
    assert network.by_picture("iou") == pytest.approx({"0": 0.85, "1": 0.65})
    assert network.score("iou_mean").mean == pytest.approx(0.75)
    assert network.score("iou_mean").sd == pytest.approx(0.1 / 2**0.5)


def test_study__keeps_the_order_of_the_plan_and_ranks_by_score(study_of: StudyMaker) -> None:
    study = study_of({"fpn": [[0.7]], "deeplabv3plus": [[0.6]], "unet": [[0.9]]})
    assert [one.label for one in study.networks] == ["FPN", "DeepLabV3+", "U-Net"]
    assert [one.label for one in study.ranked("iou")] == ["U-Net", "FPN", "DeepLabV3+"]


@pytest.mark.parametrize(
    ("first", "second", "doubts"),
    [
        ([[0.90] * 8], [[0.85] * 8], 0),
        ([[0.90] * 8], [[0.895] * 8], 1),  # below one point
        ([[0.9, 0.5, 0.9, 0.5]], [[0.5, 0.9, 0.5, 0.8]], 1),  # interval
        ([[0.95] * 8, [0.85] * 8], [[0.88] * 8, [0.88] * 8], 1),  # seeds
    ],
)
def test_difference__says_what_speaks_against_it(
    study_of: StudyMaker, first: list[list[float]], second: list[list[float]], doubts: int
) -> None:
    (difference,) = study_of({"unet": first, "fpn": second}).differences["iou"]
    assert len(difference.doubts) == doubts
    assert difference.is_evidence == (doubts == 0)


def test_load_study__bad_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_study(tmp_path)
    (tmp_path / "results.json").write_text('{"schema_version": 1, "runs": 3}')
    with pytest.raises(DataError, match="damaged"):
        load_study(tmp_path)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (score(0.87249), "0.872"),
        (score(None), "–"),
        (points(0.0234), "2.3"),
        (points(-0.0234, sign=True), "−2.3"),
        (points(-0.0001, sign=True), "0.0"),
        (gap(0.0001), "less than 0.1 points"),
        (gap(0.047), "4.7 points"),
        (duration(0.4), "0.40 s"),
        (duration(59.99), "1 min 00 s"),
        (duration(178.2), "2 min 58 s"),
        (duration(3900), "1 h 05 min"),
        (large(6_251_469), "6.25 M"),
        (large(31_000_000), "31.0 M"),
        (large(999_999), "1.00 M"),
        (large(2.498e9), "2.50 G"),
        (large(12), "12"),
        (memory(2_900_000_000), "2.7 GiB"),
        (memory(5 * 2**20), "5 MiB"),
        (rate(4.871), "4.87"),
        (rate(312.4), "312"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (listed(["a"]), "a"),
    ],
)
def test_formatting(shown: str, text: str) -> None:
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == text
