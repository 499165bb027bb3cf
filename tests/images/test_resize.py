from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from humanseg.images import resize
from humanseg.images.resize import (
    resize_image,
    resize_mask,
    resize_mask_from_probability,
    resize_mask_nearest,
    resize_probability,
    resize_probability_bands,
    size_within,
)

sides = st.integers(1, 40)


@given(sides, sides, sides, sides)
@settings(max_examples=30)
def test_resize__any_size_to_any_size(height: int, width: int, rows: int, columns: int) -> None:
    image = np.zeros((height, width, 3), dtype=np.uint8)
    assert resize_image(image, (rows, columns)).shape == (rows, columns, 3)
    mask = np.ones((height, width), dtype=bool)
    assert resize_mask(mask, (rows, columns)).all()
    assert resize_mask_nearest(mask, (rows, columns)).all()
    probability = np.full((height, width), 0.25, dtype=np.float32)
    np.testing.assert_allclose(resize_probability(probability, (rows, columns)), 0.25, atol=1e-6)


def test_size_within__shrinks_and_never_enlarges() -> None:
    assert size_within((1000, 500), 480) == (480, 240)
    assert size_within((20, 10), 480) == (20, 10)
    assert size_within((1, 5000), 288) == (1, 288)


def test_resize_probability__equals_torch_bilinear_when_enlarging() -> None:
    values = np.random.default_rng(0).random((9, 13), dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (31, 40), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resize_probability(values, (31, 40)), expected[0, 0], atol=1e-5)


def _map(seed: int, height: int, width: int) -> NDArray[np.float32]:
    """Smooth, cut into steps that ties fall on, or a single value."""
    rng = np.random.default_rng(seed)
    values = rng.random((height, width), dtype=np.float32)
    steps = (np.round(values * 4) / 4, np.round(values), np.full_like(values, 0.5), values)
    return np.asarray(steps[seed % 4], dtype=np.float32)


@given(st.integers(0, 999), sides, sides, st.integers(1, 130), st.integers(1, 130))
@settings(max_examples=80)
def test_resize_probability__equals_pillows_bilinear(
    seed: int, height: int, width: int, rows: int, columns: int
) -> None:
    values = _map(seed, height, width)
    expected = Image.fromarray(values).resize((columns, rows), Image.Resampling.BILINEAR)
    resized = resize_probability(values, (rows, columns))
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, np.asarray(expected), rtol=0, atol=1.2e-7)


@given(
    st.integers(0, 999),
    sides,
    sides,
    st.integers(1, 130),
    st.integers(1, 130),
    st.sampled_from([0.5, 0.25, 0.3, 0.75, 1.0, 0.0, -0.1, 1.1]),
)
@settings(max_examples=150)
def test_resize_mask_from_probability__equals_the_cut_map(
    seed: int, height: int, width: int, rows: int, columns: int, threshold: float
) -> None:
    values = _map(seed, height, width)
    expected = resize_probability(values, (rows, columns)) >= threshold
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resize, "_SMALL", 0)
        mask = resize_mask_from_probability(values, (rows, columns), threshold)
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("size", [(1_500, 2_001), (2, 30_000), (30_000, 2), (1, 1)])
def test_resize_mask_from_probability__large_and_thin(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[:320, :320]
    distance = np.hypot(rows - 150, (columns - 170) * 1.4) - 90 + 9 * np.sin(columns / 5)
    values = (1 / (1 + np.exp(distance / 2))).astype(np.float32)
    expected = resize_probability(values, size) >= 0.5
    np.testing.assert_array_equal(resize_mask_from_probability(values, size, 0.5), expected)


def test_resize_mask_from_probability__without_numbers_is_background() -> None:
    values = np.full((320, 320), 0.9, dtype=np.float32)
    values[:, 100] = np.nan
    mask = resize_mask_from_probability(values, (1_000, 1_001), 0.5)
    np.testing.assert_array_equal(mask, resize_probability(values, (1_000, 1_001)) >= 0.5)
    assert not mask.all()


@given(st.integers(0, 999), sides, sides, sides, sides, sides)
@settings(max_examples=60)
def test_resize_probability_bands__together_are_the_whole(
    seed: int, height: int, width: int, rows: int, columns: int, step: int
) -> None:
    values = _map(seed, height, width)
    parts = list(resize_probability_bands(values, (rows, columns), rows=step))
    whole = resize_probability(values, (rows, columns))
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), whole)
    assert [span.start for span, _ in parts] == list(range(0, rows, step))
    assert parts[-1][0].stop == rows


def test_resize_mask__halves_by_area() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[:, 4:] = True
    np.testing.assert_array_equal(resize_mask(mask, (4, 4)), mask[::2, ::2])


