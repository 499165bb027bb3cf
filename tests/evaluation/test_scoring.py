from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders.stored_scores import score_stored

from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.evaluation.bounds import score_baselines
from humanseg.evaluation.metrics import (
    add_calibrations,
    calibrate,
    count_pixels,
    score_image,
    summarise,
)
from humanseg.evaluation.scoring import (
    Scored,
    score_samples,
)
from humanseg.images.resize import (
    resize_image,
    resize_mask,
    resize_mask_nearest,
    resize_probability,
)
from humanseg.images.stored_maps import read_probability
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import DataError, ImageError

GRID = (32, 48)
THRESHOLD = 0.4


def guess(picture: np.ndarray) -> np.ndarray:
    """Bright is person; a network would know better."""
    return np.asarray(resize_image(picture, GRID).mean(axis=2) / 255, dtype=np.float32)


score = partial(score_samples, threshold=THRESHOLD, mask_resize="area")


@pytest.fixture
def samples(drawn: Path) -> list[Sample]:
    return discover(drawn)


def _serial(samples: list[Sample], shrink: Callable[..., np.ndarray]) -> Scored:
    """What scoring means, without threads."""
    scores, grid, calibrations = [], [], []
    for sample in samples:
        truth, probability = sample.read_mask(), guess(sample.read_image())
        native = resize_probability(probability, (truth.shape[0], truth.shape[1]))
        scores.append(score_image(sample.id, native >= THRESHOLD, truth))
        grid.append(count_pixels(probability >= THRESHOLD, shrink(truth, GRID)))
        calibrations.append(calibrate(native, truth))
    whole, band = (add_calibrations(parts) for parts in zip(*calibrations, strict=True))
    return Scored(tuple(scores), summarise(scores, grid), whole, band)


@pytest.mark.parametrize(
    ("mask_resize", "shrink"), [("area", resize_mask), ("nearest", resize_mask_nearest)]
)
def test_score_samples__is_scoring_one_after_the_other(
    samples: list[Sample], mask_resize: str, shrink: Callable[..., np.ndarray]
) -> None:
    scored = score_samples(samples, guess, threshold=THRESHOLD, mask_resize=mask_resize)
    assert scored == _serial(samples, shrink)
    assert [one.id for one in scored.scores] == [sample.id for sample in samples]
    assert all(one.measured for one in scored.scores)
    backwards = score(samples[::-1], guess)
    assert [one.id for one in backwards.scores] == [sample.id for sample in samples[::-1]]


def test_score_samples__the_caller_predicts_and_hears_of_progress(samples: list[Sample]) -> None:
    here = threading.get_ident()
    predicting, scoring, heard = set(), set(), []

    def predict(picture: np.ndarray) -> np.ndarray:
        predicting.add(threading.get_ident())
        return guess(picture)

    def read_mask(sample: Sample) -> np.ndarray:
        scoring.add(threading.get_ident())
        return sample.read_mask()

    def progress(done: int, total: int) -> None:
        assert threading.get_ident() == here
        heard.append((done, total))

    score(samples, predict, read_mask=read_mask, progress=progress)
    assert predicting == {here}
    assert here not in scoring
    assert heard == [(done, 20) for done in range(1, 21)]


def test_score_samples__few_pictures_are_under_way_at_once(
    samples: list[Sample],
) -> None:
    lock, events = threading.Lock(), {"read": 0, "predicted": 0, "scored": 0}
    ahead, behind = [], []

    def count(event: str) -> None:
        with lock:
            events[event] += 1
            ahead.append(events["read"] - events["predicted"])
            behind.append(events["predicted"] - events["scored"])

    def read_and_count(sample: Sample) -> np.ndarray:
        count("read")
        return sample.read_image()

    def predict(picture: np.ndarray) -> np.ndarray:
        count("predicted")
        return guess(picture)

    score(samples * 5, predict, read=read_and_count, progress=lambda _done, _total: count("scored"))
    assert events == dict.fromkeys(events, 100)
    assert max(ahead) <= 2 * usable_cores()
    assert max(behind) <= 2 * usable_cores()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("place", ["predict", "progress"])
def test_score_samples__stops_at_once_where_its_caller_does(
    samples: list[Sample], error: type[BaseException], place: str
) -> None:
    threads, calls = threading.active_count(), []

    def call(where: str) -> None:
        calls.append(where)
        if calls.count(place) == 3:
            raise error

    def predict(picture: np.ndarray) -> np.ndarray:
        call("predict")
        return guess(picture)

    with pytest.raises(error):
        score(samples * 50, predict, progress=lambda _done, _total: call("progress"))
    assert calls.count(place) == 3
    assert calls.count("predict") <= 3 + 2 * usable_cores()
    assert threading.active_count() == threads


