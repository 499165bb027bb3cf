"""Predictions as other libraries take them, and made of what other libraries give."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.builders.segmenters import BrightIsPerson

from humanseg import Prediction
from humanseg.effects.effect import CutoutEffect
from humanseg.system.errors import ImageError, UsageError

PICTURE = np.full((30, 40, 3), 90, np.uint8)


def _left_half() -> NDArray[np.bool_]:
    mask = np.zeros((30, 40), np.bool_)
    mask[:, :20] = True
    return mask


class TestFromOthers:
    @pytest.mark.parametrize(
        "given",
        [
            _left_half(),
            _left_half().astype(np.uint8) * 255,
            _left_half().astype(np.uint8),
            _left_half().astype(np.float32),
            _left_half().astype(np.float64).tolist(),
        ],
        ids=["bool", "uint8", "uint8 of 0 and 1", "float32", "lists"],
    )
    def test_a_mask_of_any_kind(self, given: object) -> None:
        prediction = Prediction.of(PICTURE, given)  # type: ignore[arg-type]
        assert np.array_equal(prediction.mask, _left_half())
        assert prediction.coverage == 0.5
        cutout = prediction.cutout()
        assert cutout[15, 5].tolist() == [90, 90, 90, 255]
        assert cutout[15, 35, 3] == 0

    def test_a_tensor_of_torch_is_not_copied(self) -> None:
        torch = pytest.importorskip("torch")
        tensor = torch.from_numpy(_left_half().astype(np.float32))
        prediction = Prediction.of(PICTURE, tensor)
        assert np.shares_memory(prediction.grid, tensor.numpy())

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            (np.zeros((3, 4, 1)), r"got shape \(3, 4, 1\); give one of \(height, width\)"),
            (np.full((3, 4), 2.5), "got values beyond 0 to 1; give probabilities, no logits"),
            (np.full((3, 4), np.nan), "got values beyond 0 to 1"),
            (np.zeros((3, 4), np.int64), "got int64; give floats from 0 to 1, bool, or uint8"),
        ],
    )
    def test_anything_else_is_refused(self, given: NDArray[np.float64], sentence: str) -> None:
        with pytest.raises(UsageError, match=sentence):
            Prediction.of(PICTURE, given)

    @pytest.mark.parametrize("threshold", [2, -1, float("nan"), "x", None])
    def test_impossible_threshold_is_refused(self, threshold: Any) -> None:  # noqa: ANN401
        with pytest.raises(UsageError, match=r"threshold: got .*; give a number from 0 to 1"):
            Prediction.of(PICTURE, _left_half(), threshold=threshold)


class TestToOthers:
    def test_numpy_takes_the_mask(self) -> None:
        prediction = Prediction.of(PICTURE, _left_half())
        assert np.array_equal(np.asarray(prediction), _left_half())
        assert np.asarray(prediction, dtype=np.float32).sum() == 600

    def test_dlpack_shares_the_probability(self) -> None:
        prediction = Prediction.of(PICTURE, _left_half().astype(np.float32))
        shared = np.from_dlpack(prediction)
        assert np.shares_memory(shared, prediction.probability)
        torch = pytest.importorskip("torch")
        tensor = torch.from_dlpack(prediction)
        assert tensor.data_ptr() == prediction.probability.ctypes.data
        assert tuple(tensor.shape) == (30, 40)

    @pytest.mark.parametrize(
        ("effect", "mode"), [("cutout", "RGBA"), ("mask", "L"), ("overlay", "RGB")]
    )
    def test_pillow(self, effect: str, mode: str) -> None:
        image = Prediction.of(PICTURE, _left_half()).to_pil(effect)  # type: ignore[arg-type]
        assert (image.mode, image.size) == (mode, (40, 30))

    def test_pillow__settings_beside_an_object_are_refused(self) -> None:
        with pytest.raises(UsageError, match="feather: has no effect beside an object"):
            Prediction.of(PICTURE, _left_half()).to_pil(CutoutEffect(), feather=2.0)


class TestNotebook:
    def test_shows_image_overlay_and_cutout_on_a_board(self) -> None:
        bundle = Prediction.of(PICTURE, _left_half())._repr_mimebundle_()
        assert bundle.keys() == {"text/plain", "text/html", "image/png"}
        assert "40x30 pixels; 50.0% person" in bundle["text/html"]
        assert "<script" not in bundle["text/html"]
        png = np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))))
        assert png.shape == (30, 3 * 40 + 2 * 4, 3)
        picture, overlay, cutout = png[:, :40], png[:, 44:84], png[:, 88:]
        assert np.array_equal(picture, PICTURE)
        assert not np.array_equal(overlay[:, :15], PICTURE[:, :15])
        assert cutout[15, 5].tolist() == [90, 90, 90]
        assert {tuple(pixel) for pixel in cutout[:, 30:].reshape(-1, 3).tolist()} == {
            (255, 255, 255),
            (204, 204, 204),
        }

    def test_words_are_escaped_and_kinds_chosen(self) -> None:
        prediction = Prediction.of(PICTURE, np.zeros((30, 40)))
        prediction.notes = ("a <b> & c",)
        bundle = prediction._repr_mimebundle_(include={"text/html", "text/plain"})
        assert bundle.keys() == {"text/html", "text/plain"}
        assert "nobody found; a &lt;b&gt; &amp; c" in bundle["text/html"]
        assert prediction._repr_mimebundle_(exclude={"image/png", "text/html"}).keys() == {
            "text/plain"
        }

    def test_a_file_that_has_gone_leaves_words(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        Image.new("RGB", (400, 300)).save(path)  # decoded at a reduced scale
        prediction = BrightIsPerson().predict(path)
        path.unlink()
        bundle = prediction._repr_mimebundle_()
        assert bundle.keys() == {"text/plain", "text/html"}
        assert "no such file" in bundle["text/html"]


class TestAsyncio:
    def test_pictures_are_predicted_beside_other_tasks(self) -> None:
        segmenter = BrightIsPerson()

        async def both() -> list[Prediction]:
            return list(await asyncio.gather(*(segmenter.apredict(PICTURE) for _ in range(2))))

        first, second = asyncio.run(both())
        assert np.array_equal(first.grid, second.grid)
        assert threading.get_ident() not in segmenter.threads

    def test_errors_arrive_where_they_are_awaited(self) -> None:
        with pytest.raises(ImageError, match="no such file"):
            asyncio.run(BrightIsPerson().apredict("nowhere.png"))

    def test_a_cancelled_task_stops_waiting(self) -> None:
        class Slow(BrightIsPerson):
            def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
                begun.set()
                release.wait(10)
                return super().find(image)

        begun, release = threading.Event(), threading.Event()

        async def cancelled() -> bool:
            task = asyncio.create_task(Slow().apredict(PICTURE))
            await asyncio.to_thread(begun.wait, 10)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return not release.is_set()
            finally:
                release.set()
            return False

        assert asyncio.run(cancelled())
