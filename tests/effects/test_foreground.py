from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from humanseg.effects import foreground
from humanseg.effects.foreground import estimate_foreground

Picture = NDArray[np.uint8]


def _blend(
    size: tuple[int, int], *, softness: float, noise: float = 4.0
) -> tuple[Picture, Picture, NDArray[np.float64]]:
    """A picture mixed of a known person and a known ground; alpha; the person's colour."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float64)
    person = np.dstack([190 + 30 * np.sin(x / 40), 70 + 30 * np.cos(y / 30), 60 + 0 * x])
    ground = np.dstack([50 + 30 * np.sin(x / 90), 130 + 40 * np.cos(y / 70), 200 + 0 * x])
    rng = np.random.default_rng(0)
    person, ground = (
        np.clip(values + rng.normal(0.0, noise, values.shape), 0, 255)
        for values in (person, ground)
    )
    drawn = Image.new("L", (width, height))
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((width * 0.3, height * 0.1, width * 0.6, height * 0.95), fill=255)
    draw.rectangle((width * 0.5, height * 0.4, width * 0.8, height * 0.5), fill=255)
    alpha = np.asarray(drawn.filter(ImageFilter.GaussianBlur(softness)))
    share = alpha[..., None] / 255.0
    image = np.rint(share * person + (1.0 - share) * ground).astype(np.uint8)
    return image, alpha, person


def _error(
    estimate: NDArray[np.generic], person: NDArray[np.float64], where: NDArray[np.bool_]
) -> float:
    return float(np.abs(np.asarray(estimate, dtype=np.float64) - person)[where].mean())


@pytest.mark.parametrize("softness", [1.0, 3.0, 6.0])
def test_estimate_foreground__colour_error_at_the_rim_falls_fourfold(softness: float) -> None:
    image, alpha, person = _blend((360, 480), softness=softness)
    rim = (alpha > 0) & (alpha < 255)
    before, after = (
        _error(image, person, rim),
        _error(estimate_foreground(image, alpha), person, rim),
    )
    assert after < before / 4, f"{after:.1f} levels, {before:.1f} in the picture"


def _blur_fusion(image: Picture, alpha: Picture) -> NDArray[np.float64]:
    """The paper's two passes at full size."""
    share = alpha[..., None] / 255.0
    front = back = image.astype(np.float64)
    for side in (88, 7):

        def blur(values: NDArray[np.float64], side: int = side) -> NDArray[np.float64]:
            return np.asarray(ndimage.uniform_filter(values, (side, side, 1), mode="nearest"))

        weight = blur(share)
        front = blur(front * share) / (weight + 1e-5)
        back = blur(back * (1.0 - share)) / (1.0 - weight + 1e-5)
        corrected = front + share * (image - share * front - (1.0 - share) * back)
        front = np.clip(corrected, 0.0, 255.0)
    return front


def test_estimate_foreground__is_blur_fusion() -> None:
    image, alpha, _ = _blend((360, 480), softness=4.0)
    rim = (alpha > 8) & (alpha < 255)
    ours, papers = estimate_foreground(image, alpha), _blur_fusion(image, alpha)
    difference = np.abs(ours - papers)[rim]
    assert difference.mean() < 1.0
    assert np.quantile(difference, 0.99) < 4.0


def test_estimate_foreground__inside_the_picture_stays() -> None:
    image, alpha, _ = _blend((200, 300), softness=2.0)
    before = image.copy()
    estimate = estimate_foreground(image, alpha)
    np.testing.assert_array_equal(estimate[alpha == 255], image[alpha == 255])
    np.testing.assert_array_equal(image, before)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 255), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_estimate_foreground__a_plain_picture_keeps_its_colour(
    height: int, width: int, level: int, seed: int
) -> None:
    """One colour everywhere, whatever alpha says: there is nothing to take away but rounding.

    Measured as it shows over another ground: where hardly any person is, hardly any is seen.
    """
    colour = np.array([level, 255 - level, 7], dtype=np.uint8)
    image = np.broadcast_to(colour, (height, width, 3)).copy()
    alpha = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    estimate = estimate_foreground(image, alpha).astype(int)
    seen = np.abs(estimate - colour) * (alpha[..., None] / 255.0)
    assert seen.max() < 2.0


@pytest.mark.parametrize("level", [0, 255])
def test_estimate_foreground__without_a_rim_nothing_changes(level: int) -> None:
    image, _, _ = _blend((50, 60), softness=1.0)
    alpha = np.full((50, 60), level, dtype=np.uint8)
    np.testing.assert_array_equal(estimate_foreground(image, alpha), image)


def test_estimate_foreground__grows_with_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of twice the size, with windows of twice the size, gives the same colours."""
    image, alpha, person = _blend((240, 320), softness=3.0, noise=0.0)
    double = tuple(np.repeat(np.repeat(values, 2, axis=0), 2, axis=1) for values in (image, alpha))
    small = estimate_foreground(image, alpha).astype(int)
    monkeypatch.setattr(foreground, "_LONG", 320)
    large = estimate_foreground(double[0], double[1])[::2, ::2].astype(int)
    rim = (alpha > 0) & (alpha < 255)
    assert np.abs(large - small)[rim].mean() < 1.0
    assert _error(large, person, rim) < _error(image, person, rim) / 4