def test_score_samples__names_a_damaged_picture(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(samples[3].image.read_bytes()[:200])
    samples[3] = Sample("cut", tmp_path / "cut.png", samples[3].mask)
    with pytest.raises(ImageError, match=r"cut\.png: damaged"):
        score(samples, guess)


@pytest.mark.parametrize("wrong", [float("nan"), -0.01, 1.01])
def test_score_samples__refuses_what_is_no_probability(
    samples: list[Sample], wrong: float, tmp_path: Path
) -> None:
    predicted = []

    def predict(picture: np.ndarray) -> np.ndarray:
        probability = guess(picture)
        predicted.append(picture)
        if len(predicted) == 4:
            probability[5, 6] = wrong
        return probability

    with pytest.raises(DataError, match=r"^003: the network gave no probability") as caught:
        score(samples, predict, store=lambda name: tmp_path / f"{name}.png")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "003.png").exists()


def test_score_samples__details_can_be_left_out(samples: list[Sample]) -> None:
    whole, quick = score(samples, guess), score(samples, guess, detailed=False)
    assert quick.summary == whole.summary
    assert (quick.calibration, quick.band_calibration) == (None, None)
    assert not any(one.measured for one in quick.scores)
    assert [one.boundary_iou for one in quick.scores] == [one.boundary_iou for one in whole.scores]


class TestScoreStored:
    @pytest.fixture
    def stored(self, samples: list[Sample], tmp_path: Path) -> Scored:
        return score(samples, guess, store=lambda name: tmp_path / "deep" / f"{name}.png")

    def again(self, samples: list[Sample], folder: Path, threshold: float = 0.4) -> Scored:
        return score_stored(
            samples,
            lambda name: folder / "deep" / f"{name}.png",
            threshold=threshold,
            mask_resize="area",
        )

    def test_finds_exactly_what_was_scored(
        self, samples: list[Sample], stored: Scored, tmp_path: Path
    ) -> None:
        assert self.again(samples, tmp_path) == stored
        probability = read_probability(tmp_path / "deep" / "007.png")
        np.testing.assert_allclose(probability, guess(samples[7].read_image()), atol=1 / 131_000)

    def test_cuts_anew(self, samples: list[Sample], stored: Scored, tmp_path: Path) -> None:
        higher = self.again(samples, tmp_path, threshold=0.9)
        assert higher.calibration == stored.calibration
        assert sum(one.tp for one in higher.scores) < sum(one.tp for one in stored.scores)

    @pytest.mark.usefixtures("stored")
    def test_tells_progress_in_order(self, samples: list[Sample], tmp_path: Path) -> None:
        heard: list[tuple[int, int]] = []
        score_stored(
            samples,
            lambda name: tmp_path / "deep" / f"{name}.png",
            threshold=0.5,
            mask_resize="area",
            progress=lambda done, total: heard.append((done, total)),
        )
        assert heard == [(done, 20) for done in range(1, 21)]

    @pytest.mark.usefixtures("stored")
    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (Path.unlink, "no such file.*run again"),
            (lambda path: path.write_bytes(path.read_bytes()[:100]), "damaged.*run again"),
            (lambda path: Image.new("L", (48, 32)).save(path), "no stored prediction.*again"),
        ],
    )
    def test_names_a_file_that_is_not_there_or_not_whole(
        self,
        samples: list[Sample],
        damage: Callable[[Path], object],
        words: str,
        tmp_path: Path,
    ) -> None:
        damage(tmp_path / "deep" / "011.png")
        with pytest.raises(DataError, match=rf"011\.png.*{words}"):
            self.again(samples, tmp_path)


def test_score_baselines__mean_mask_and_background(samples: list[Sample]) -> None:
    left = np.zeros((10, *GRID), dtype=bool)
    left[:, :, : GRID[1] // 2] = True
    left[0, :, GRID[1] // 2 :] = True  # one training picture in ten is all person
    baselines = score_baselines(samples, lambda: [left[:1], left[1:]], mask_resize="area")
    truths = [sample.read_mask() for sample in samples]
    background = baselines["all_background"]
    assert background.iou_mean == 0.0
    assert background.pixel_accuracy == pytest.approx(1 - np.mean(truths))
    half = np.zeros_like(truths[0])
    half[:, : half.shape[1] // 2] = True
    expected = [(half & truth).sum() / (half | truth).sum() for truth in truths]
    assert baselines["mean_mask"].iou_mean == pytest.approx(np.mean(expected), abs=0.01)
    assert baselines["mean_mask"].boundary_iou_mean is not None
