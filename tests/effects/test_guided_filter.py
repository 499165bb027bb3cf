from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from humanseg.effects import rasters
from humanseg.effects.guided_filter import refine
from humanseg.images.resize import resize_probability


def _mean(values: NDArray[np.floating[Any]], radius: int) -> NDArray[np.float64]:
    side = 2 * radius + 1
    size = (side, side) + (1,) * (values.ndim - 2)
    return np.asarray(ndimage.uniform_filter(values, size, mode="nearest"), dtype=np.float64)


def _textbook(
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    radius: int,
    epsilon: float,
    *,
    every_window: bool,
) -> NDArray[np.float64]:
    """The guided filter as He et al. write it down, one linear system per pixel.

    Unless `every_window`, a window's weight rises from 0 to 1 with R^2, from 0.5 to 0.9.
    """
    guide = np.asarray(image / 255.0, dtype=np.float64)
    p = probability.astype(np.float64)
    mean, level = _mean(guide, radius), _mean(p, radius)
    pairs = _mean(guide[..., :, None] * guide[..., None, :], radius)
    covariance = pairs - mean[..., :, None] * mean[..., None, :] + epsilon * np.eye(3)
    right = _mean(guide * p[..., None], radius) - mean * level[..., None]
    slopes = np.linalg.solve(covariance, right[..., None])[..., 0]
    offset = level - (slopes * mean).sum(axis=-1)
    variance = _mean(p * p, radius) - level**2
    explained = np.einsum("hwi,hwi->hw", slopes, right) / np.maximum(variance, 1e-5)
    t = np.interp(explained, (0.5, 0.9), (0.0, 1.0))
    weight = np.ones_like(t) if every_window else 3 * t**2 - 2 * t**3
    votes = (_mean(weight[..., None] * slopes, radius) * guide).sum(axis=-1)
    result = votes + _mean(weight * offset, radius) + (1 - _mean(weight, radius)) * p
    return np.asarray(np.clip(result, 0.0, 1.0), dtype=np.float64)


def test_refine__equals_the_textbook_where_nothing_is_reduced() -> None:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((40, 56, 3)), (3, 3, 0))
    image = np.asarray(smooth * 400 - 70, dtype=np.uint8)
    probability = ndimage.gaussian_filter(rng.random((40, 56)), 4).astype(np.float32)
    for radius, epsilon in ((1, 1e-2), (4, 1e-4), (6, 1e-3)):
        expected = _textbook(image, probability, radius, epsilon, every_window=False)
        refined = refine(image, probability, radius=radius, epsilon=epsilon)
        np.testing.assert_allclose(refined, expected, atol=2e-3)
        expected = _textbook(image, probability, radius, epsilon, every_window=True)
        refined = refine(image, probability, radius=radius, epsilon=epsilon, trusted=(-2, -1))
        np.testing.assert_allclose(refined, expected, atol=2e-3)


def _scene(size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A person-like blob of another colour, same brightness as its ground."""
    drawn = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((size[1] * 0.3, size[0] * 0.1, size[1] * 0.6, size[0] * 0.9), fill=255)
    draw.rectangle((size[1] * 0.5, size[0] * 0.4, size[1] * 0.8, size[0] * 0.5), fill=255)
    mask = np.asarray(drawn) > 0
    image = np.where(mask[..., None], (180, 90, 90), (90, 130, 90)).astype(np.float64)
    noise = np.random.default_rng(1).normal(0.0, 4.0, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), dtype=np.uint8), mask


def test_refine__finds_the_pictures_own_edge() -> None:
    image, truth = _scene((480, 640))
    coarse = np.asarray(
        Image.fromarray(truth.astype(np.float32)).resize((40, 30), Image.Resampling.BOX)
    )
    plain = resize_probability(coarse, truth.shape) >= 0.5
    refined = refine(image, coarse, radius=6) >= 0.5
    wrong, left = np.count_nonzero(plain != truth), np.count_nonzero(refined != truth)
    assert left < 0.4 * wrong, f"{left} pixels wrong, {wrong} without refinement"


def test_refine__leaves_an_outline_beside_which_edges_lie_everywhere() -> None:
    """Leaves behind a dark jacket: colour does not say where the person ends, so nothing frays."""
    truth = np.zeros((240, 320), dtype=np.float32)
    truth[:, 160:] = 1.0
    leaves = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=truth.shape), 2.0)
    image = np.where(truth > 0.0, 60.0, 80.0) + leaves / leaves.std() * 20.0
    guide = np.clip(image, 0.0, 255.0).astype(np.uint8)[..., None].repeat(3, axis=2)
    coarse = resize_probability(truth, (30, 40))
    plain = resize_probability(coarse, truth.shape)
    changed = np.abs(refine(guide, coarse) - plain)
    assert changed.max() < 0.1  # of He's own filter 0.5, in some 400 pixels more than 0.1


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.0, 1.0, width=32))
@settings(max_examples=30)
def test_refine__an_even_probability_stays(height: int, width: int, level: float) -> None:
    """Nothing is stretched to full scale, whatever the picture shows, and any size will do."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    refined = refine(image, np.full((8, 8), level, dtype=np.float32), side=32)
    assert refined.shape == (height, width)
    assert refined.dtype == np.float32
    np.testing.assert_allclose(refined, level, atol=1e-4)


def test_refine__bands_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = _scene((150, 200))
    coarse = resize_probability(truth.astype(np.float32), (20, 20))
    whole = refine(image, coarse, side=64)
    monkeypatch.setattr(rasters, "BAND_PIXELS", 1500)
    np.testing.assert_allclose(refine(image, coarse, side=64), whole, atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 3, 7, 8, 31])
def test_window_sums__any_side(side: int) -> None:
    values = np.random.default_rng(0).random((3, 35, 40))
    view = np.lib.stride_tricks.sliding_window_view(values, (side, side), axis=(1, 2))
    np.testing.assert_allclose(rasters.window_sums(values, side), view.sum(axis=(-1, -2)))
