"""`Segmenter` and `Prediction`: from whatever a user calls a picture to masks and pictures."""

from __future__ import annotations

import io
import itertools
import multiprocessing
import pickle
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import humanseg
from humanseg import Prediction, Segmenter, images
from humanseg.effects.effect import CutoutEffect, effect_of
from humanseg.images.resize import resize_image, resize_probability
from humanseg.inference import stream
from humanseg.inference.engines.engine import FunctionEngine
from humanseg.model_directory import directory as model_directory
from humanseg.system.errors import ConfigError, ImageError, ImageFormatError, ModelError, UsageError
from humanseg.video.pipeline import process_frames
from humanseg.video.smoothing import Smoother

Formula = Callable[..., NDArray[np.float32]]
OnnxFile = Callable[..., bytes]
MakeModel = Callable[..., Path]
Pixels = NDArray[np.uint8]

SIZE = (151, 97)


@pytest.fixture(scope="module")
def segmenter(brightness_model: Path) -> Segmenter:
    return Segmenter(brightness_model, backend="onnxruntime")


@pytest.fixture(scope="module")
def flipping(brightness_model: Path) -> Segmenter:
    return Segmenter(brightness_model, backend="onnxruntime", flip_averaging=True)


@pytest.fixture(scope="module")
def picture() -> Pixels:
    """A bright block, which counts as a person, on dark ground."""
    pixels = np.full((*SIZE, 3), (20, 60, 30), dtype=np.uint8)
    pixels[40:120, 30:70] = (250, 220, 190)
    return pixels


def red(images: Pixels) -> NDArray[np.float32]:
    """A network to which red is a person."""
    return images[..., 0].astype(np.float32) / np.float32(255)


def as_file(pixels: Pixels, **settings: Any) -> bytes:  # noqa: ANN401
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, **({"format": "PNG"} | settings))
    return stream.getvalue()