def test_resize_mask__stays_centred_where_nearest_shifts() -> None:
    mask = np.zeros((100, 100), dtype=bool)
    mask[31:69, 31:69] = True  # centred, as is the picture

    def centre(values: np.ndarray) -> float:
        rows = np.flatnonzero(values.any(axis=1))
        return float((rows[0] + rows[-1] + 1) / 2 / len(values))

    assert centre(resize_mask(mask, (40, 40))) == 0.5
    assert centre(resize_mask_nearest(mask, (40, 40))) > 0.5


def test_resize_mask_nearest__takes_the_top_left_pixel() -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[0, 0] = mask[3, 3] = True
    np.testing.assert_array_equal(
        resize_mask_nearest(mask, (2, 2)), [[True, False], [False, False]]
    )


@given(st.integers(0, 999), sides, sides, sides, sides, st.sampled_from([np.flipud, np.fliplr]))
@settings(max_examples=60)
def test_resize__of_mirrored_is_mirrored(
    seed: int, height: int, width: int, rows: int, columns: int, mirror: Callable[..., Any]
) -> None:
    values, size = _map(seed, height, width), (rows, columns)
    resized = resize_probability(values, size)
    np.testing.assert_allclose(
        resize_probability(np.ascontiguousarray(mirror(values)), size), mirror(resized), atol=2e-6
    )
    image = np.asarray(np.repeat(values[..., None] * 255, 3, axis=2), dtype=np.uint8)
    levels = resize_image(np.ascontiguousarray(mirror(image)), size).astype(int)
    assert np.abs(levels - mirror(resize_image(image, size))).max() <= 1
    mask = values >= 0.5
    soft = resize_probability(mask.astype(np.float32), size)
    clear = np.abs(soft - 0.5) > 0.01  # Pillow calculates masks in eight bits
    np.testing.assert_array_equal(resize_mask(mask, size)[clear], soft[clear] >= 0.5)
    mirrored = mirror(resize_mask(np.ascontiguousarray(mirror(mask)), size))
    np.testing.assert_array_equal(mirrored[clear], soft[clear] >= 0.5)


@given(st.integers(0, 999), sides, sides, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=40)
def test_resize_mask_nearest__there_and_back(
    seed: int, height: int, width: int, down: int, right: int
) -> None:
    mask = _map(seed, height, width) >= 0.5
    enlarged = resize_mask_nearest(mask, (down * height, right * width))
    np.testing.assert_array_equal(enlarged, np.kron(mask, np.ones((down, right), dtype=bool)))
    np.testing.assert_array_equal(resize_mask_nearest(enlarged, mask.shape), mask)


@given(st.data(), st.integers(6, 30), st.integers(6, 30))
@settings(max_examples=60)
def test_resize__a_box_comes_back_from_a_grid_three_times_as_fine(
    data: st.DataObject, height: int, width: int
) -> None:
    mask = np.zeros((height, width), dtype=bool)
    top, left = data.draw(st.integers(0, height - 2)), data.draw(st.integers(0, width - 2))
    bottom = data.draw(st.integers(top + 2, height))
    right = data.draw(st.integers(left + 2, width))
    mask[top:bottom, left:right] = True
    fine = (data.draw(st.integers(3 * height, 150)), data.draw(st.integers(3 * width, 150)))
    back = resize_mask(resize_mask(mask, fine), mask.shape)
    np.testing.assert_array_equal(back, mask)
    cut = resize_mask_from_probability(mask.astype(np.float32), fine, 0.5)
    np.testing.assert_array_equal(resize_mask(cut, mask.shape), mask)


def test_resize_mask_from_probability__calculates_whole_maps_of_small_sizes_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.zeros((320, 320), dtype=np.float32)
    values[:, 160:] = 1

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the whole map")

    monkeypatch.setattr(resize, "resize_probability", refuse)
    mask = resize_mask_from_probability(values, (1_000, 1_000), 0.5)
    assert mask[:, 500:].all()
    assert not mask[:, :500].any()
    with pytest.raises(AssertionError, match="the whole map"):
        resize_mask_from_probability(values, (1_000, 999), 0.5)


def test_mix_rows__runs_between_the_same_two_rows_by_hand() -> None:
    """Centres of ten rows in two: 0.1, 0.3, ... 1.9; from 0.5 to 1.5 two rows are mixed."""
    mixing = resize._mix_rows(2, 10)
    runs = list(mixing.rows_of_equal_sources())
    assert runs == [slice(0, 2), slice(2, 7), slice(7, 10)]
    np.testing.assert_allclose(mixing.share_below[2:7], [0.0, 0.2, 0.4, 0.6, 0.8], atol=1e-12)
    np.testing.assert_allclose(mixing.share_above, 1 - mixing.share_below, atol=1e-12)


def test_few_rows__hold_sixteen_thousand_values() -> None:
    assert [resize._few_rows((9, width)) for width in (100, 16_384, 30_000)] == [163, 1, 1]
