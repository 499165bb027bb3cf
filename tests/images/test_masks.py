from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from humanseg.images import read_grey, read_mask

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
VOC = [*BLACK, 128, 0, 0, 0, 128, 0, 192, 128, 128]


def stored(image: Image.Image, **options: Any) -> bytes:  # noqa: ANN401  Pillow's own
    stream = io.BytesIO()
    image.save(stream, **({"format": "PNG"} | options))
    return stream.getvalue()


@pytest.fixture
def person() -> NDArray[np.bool_]:
    mask = np.zeros((64, 48), bool)
    mask[10:50, 20:34] = True
    return mask


def as_read(image: Image.Image, **options: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    return read_mask(stored(image, **options))


def test_read_mask__zero_one_and_zero_255_mean_the_same(person: NDArray[np.bool_]) -> None:
    for factor in (1, 255):
        image = Image.fromarray(person.astype(np.uint8) * np.uint8(factor))
        np.testing.assert_array_equal(as_read(image), person)


def test_read_mask__black_is_empty() -> None:
    assert not as_read(Image.new("L", (3, 3), 0)).any()


def painted(person: NDArray[np.bool_], inside: Any, outside: Any) -> Image.Image:  # noqa: ANN401
    pixels = np.where(person[..., None], np.uint8(inside), np.uint8(outside))
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.mark.parametrize("inside", [WHITE, (220, 220, 220), (255, 0, 0), (60, 200, 90)])
@pytest.mark.parametrize("way", ["quantize", "gif", "inverse"])
def test_read_mask__palettes_of_two_colours_mean_what_is_seen(
    inside: tuple[int, int, int], way: str, person: NDArray[np.bool_]
) -> None:
    image = painted(person, inside, BLACK)
    if way == "gif":
        np.testing.assert_array_equal(as_read(image, format="GIF"), person)
    elif way == "quantize":
        np.testing.assert_array_equal(as_read(image.quantize(2)), person)
    else:
        indices = Image.fromarray((~person).astype(np.uint8)).convert("P")
        indices.putpalette([*inside, *BLACK])
        np.testing.assert_array_equal(as_read(indices), person)


def test_read_mask__grey_palettes_keep_soft_edges(person: NDArray[np.bool_]) -> None:
    greys = np.where(person, 255, 0).astype(np.uint8)
    greys[9, 20:34], greys[50, 20:34] = 100, 160
    indexed = Image.fromarray(greys).convert("RGB").quantize(8)
    assert indexed.getpalette() != list(range(256))
    np.testing.assert_array_equal(read_grey(stored(indexed)), greys)


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2], [0, 3], [0], [2]])
def test_read_grey__class_palettes_give_indices(classes: list[int]) -> None:
    indices = np.array([classes], dtype=np.uint8)
    image = Image.fromarray(indices).convert("P")
    image.putpalette(VOC)
    np.testing.assert_array_equal(read_grey(stored(image)), indices)


def test_read_grey__a_palette_that_was_never_filled_gives_indices() -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    image.putpalette([0] * 6)
    np.testing.assert_array_equal(read_grey(stored(image)), [[0, 1]])


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
@pytest.mark.parametrize("colour", [0, 255])
def test_read_mask__what_only_the_opacity_draws(
    mode: str, colour: int, person: NDArray[np.bool_]
) -> None:
    opacity = Image.fromarray(person.astype(np.uint8) * 255)
    if mode == "P":
        image = Image.fromarray(person.astype(np.uint8)).convert("P")
        image.putpalette([colour] * 6)
        np.testing.assert_array_equal(as_read(image, transparency=0), person)
        return
    image = Image.new("L", opacity.size, colour).convert(mode)
    image.putalpha(opacity)
    np.testing.assert_array_equal(as_read(image), person)


def test_read_mask__colours_count_where_more_than_one_is_seen(person: NDArray[np.bool_]) -> None:
    image = painted(person, WHITE, BLACK).convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    np.testing.assert_array_equal(as_read(image), person)


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 15, 16])
def test_read_mask__of_fewer_bits_in_sixteen(bits: int, person: NDArray[np.bool_]) -> None:
    values = person.astype(np.uint16) * np.uint16(2**bits - 1)
    np.testing.assert_array_equal(as_read(Image.fromarray(values)), person)


def test_read_grey__numbers_of_instances_are_not_brightness() -> None:
    values = np.array([[0, 1001, 1002]], dtype=np.uint16)
    assert read_grey(stored(Image.fromarray(values))).max() < 128
