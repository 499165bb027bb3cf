from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from humanseg.geometry import resize_image, resize_mask, resize_mask_nearest, resize_probability

sides = st.integers(1, 40)


@given(sides, sides, sides, sides)
@settings(max_examples=30, deadline=None)
def test_resize__any_size_to_any_size(height: int, width: int, rows: int, columns: int) -> None:
    image = np.zeros((height, width, 3), dtype=np.uint8)
    assert resize_image(image, (rows, columns)).shape == (rows, columns, 3)
    mask = np.ones((height, width), dtype=bool)
    assert resize_mask(mask, (rows, columns)).all()
    assert resize_mask_nearest(mask, (rows, columns)).all()
    probability = np.full((height, width), 0.25, dtype=np.float32)
    np.testing.assert_allclose(resize_probability(probability, (rows, columns)), 0.25, atol=1e-6)


def test_resize_probability__equals_torch_bilinear_when_enlarging() -> None:
    values = np.random.default_rng(0).random((9, 13), dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (31, 40), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resize_probability(values, (31, 40)), expected[0, 0], atol=1e-5)


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