class TestPredict:
    def test_probability__is_the_networks_at_the_pictures_size(
        self, segmenter: Segmenter, picture: Pixels, brightness: Formula, grid: tuple[int, int]
    ) -> None:
        prediction = segmenter.predict(picture)
        expected = resize_probability(brightness(resize_image(picture, grid)), SIZE)
        assert prediction.size == SIZE
        assert prediction.grid.shape == grid
        assert prediction.probability.dtype == np.float32
        np.testing.assert_allclose(prediction.probability, expected, atol=1e-6)
        np.testing.assert_array_equal(segmenter(picture).grid, prediction.grid)

    def test_mask__is_the_block(self, segmenter: Segmenter, picture: Pixels) -> None:
        prediction = segmenter.predict(picture)
        inner, outer = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
        inner[45:115, 34:66] = True
        outer[35:125, 26:74] = True
        assert prediction.mask.dtype == np.bool_
        assert prediction.mask[inner].all()
        assert not prediction.mask[~outer].any()
        assert prediction.found
        assert prediction.coverage == prediction.mask.mean()

    @pytest.mark.parametrize("threshold", [0.0, 0.13, 0.5, 0.97, 1.0])
    @pytest.mark.parametrize("size", [SIZE, (1201, 1603)])
    def test_mask__equals_the_probability_cut_at_the_threshold(
        self, threshold: float, size: tuple[int, int], brightness_model: Path
    ) -> None:
        segmenter = Segmenter(brightness_model, backend="onnxruntime", threshold=threshold)
        rng = np.random.default_rng(1)
        noise = resize_image(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8), size)
        prediction = segmenter.predict(noise)
        np.testing.assert_array_equal(prediction.mask, prediction.probability >= threshold)

    def test_nobody__is_said_plainly(self, segmenter: Segmenter) -> None:
        prediction = segmenter.predict(np.full((50, 60, 3), 40, dtype=np.uint8))
        assert not prediction.found
        assert prediction.coverage == 0.0
        assert prediction.probability.max() < 0.001

    @pytest.mark.parametrize("size", [(1, 1), (1, 300), (1999, 3)])
    def test_predict__takes_pictures_of_any_shape(
        self, size: tuple[int, int], segmenter: Segmenter
    ) -> None:
        prediction = segmenter.predict(np.full((*size, 3), 200, dtype=np.uint8))
        assert prediction.mask.shape == size
        assert prediction.mask.all()

    def test_predict__every_kind_of_picture_gives_the_same(
        self, segmenter: Segmenter, picture: Pixels, tmp_path: Path
    ) -> None:
        content = as_file(picture)
        path = tmp_path / "picture.png"
        path.write_bytes(content)
        expected = segmenter.predict(picture).probability
        opened = io.BytesIO(content)
        opened.read(20)  # read from the beginning all the same
        with path.open("rb") as file:
            kinds: list[Any] = [path, str(path), content, opened, file, Image.fromarray(picture)]
            for kind in kinds:
                prediction = segmenter.predict(kind)
                np.testing.assert_array_equal(prediction.probability, expected)
                np.testing.assert_array_equal(prediction.image, picture)

    def test_predict__grey_and_transparent_arrays(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        grey = segmenter.predict(picture[:, :, 0])
        np.testing.assert_array_equal(
            grey.probability, segmenter.predict(np.stack([picture[:, :, 0]] * 3, -1)).probability
        )
        alpha = np.zeros((*SIZE, 1), dtype=np.uint8)
        alpha[:60] = 255
        clear = segmenter.predict(np.concatenate([picture, alpha], axis=2))
        assert clear.mask[100:].all()  # transparent is laid on white, which is bright
        np.testing.assert_array_equal(clear.transparency, alpha[:, :, 0])

    @pytest.mark.parametrize(
        "wrong",
        [
            np.full((5, 5, 3), np.nan, dtype=np.float32),
            np.zeros((5, 5, 3), dtype=np.float64),
            np.zeros((5, 5, 3), dtype=np.int32),
            np.zeros((5, 5, 2), dtype=np.uint8),
            np.zeros((2, 5, 5, 3), dtype=np.uint8),
            np.zeros((0, 5, 3), dtype=np.uint8),
            b"",
            b"not a picture",
            "missing.jpg",
            Path("/"),
            None,
            7,
            ["a.jpg"],
            io.StringIO("text"),
        ],
    )
    def test_predict__what_is_no_picture_is_one_sentence(
        self, wrong: object, segmenter: Segmenter
    ) -> None:
        with pytest.raises(ImageError) as caught:
            segmenter.predict(cast("Any", wrong))
        assert len(str(caught.value).splitlines()) == 1

    def test_predict__turned_photographs_line_up(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        turned = Image.Exif()
        turned[0x0112] = 6
        content = as_file(np.rot90(picture), exif=turned)
        prediction = segmenter.predict(content)
        assert prediction.size == SIZE
        np.testing.assert_array_equal(prediction.image, picture)
        np.testing.assert_array_equal(prediction.mask, segmenter.predict(picture).mask)

    def test_predict__large_photographs_are_reduced_and_read_again_for_pixels(
        self, segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        large = np.full((600, 800, 3), 10, dtype=np.uint8)
        large[150:450, 200:600] = 240
        path = tmp_path / "photo.jpg"
        path.write_bytes(as_file(large, format="JPEG", quality=95))
        loaded: list[images.LoadedImage] = []
        load = images.load

        def watched(*arguments: Any, **settings: Any) -> images.LoadedImage:  # noqa: ANN401
            loaded.append(load(*arguments, **settings))
            return loaded[-1]

        monkeypatch.setattr(images, "load", watched)
        prediction = segmenter.predict(path)
        whole = segmenter.predict(path, full_size=True)
        assert [one.reduced for one in loaded] == [True, False]
        assert prediction.mask.shape == (600, 800)
        assert (prediction.mask != whole.mask).mean() < 0.01
        np.testing.assert_array_equal(prediction.image, whole.image)
        assert len(loaded) == 3
        assert prediction.image is prediction.image

    def test_prediction__of_a_file_that_changed_is_refused(
        self, segmenter: Segmenter, tmp_path: Path
    ) -> None:
        path = tmp_path / "photo.jpg"
        Image.new("RGB", (800, 600)).save(path)
        changed, gone = segmenter.predict(path), segmenter.predict(path)
        Image.new("RGB", (80, 60)).save(path)
        with pytest.raises(ImageError, match="has changed"):
            changed.cutout()
        path.unlink()
        with pytest.raises(ImageError, match="no such file"):
            gone.cutout()

    def test_prediction__of_a_file_with_another_picture_of_the_same_size_is_refused(
        self, segmenter: Segmenter, tmp_path: Path
    ) -> None:
        path = tmp_path / "photo.jpg"
        Image.new("RGB", (800, 600)).save(path)
        changed = segmenter.predict(path)
        selected = changed.under(CutoutEffect(largest=True))
        Image.new("RGB", (800, 600), (9, 200, 30)).save(path)
        for prediction in (changed, selected):
            with pytest.raises(ImageError, match=r"photo\.jpg: has changed since"):
                prediction.cutout()

    @pytest.mark.parametrize("opened", [False, True])
    def test_prediction__of_a_reduced_picture_that_was_loaded_reads_its_file_again(
        self, segmenter: Segmenter, tmp_path: Path, opened: bool
    ) -> None:
        path = tmp_path / "photo.jpg"
        Image.new("RGB", (800, 600), (250, 250, 250)).save(path)
        with path.open("rb") as file:
            loaded = segmenter.load(file if opened else path)
        assert loaded.reduced
        assert segmenter.predict(loaded).cutout().shape == (600, 800, 4)

    def test_predict__does_not_follow_later_changes_of_an_array(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        mine = picture.copy()
        prediction = segmenter.predict(mine)
        mine[:] = 0
        np.testing.assert_array_equal(prediction.image, picture)

    def test_shortcuts__are_those_of_the_prediction(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        prediction = segmenter.predict(picture)
        np.testing.assert_array_equal(segmenter.probability(picture), prediction.probability)
        np.testing.assert_array_equal(segmenter.mask(picture), prediction.mask)
        np.testing.assert_array_equal(segmenter.cutout(picture), prediction.cutout())
        np.testing.assert_array_equal(segmenter.blur(picture, 3.0), prediction.blur(3.0))
        np.testing.assert_array_equal(
            segmenter.composite(picture, (1, 2, 3)), prediction.composite((1, 2, 3))
        )

    def test_effects__keep_the_person_and_change_the_ground(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        prediction = segmenter.predict(picture)
        person, ground = (slice(50, 110), slice(38, 62)), (slice(0, 25), slice(0, 15))
        cut = prediction.cutout(refine=False)
        assert cut.shape == (*SIZE, 4)
        np.testing.assert_array_equal(cut[person][..., :3], picture[person])
        assert (cut[person][..., 3] == 255).all()
        assert not cut[ground][..., 3].any()
        np.testing.assert_array_equal(prediction.alpha, cut[..., 3])
        feathered = prediction.cutout(feather=8.0, refine=False)[..., 3]
        assert ((feathered > 0) & (feathered < 255)).sum() > 4 * ((cut[..., 3] % 255) > 0).sum()
        green = prediction.composite((0, 255, 0))
        np.testing.assert_array_equal(green[person], picture[person])
        assert (green[ground] == (0, 255, 0)).all()
        other = np.full((40, 30, 3), (9, 8, 7), dtype=np.uint8)
        for background in (other, Image.fromarray(other), as_file(other)):
            assert (prediction.composite(background)[ground] == (9, 8, 7)).all()
        np.testing.assert_array_equal(prediction.blur(2.0)[person], picture[person])
        assert prediction.overlay().shape == (*SIZE, 3)
        np.testing.assert_array_equal(prediction.overlay()[ground], picture[ground])

    @pytest.mark.parametrize(
        "background", [(1, 2), (0, 0, 256), (-1, 0, 0), (0.5, 0.5, 0.5), ("a", "b", "c")]
    )
    def test_composite__what_is_no_colour_is_refused(
        self,
        background: Any,  # noqa: ANN401
        segmenter: Segmenter,
        picture: Pixels,
    ) -> None:
        with pytest.raises(UsageError, match="background"):
            segmenter.composite(picture, background)

    def test_effects__numbers_that_are_none_are_refused(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        prediction: Any = segmenter.predict(picture)
        with pytest.raises(UsageError, match=r"feather: got -2\.0; must be at least 0"):
            prediction.cutout(feather=-2.0)
        with pytest.raises(UsageError, match=r"blur_radius: got 'x'; must be a number"):
            prediction.blur("x")


class TestModel:
    def test_segmenter__takes_the_bundled_model_by_default(
        self, brightness_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(model_directory, "bundled", lambda: brightness_model)
        assert Segmenter().model == Segmenter("bundled").model == brightness_model

    def test_segmenter__takes_the_models_settings_unless_told(
        self, make_model: MakeModel, brightness_onnx: OnnxFile
    ) -> None:
        model = make_model(
            onnx=brightness_onnx(), threshold=0.3, flip_averaging=True, sure_share=0.1
        )
        own = Segmenter(model)
        assert (own.threshold, own.flip_averaging, own.sure_share) == (0.3, True, 0.1)
        assert own.record is not None
        assert own.record.arch == "unet"
        told = Segmenter(model, threshold=0.7, flip_averaging=False, sure_share=0.0, threads=1)
        assert (told.threshold, told.flip_averaging, told.engine.threads) == (0.7, False, 1)
        assert told.sure_share == 0.0

    def test_sure_share__leaves_regions_out_on_every_way(self) -> None:
        """A block of probability 0.98 stays, one of 0.63 goes: alone, of many, in frames."""
        image = np.zeros((32, 32, 3), dtype=np.uint8)
        image[4:14, 4:14], image[18:28, 18:28] = 250, 160
        engine = FunctionEngine.of(red, (32, 32))
        segmenter = Segmenter.of_engine(engine, sure_share=0.2)
        with_all = Segmenter.of_engine(engine)
        expected = np.zeros((32, 32), dtype=np.bool_)
        expected[4:14, 4:14] = True
        assert with_all.mask(image).sum() == 200
        for prediction in (
            segmenter.predict(image),
            segmenter.predict(image, uncertainty=True),
            *segmenter.predict_many([image, image]),
            *segmenter.predict_stream([image, image], frame_rate=25.0),
        ):
            np.testing.assert_array_equal(prediction.mask, expected)
            assert prediction.coverage == 100 / 1024
        done = process_frames(
            segmenter,
            [image, image],
            size=(32, 32),
            rate=Fraction(25),
            effect=effect_of("mask"),
            smoothing=None,
        )
        for frame in done:
            np.testing.assert_array_equal(frame > 0, expected)

    @pytest.mark.parametrize("share", [-0.1, 1.5, "much", None, True])
    def test_sure_share__outside_0_to_1(self, share: object) -> None:
        engine = FunctionEngine.of(red, (32, 32))
        with pytest.raises(UsageError, match=r"^sure_share: got .*; give a number from 0 to 1\.$"):
            Segmenter.of_engine(engine, sure_share=share)  # type: ignore[arg-type]

    def test_flip_averaging__is_the_mean_with_the_mirrored_picture(self) -> None:
        ramp = np.linspace(0, 1, 6, dtype=np.float32)

        def leaning(images: Pixels) -> NDArray[np.float32]:
            return np.asarray(images[..., 0] / 510 + ramp / 2, dtype=np.float32)

        rng = np.random.default_rng(2)
        grids = rng.integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)
        engine = FunctionEngine.of(leaning, (4, 6))
        segmenter = Segmenter.of_engine(engine, flip_averaging=True)
        expected = grids[..., 0].astype(np.float32) / 510 + (ramp + ramp[::-1]) / 4
        for grid, wanted in zip(grids, expected, strict=True):
            np.testing.assert_allclose(segmenter.predict(grid).grid, wanted, atol=1e-6)
        many = [prediction.grid for prediction in segmenter.predict_many(list(grids))]
        np.testing.assert_allclose(many, expected, atol=1e-6)

    @pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), True, "0.5", (0.5,)])
    def test_segmenter__impossible_threshold_is_refused(
        self,
        threshold: Any,  # noqa: ANN401
        brightness_model: Path,
    ) -> None:
        with pytest.raises(UsageError, match=r"threshold: got .*; give a number from 0 to 1"):
            Segmenter(brightness_model, threshold=threshold)

    def test_segmenter__foreign_directory_is_refused(self, tmp_path: Path) -> None:
        for wrong in (tmp_path, tmp_path / "missing", Path(__file__)):
            with pytest.raises(ModelError if wrong == tmp_path else UsageError):
                Segmenter(wrong)

    def test_package__offers_the_names_lazily(self) -> None:
        assert {"Prediction", "Segmenter"} <= set(dir(humanseg))
        assert Prediction.__module__ == "humanseg.inference.prediction"
        with pytest.raises(AttributeError, match="no attribute 'Segmentor'"):
            humanseg.Segmentor  # noqa: B018


class _Waited(Future[Any]):
    """A call that is made when its result is asked for."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401
        if not self.done():
            try:
                self.set_result(self._call())
            except Exception as error:  # noqa: BLE001  as a pool of threads does
                self.set_exception(error)
        return super().result(timeout)


class _Patient:
    """In place of a pool of threads: slower than any reader."""

    begun: ClassVar[list[_Waited]] = []

    def __init__(self, *arguments: object, **settings: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: object) -> _Waited:
        self.begun.append(_Waited(lambda: work(*arguments)))
        return self.begun[-1]

    def shutdown(self, **settings: bool) -> None:
        pass


class TestMany:
    @pytest.fixture
    def pictures(self) -> list[Pixels]:
        """Each of a size of its own, by which its prediction is known again."""
        rng = np.random.default_rng(3)
        return [rng.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8) for number in range(19)]

    @pytest.mark.parametrize("batch_size", [1, 4, 8, 100])
    def test_many__are_those_of_one_by_one_in_order(
        self, batch_size: int, segmenter: Segmenter, pictures: list[Pixels]
    ) -> None:
        found = list(segmenter.predict_many(iter(pictures), batch_size=batch_size))
        assert [one.size for one in found] == [one.shape[:2] for one in pictures]
        for one, picture in zip(found, pictures, strict=True):
            np.testing.assert_array_equal(one.grid, segmenter.predict(picture).grid)
            assert one.source is picture

    def test_many__order_does_not_depend_on_decoding_times(
        self, segmenter: Segmenter, pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load = images.load

        def slow(source: Any, **settings: Any) -> images.LoadedImage:  # noqa: ANN401
            time.sleep(0.02 if len(source) % 2 else 0.0)
            return load(source, **settings)

        monkeypatch.setattr(images, "load", slow)
        found = list(segmenter.predict_many(pictures, batch_size=3))
        assert [one.size[0] for one in found] == [len(one) for one in pictures]

    def test_many__flip_averaging_is_that_of_one(
        self, flipping: Segmenter, pictures: list[Pixels]
    ) -> None:
        found = list(flipping.predict_many(pictures[:3]))
        for one, picture in zip(found, pictures[:3], strict=True):
            np.testing.assert_array_equal(one.grid, flipping.predict(picture).grid)

    def test_many__reads_no_more_than_two_batches_ahead(
        self, segmenter: Segmenter, pictures: list[Pixels]
    ) -> None:
        taken = 0

        def endless() -> Iterator[Pixels]:
            nonlocal taken
            for picture in itertools.cycle(pictures):
                taken += 1
                yield picture

        predictions = segmenter.predict_many(endless(), batch_size=4)
        assert taken == 0
        for number in range(1, 30):
            next(predictions)
            assert taken <= number + 3 * 4

    @pytest.mark.parametrize("kind", ["array", "PIL", "bytes", "path", "file"])
    @pytest.mark.parametrize("full_size", [False, True])
    def test_many__large_pictures_are_not_begun_all_at_once(
        self,
        kind: str,
        full_size: bool,
        segmenter: Segmenter,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Room for two of them; what is begun is decoded only when it is waited for."""
        _Patient.begun.clear()
        monkeypatch.setattr(stream, "_MOST_PIXELS", 20_000)
        monkeypatch.setattr(stream, "ThreadPoolExecutor", _Patient)
        pixels = np.full((100, 100, 3), 200, dtype=np.uint8)
        content = as_file(pixels)
        (tmp_path / "picture.png").write_bytes(content)
        make: dict[str, Callable[[], Any]] = {
            "array": lambda: pixels,
            "PIL": lambda: Image.fromarray(pixels),
            "bytes": lambda: content,
            "path": lambda: tmp_path / "picture.png",
            "file": lambda: io.BytesIO(content),
        }
        taken = 0

        def large() -> Iterator[Any]:
            nonlocal taken
            for _ in range(30):
                taken += 1
                yield make[kind]()

        predictions = segmenter.predict_many(large(), batch_size=8, full_size=full_size)
        for number in range(30):
            assert next(predictions).found
            kept = full_size or kind in ("array", "PIL")
            finished = sum(one.done() for one in _Patient.begun)
            assert len(_Patient.begun) - finished <= 2
            if kept:
                assert len(_Patient.begun) <= number + 1 + 2
            assert taken <= len(_Patient.begun) + 1
        assert next(predictions, None) is None

    def test_many__a_picture_beyond_the_room_is_read_alone(
        self, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _Patient.begun.clear()
        monkeypatch.setattr(stream, "_MOST_PIXELS", 500)
        monkeypatch.setattr(stream, "ThreadPoolExecutor", _Patient)
        shapes = [(10, 10), (40, 40), (10, 11), (10, 12), (60, 60), (70, 70)]
        mixed: list[Any] = [np.zeros((*shape, 3), dtype=np.uint8) for shape in shapes]
        mixed.insert(2, b"broken")
        errors: list[int] = []
        found = segmenter.predict_many(mixed, on_error=lambda number, _: errors.append(number))
        begun = {}
        for prediction in found:
            begun[prediction.size] = len(_Patient.begun)
        assert (list(begun), errors) == (shapes, [2])
        assert list(begun.values()) == [1, 2, 5, 5, 6, 7], "two small ones and the broken at once"

    def test_many__reduced_photographs_count_as_what_is_decoded(
        self, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A JPEG of 800x800 takes 100x100 where only a mask is wanted."""
        content = as_file(np.full((800, 800, 3), 200, dtype=np.uint8), format="JPEG")
        monkeypatch.setattr(stream, "_MOST_PIXELS", 40_000)
        monkeypatch.setattr(stream, "ThreadPoolExecutor", _Patient)
        for full_size, most in ((False, 3), (True, 1)):  # three: the first batch and two ahead
            _Patient.begun.clear()
            predictions = segmenter.predict_many([content] * 9, batch_size=1, full_size=full_size)
            next(predictions)
            assert len(_Patient.begun) == most

    def test_many__pixels_of_files_are_kept_only_if_wanted(
        self, segmenter: Segmenter, picture: Pixels, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = as_file(picture)
        without, *_ = segmenter.predict_many([content])
        kept, *_ = segmenter.predict_many([content], full_size=True)
        of_array, *_ = segmenter.predict_many([picture])
        loads = 0
        load = images.load

        def counted(*arguments: Any, **settings: Any) -> images.LoadedImage:  # noqa: ANN401
            nonlocal loads
            loads += 1
            return load(*arguments, **settings)

        monkeypatch.setattr(images, "load", counted)
        for one, expected in ((kept, 0), (of_array, 0), (without, 1)):
            loads = 0
            np.testing.assert_array_equal(one.image, picture)
            assert loads == expected

    def test_many__an_error_comes_at_its_place_and_the_rest_after_it(
        self, segmenter: Segmenter, pictures: list[Pixels]
    ) -> None:
        mixed: list[Any] = [pictures[0], b"broken", pictures[1], "missing.png", pictures[2]]
        predictions = segmenter.predict_many(mixed, batch_size=2)
        outcomes: list[Any] = []
        while True:
            try:
                outcomes.append(next(predictions).size[0])
            except StopIteration:
                break
            except ImageError as error:
                outcomes.append(type(error))
        assert outcomes == [20, ImageFormatError, 21, ImageError, 22]

    def test_many__on_error_gets_the_number_and_the_rest_goes_on(
        self, segmenter: Segmenter, pictures: list[Pixels]
    ) -> None:
        mixed: list[Any] = [b"broken", pictures[0], pictures[1], "missing.png"]
        told: list[tuple[int, str]] = []
        predictions = segmenter.predict_many(
            mixed, on_error=lambda number, error: told.append((number, str(error)))
        )
        assert [one.size[0] for one in predictions] == [20, 21]
        assert [number for number, _ in told] == [0, 3]
        assert "missing.png" in told[1][1]

    def test_many__an_error_of_the_caller_comes_through(self, segmenter: Segmenter) -> None:
        def failing() -> Iterator[Pixels]:
            yield np.zeros((4, 4, 3), dtype=np.uint8)
            raise RuntimeError("the camera is gone")

        with pytest.raises(RuntimeError, match="the camera is gone"):
            list(segmenter.predict_many(failing(), batch_size=1))

    @pytest.mark.parametrize("on_error", [None, lambda *_: None])
    def test_many__an_error_of_the_caller_comes_after_the_pictures_before_it(
        self,
        segmenter: Segmenter,
        on_error: Any,  # noqa: ANN401
    ) -> None:
        def failing() -> Iterator[Pixels]:
            yield from np.zeros((5, 4, 4, 3), dtype=np.uint8)
            raise RuntimeError("the camera is gone")

        predictions = segmenter.predict_many(failing(), batch_size=2, on_error=on_error)
        assert len([next(predictions) for _ in range(5)]) == 5
        with pytest.raises(RuntimeError, match="the camera is gone"):
            next(predictions)
        assert list(predictions) == []

    def test_many__threads_end_with_the_work(
        self, segmenter: Segmenter, pictures: list[Pixels]
    ) -> None:
        def readers() -> int:
            return sum("humanseg-reader" in one.name for one in threading.enumerate())

        before = readers()
        assert len(list(segmenter.predict_many(pictures))) == 19
        given_up = segmenter.predict_many(pictures, batch_size=2)
        next(given_up)
        del given_up
        limit = time.monotonic() + 5
        while readers() > before and time.monotonic() < limit:
            time.sleep(0.01)
        assert readers() <= before

    @pytest.mark.parametrize(
        "single", ["photo.jpg", Path("photo.jpg"), b"x", np.zeros((4, 4, 3), np.uint8), 5]
    )
    def test_many__a_single_picture_is_refused(self, single: object, segmenter: Segmenter) -> None:
        with pytest.raises(UsageError, match="use predict"):
            segmenter.predict_many(cast("Any", single))
        with io.BytesIO(b"x") as file, pytest.raises(UsageError, match="use predict"):
            segmenter.predict_many(file)

    def test_many__takes_an_array_of_pictures(self, segmenter: Segmenter) -> None:
        assert len(list(segmenter.predict_many(np.zeros((3, 8, 9, 3), np.uint8)))) == 3

    @pytest.mark.parametrize("batch_size", [0, "8", 1.5, True, None])
    def test_many__impossible_batch_size_is_refused(
        self,
        batch_size: Any,  # noqa: ANN401
        segmenter: Segmenter,
    ) -> None:
        with pytest.raises(UsageError, match=r"batch_size: got .*; give at least 1"):
            segmenter.predict_many([], batch_size=batch_size)

    def test_many__of_none_are_none(self, segmenter: Segmenter) -> None:
        assert list(segmenter.predict_many([])) == []


class TestThreads:
    def test_segmenter__eight_threads_get_what_one_gets(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        pictures = [np.roll(picture, 5 * number, axis=1) for number in range(8)]
        expected = [segmenter.predict(one).probability for one in pictures]
        together = threading.Barrier(8)

        def hammer(number: int) -> bool:
            together.wait()
            alone = (segmenter.predict(pictures[number]) for _ in range(15))
            many = segmenter.predict_many([pictures[number]] * 5, batch_size=2)
            return all(
                np.array_equal(one.probability, expected[number])
                for one in itertools.chain(alone, many)
            )

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(hammer, range(8)))


def test_documentation__its_examples_run(
    brightness_model: Path,
    picture: Pixels,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(model_directory, "bundled", lambda: brightness_model)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "beach.jpg", "photos/1.jpg", "photos/3.jpg"):
        Image.fromarray(picture).save(name)
    Path("photos/2.txt").write_text("no picture")
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    blocks = [block for block in blocks if "cv2" not in block]  # a test of its own
    assert len(blocks) == 6
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    with Image.open("person.png") as person:
        assert (person.mode, person.size) == ("RGBA", SIZE[::-1])
    said = capsys.readouterr().out
    assert "picture 1: photos/2.txt" in said
    assert "photos/3.jpg" in said


@pytest.mark.parametrize(
    ("threshold", "sure", "pixels", "found"),
    [
        (0.5, 0.91, 19, False),
        (0.5, 0.91, 20, True),
        (0.5, 0.89, 60, False),
        (0.3, 0.87, 20, True),  # 0.3 + 0.8 * 0.7 = 0.86
        (0.3, 0.85, 60, False),
    ],
)
def test_found__is_a_sure_region_of_two_in_a_thousand_pixels(
    threshold: float, sure: float, pixels: int, found: bool
) -> None:
    grid = np.zeros((100, 100), dtype=np.float32)
    grid[10:13, 10:90] = 0.6
    grid[11, 10 : 10 + pixels] = sure
    grid[50:80:2, 50:80:2] = 0.99  # 225 crumbs of one pixel are no person
    prediction = Prediction(
        grid=grid,
        size=(100, 100),
        threshold=threshold,
        source=np.zeros((100, 100, 3), dtype=np.uint8),
    )
    assert prediction.coverage == (240 + 225) / 10_000
    assert prediction.found is found


class TestFormsOfResults:
    def test_apply__by_name_is_apply_of_the_object(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        prediction = segmenter.predict(picture)
        np.testing.assert_array_equal(
            prediction.apply("cutout", feather=2.0), prediction.cutout(feather=2.0)
        )
        np.testing.assert_array_equal(prediction.apply("mask") == 255, prediction.mask)
        with pytest.raises(ConfigError, match=r"output: got 'cut-out'; allowed: mask"):
            prediction.apply(cast("Any", "cut-out"))

    def test_apply__settings_beside_an_object_are_refused(
        self, segmenter: Segmenter, picture: Pixels, tmp_path: Path
    ) -> None:
        prediction = segmenter.predict(picture)
        for call in (prediction.apply, partial(prediction.save, tmp_path / "x.png")):
            with pytest.raises(UsageError) as caught:
                call(CutoutEffect(), feather=50.0)
            assert str(caught.value) == (
                "feather: has no effect beside an object; give CutoutEffect(feather=...)."
            )

    def test_apply__what_is_no_effect_is_refused(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        with pytest.raises(UsageError, match=r"effect: got null; give a name such as 'cutout'"):
            segmenter.predict(picture).apply(cast("Any", None))

    def test_composite__on_a_colour_by_name(self, segmenter: Segmenter, picture: Pixels) -> None:
        prediction = segmenter.predict(picture)
        for colour in ("navy", "#000080", "0,0,128"):
            np.testing.assert_array_equal(
                prediction.composite(colour), prediction.composite((0, 0, 128))
            )

    def test_save__writes_what_apply_makes(
        self, segmenter: Segmenter, picture: Pixels, tmp_path: Path
    ) -> None:
        prediction = segmenter.predict(picture)
        prediction.save(tmp_path / "new" / "mask.png")
        prediction.save(str(tmp_path / "person.WEBP"), "cutout", feather=1.0)
        with Image.open(tmp_path / "new" / "mask.png") as image:
            np.testing.assert_array_equal(np.asarray(image) == 255, prediction.mask)
        with Image.open(tmp_path / "person.WEBP") as image:
            np.testing.assert_array_equal(np.asarray(image), prediction.cutout(feather=1.0))
        with pytest.raises(UsageError, match=r"x.pdf: give a name that ends in one of .png"):
            prediction.save(tmp_path / "x.pdf")
        with pytest.raises(UsageError, match="holds no transparency"):
            prediction.save(tmp_path / "x.jpg", "cutout")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "person.WEBP"]

    def test_arrays_of_attributes__are_read_only(
        self, segmenter: Segmenter, picture: Pixels
    ) -> None:
        clear = np.dstack([picture, np.full(SIZE, 200, dtype=np.uint8)])
        prediction = segmenter.predict(clear)
        for name in ("grid", "probability", "mask", "alpha", "image", "transparency"):
            array = getattr(prediction, name)
            with pytest.raises(ValueError, match="read-only"):
                array[0, 0] = 0
        picture[0, 0] = picture[0, 0]  # the caller's own stays as it was
        prediction.cutout()[0, 0] = 0

    @pytest.mark.parametrize(
        ("array", "hint"),
        [
            (np.zeros((4, 5, 1), dtype=np.uint8), r"give array\[:, :, 0\]"),
            (np.zeros((3, 4, 5), dtype=np.uint8), "move the channels to the end"),
        ],
    )
    def test_arrays_of_other_libraries__have_a_hint(
        self, segmenter: Segmenter, array: Pixels, hint: str
    ) -> None:
        with pytest.raises(ImageError, match=hint):
            segmenter.predict(array)

    def test_tensor__has_a_hint(self, segmenter: Segmenter) -> None:
        torch = pytest.importorskip("torch")
        tensor = torch.ones(3, 8, 9)
        with pytest.raises(ImageError, match=r"Tensor is not a picture.*permute\(1, 2, 0\)"):
            segmenter.predict(cast("Any", tensor))
        pixels = (255 * tensor).round().byte().permute(1, 2, 0).cpu().numpy()
        assert segmenter.predict(pixels).mask.all()

    def test_address__is_a_sentence(self, segmenter: Segmenter) -> None:
        with pytest.raises(ImageError, match=r"https://example.org/x.jpg: is an address; download"):
            segmenter.predict("https://example.org/x.jpg")


def _moving(count: int) -> Iterator[Pixels]:
    """A bright block that flickers beside the threshold."""
    for number in range(count):
        frame = np.full((*SIZE, 3), 20, dtype=np.uint8)
        frame[40:120, 30:70] = 125 if number % 2 else 131
        yield frame


class TestStream:
    def test_stream__without_smoothing_is_predict(self, segmenter: Segmenter) -> None:
        for frame, prediction in zip(
            _moving(3), segmenter.predict_stream(_moving(3), smoothing=False), strict=True
        ):
            np.testing.assert_array_equal(prediction.grid, segmenter.predict(frame).grid)
            np.testing.assert_array_equal(prediction.image, frame)

    def test_stream__is_smoothed_as_videos_are(self, segmenter: Segmenter) -> None:
        smoother = Smoother()
        expected = [
            smoother.update(
                segmenter.predict(frame).grid,
                resize_image(frame, segmenter.image_size),
                seconds=1 / 25,
            )
            for frame in _moving(6)
        ]
        made = [p.grid for p in segmenter.predict_stream(_moving(6), frame_rate=25.0)]
        np.testing.assert_array_equal(made, expected)
        alone = [p.mask for p in segmenter.predict_stream(_moving(6), smoothing=False)]
        changes = [int((after != before).sum()) for before, after in itertools.pairwise(alone)]
        assert min(changes) > 1000  # it does flicker

    def test_stream__a_single_frame_is_refused(self, segmenter: Segmenter) -> None:
        with pytest.raises(UsageError, match="use predict"):
            segmenter.predict_stream(np.zeros((4, 5, 3), np.uint8))

    @pytest.mark.parametrize("rate", [0, "30", -5, float("nan"), float("inf"), True])
    def test_stream__impossible_rate_is_refused(self, segmenter: Segmenter, rate: Any) -> None:  # noqa: ANN401
        with pytest.raises(UsageError, match=r"frame_rate: got .*; give a number above 0"):
            segmenter.predict_stream([], frame_rate=rate)

    def test_stream__takes_a_frame_at_a_time(self, segmenter: Segmenter) -> None:
        taken: list[int] = []

        def frames() -> Iterator[Pixels]:
            for number, frame in enumerate(_moving(5)):
                taken.append(number)
                yield frame

        stream = segmenter.predict_stream(frames())
        assert taken == []
        next(stream)
        assert taken == [0]

    def test_example_of_the_documentation__runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
        example = next(
            block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "cv2" in block
        )
        frames, shown = _moving(3), []

        class Camera:
            def read(self) -> tuple[bool, Pixels | None]:
                frame = next(frames, None)
                return frame is not None, frame

        cv2 = SimpleNamespace(
            VideoCapture=lambda _: Camera(),
            imshow=lambda _, image: shown.append(image.shape),
            waitKey=lambda _: -1,
        )
        monkeypatch.setitem(sys.modules, "cv2", cv2)
        exec(example, {})
        assert shown == [(*SIZE, 3)] * 3


def _coverage(segmenter: Segmenter) -> float:
    pixels = np.zeros((*SIZE, 3), dtype=np.uint8)
    pixels[:100] = 255
    return segmenter.predict(pixels).coverage


@pytest.mark.contract
class TestProcesses:
    @pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
    def test_pickled__opens_its_model_anew(self, brightness_model: Path, backend: Any) -> None:  # noqa: ANN401
        pytest.importorskip(backend)
        segmenter = Segmenter(brightness_model, backend=backend, threads=1, threshold=0.4)
        copy = pickle.loads(pickle.dumps(segmenter))
        assert copy.engine is not segmenter.engine
        assert (copy.engine.name, copy.engine.threads, copy.threshold) == (backend, 1, 0.4)
        assert _coverage(copy) == _coverage(segmenter)

    def test_pickled_engine_of_a_function(self) -> None:
        segmenter = Segmenter.of_engine(FunctionEngine.of(_bright, (32, 32)))
        assert _coverage(pickle.loads(pickle.dumps(segmenter))) == _coverage(segmenter)

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
    def test_other_process__predicts_too(
        self,
        brightness_model: Path,
        method: str,
        backend: Any,  # noqa: ANN401
    ) -> None:
        pytest.importorskip(backend)
        if method not in multiprocessing.get_all_start_methods():
            pytest.skip("this system does not fork")
        segmenter = Segmenter(brightness_model, backend=backend, threads=2)
        here = _coverage(segmenter)
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(_coverage, segmenter).result(timeout=120) == here

    def test_log__says_which_engine_was_chosen(
        self, brightness_model: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("INFO", logger="humanseg"):
            Segmenter(brightness_model, backend="onnxruntime", threads=1)
        message = caplog.records[-1].getMessage()
        assert message.endswith("onnxruntime fp32 on cpu, 1 threads (asked for)")


def _bright(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(images.mean(axis=3) / 255.0, dtype=np.float32)
