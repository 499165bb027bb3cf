from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.builders.records import environment

from humanseg.config.architectures import model_settings
from humanseg.config.schema import DataConfig, TrainConfig
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.errors import DataError, ImageError, UsageError
from humanseg.evaluation.baselines import score_baselines
from humanseg.evaluation.metrics import (
    add_calibrations,
    calibrate,
    count_pixels,
    score_image,
    summarise,
)
from humanseg.evaluation.scoring import (
    Scored,
    evaluate,
    score_samples,
    score_stored,
)
from humanseg.images import read_mask
from humanseg.images.resize import (
    resize_image,
    resize_mask,
    resize_mask_nearest,
    resize_probability,
)
from humanseg.images.stored_maps import read_probability, write_probability
from humanseg.model_directory import ModelRecord, Preprocessing
from humanseg.models import build_network, save_network
from humanseg.results import DataRecord, read_record
from humanseg.system.cpu import usable_cores

GRID = (32, 48)
NETWORK_GRID = (32, 64)


def guess(picture: np.ndarray) -> np.ndarray:
    """Bright is person; a network would know better."""
    return np.asarray(resize_image(picture, GRID).mean(axis=2) / 255, dtype=np.float32)


def cut(probability: np.ndarray) -> np.ndarray:
    return np.asarray(probability >= 0.4)


score = partial(score_samples, cut=cut, mask_resize="area")


@pytest.fixture
def samples(drawn: Path) -> list[Sample]:
    return discover(drawn)


def _serial(samples: list[Sample], shrink: Callable[..., np.ndarray]) -> Scored:
    """What scoring means, without threads."""
    scores, grid, calibrations = [], [], []
    for sample in samples:
        truth, probability = sample.read_mask(), guess(sample.read_image())
        native = resize_probability(probability, (truth.shape[0], truth.shape[1]))
        scores.append(score_image(sample.id, cut(native), truth))
        grid.append(count_pixels(cut(probability), shrink(truth, GRID)))
        calibrations.append(calibrate(native, truth))
    whole, band = (add_calibrations(parts) for parts in zip(*calibrations, strict=True))
    return Scored(tuple(scores), summarise(scores, grid), whole, band)


@pytest.mark.parametrize(
    ("mask_resize", "shrink"), [("area", resize_mask), ("nearest", resize_mask_nearest)]
)
def test_score_samples__is_scoring_one_after_the_other(
    samples: list[Sample], mask_resize: str, shrink: Callable[..., np.ndarray]
) -> None:
    found = score_samples(samples, guess, cut=cut, mask_resize=mask_resize)
    assert found == _serial(samples, shrink)
    assert [one.id for one in found.scores] == [sample.id for sample in samples]
    assert all(one.measured for one in found.scores)
    backwards = score(samples[::-1], guess)
    assert [one.id for one in backwards.scores] == [sample.id for sample in samples[::-1]]


def test_score_samples__the_caller_predicts_and_hears_of_progress(samples: list[Sample]) -> None:
    here = threading.get_ident()
    predicting, cutting, heard = set(), set(), []

    def predict(picture: np.ndarray) -> np.ndarray:
        predicting.add(threading.get_ident())
        return guess(picture)

    def cut_and_tell(probability: np.ndarray) -> np.ndarray:
        cutting.add(threading.get_ident())
        return cut(probability)

    def progress(done: int, total: int) -> None:
        assert threading.get_ident() == here
        heard.append((done, total))

    score_samples(samples, predict, cut=cut_and_tell, mask_resize="area", progress=progress)
    assert predicting == {here}
    assert here not in cutting
    assert heard == [(done, 20) for done in range(1, 21)]


def test_score_samples__few_pictures_are_under_way_at_once(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, events = threading.Lock(), {"read": 0, "predicted": 0, "scored": 0}
    ahead, behind = [], []

    def count(event: str) -> None:
        with lock:
            events[event] += 1
            ahead.append(events["read"] - events["predicted"])
            behind.append(events["predicted"] - events["scored"])

    read = Sample.read_image

    def read_and_count(sample: Sample) -> np.ndarray:
        count("read")
        return read(sample)

    def predict(picture: np.ndarray) -> np.ndarray:
        count("predicted")
        return guess(picture)

    monkeypatch.setattr(Sample, "read_image", read_and_count)
    score(samples * 5, predict, progress=lambda _done, _total: count("scored"))
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


class TestEvaluate:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        """An untrained network as a model directory."""
        config = model_settings(
            arch="fpn",
            encoder_name="tu-test_efficientnet",
            encoder_weights="none",
            image_size=NETWORK_GRID,
        )
        torch.manual_seed(3)
        network = build_network(config).eval()
        record = ModelRecord(
            arch="fpn",
            encoder_name=config.encoder_name,
            preprocessing=Preprocessing(image_size=NETWORK_GRID, mean=(0.5,) * 3, std=(0.25,) * 3),
            threshold=0.5,
            encoder_weights="none",
            config=TrainConfig(model=config),
            data_fingerprint="f" * 64,
            summary=None,
            environment=environment(),
        )
        save_network(network, record, tmp_path / "model")
        return tmp_path / "model"

    @pytest.fixture
    def data(self, drawn: Path, tmp_path: Path) -> DataConfig:
        """Three drawn pictures, and one of nobody."""
        for part in ("images", "masks"):
            (tmp_path / "data" / part).mkdir(parents=True)
            for number in range(3):
                file = f"{part}/{number:03}.png"
                (tmp_path / "data" / file).write_bytes((drawn / file).read_bytes())
        Image.new("RGB", (50, 40), (90, 80, 70)).save(tmp_path / "data" / "images" / "nobody.png")
        Image.new("L", (50, 40)).save(tmp_path / "data" / "masks" / "nobody.png")
        return DataConfig(root=tmp_path / "data")

    def test_describes_itself(self, model: Path, data: DataConfig, tmp_path: Path) -> None:
        table = tmp_path / "groups.csv"
        table.write_text("id,source\n000,web\n001,web\n002,street\nnobody,street\n")
        result = evaluate(model, data=data, groups=table, threshold=0.3)
        assert (result.arch, result.encoder_name) == ("fpn", "tu-test_efficientnet")
        assert result.trained_on == "f" * 64
        assert result.sources == {
            "000": "web",
            "001": "web",
            "002": "street",
            "nobody": "street",
        }
        assert result.evaluation.threshold == 0.3
        assert [one.id for one in result.scores] == ["000", "001", "002", "nobody"]
        assert result.scores[3].person_free
        assert result.calibration is not None
        assert sum(result.calibration.pixels) == sum(
            one.height * one.width for one in result.scores
        )
        assert result.band_calibration is not None
        assert 0 < sum(result.band_calibration.pixels) < sum(result.calibration.pixels)

    def test_leaves_what_the_report_needs(
        self, model: Path, data: DataConfig, tmp_path: Path
    ) -> None:
        output = tmp_path / "scored"
        result = evaluate(model, data=data, output=output)
        described = read_record(output / "data.json", DataRecord)
        assert described.fingerprint == result.data_fingerprint
        assert described.sources == result.sources
        assert described.groups.keys() == described.images.keys() == result.sources.keys()
        assert data.root is not None
        samples = discover(data.root)
        assert described.images == {one.id: str(one.image.resolve()) for one in samples}
        for sample in samples:
            left = read_mask(output / "truth" / f"{sample.id}.png")
            np.testing.assert_array_equal(left, sample.read_mask())
        again = score_stored(
            samples,
            lambda name: output / "predictions" / f"{name}.png",
            threshold=0.5,
            mask_resize="area",
        )
        assert (again.scores, again.summary) == (result.scores, result.summary)
        assert again.band_calibration == result.band_calibration
        assert not list(output.rglob(".*"))

    def test_fills_its_own_folder_anew(self, model: Path, data: DataConfig, tmp_path: Path) -> None:
        output = tmp_path / "scored"
        first = evaluate(model, data=data, output=output)
        write_probability(
            output / "predictions" / "000.png", np.zeros(NETWORK_GRID, dtype=np.float32)
        )
        again = evaluate(model, data=data, output=output)
        assert again.model_copy(update={"environment": first.environment}) == first
        assert read_probability(output / "predictions" / "000.png").any()

    def test_refuses_a_folder_of_something_else(
        self, model: Path, data: DataConfig, drawn: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(UsageError, match="not empty and no evaluation"):
            evaluate(model, data=data, output=model)
        output = tmp_path / "scored"
        evaluate(model, data=data, output=output)
        with pytest.raises(UsageError, match="on other pictures"):
            evaluate(model, data=DataConfig(root=drawn), output=output)
        (output / "plan.yaml").touch()
        with pytest.raises(UsageError, match="not empty and no evaluation"):
            evaluate(model, data=data, output=output)

    def test_a_damaged_network_is_named_as_the_reason(
        self, model: Path, data: DataConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(_self: object, _images: np.ndarray) -> np.ndarray:
            return np.full((1, *NETWORK_GRID), np.nan, dtype=np.float32)

        monkeypatch.setattr("humanseg.evaluation.scoring.TorchEngine.__call__", broken)
        with pytest.raises(DataError, match="weights are damaged"):
            evaluate(model, data=data)

    def test_needs_a_data_folder(self, model: Path) -> None:
        with pytest.raises(UsageError, match="--data"):
            evaluate(model, data=DataConfig())
