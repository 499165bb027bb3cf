from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from humanseg.effects import rasters
from humanseg.effects.background_blur import reduction
from humanseg.effects.compositing import (
    blur_background,
    composite,
    cover,
    cutout,
    feathered,
    overlay,
    read_background,
    soft_alpha,
)
from humanseg.images.resize import resize_mask_from_probability, resize_probability
from humanseg.system.errors import ImageError, UsageError

Picture = NDArray[np.uint8]


def _ellipse(size: tuple[int, int], *, softness: float = 0.0) -> Picture:
    """Alpha of somebody in the middle."""
    height, width = size
    drawn = Image.new("L", (width, height))
    box = (width * 0.35, height * 0.2, width * 0.65, height * 0.9)
    ImageDraw.Draw(drawn).ellipse(box, fill=255)
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(softness)))


def _plain(size: tuple[int, int], colour: tuple[int, int, int]) -> Picture:
    return np.full((*size, 3), colour, dtype=np.uint8)


def _noise(size: tuple[int, int], seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def _blended(person: Picture, ground: Picture, alpha: Picture) -> Picture:
    share = alpha[..., None] / 255.0
    return np.asarray(np.rint(person * share + ground * (1.0 - share)), dtype=np.uint8)


# Alpha


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([0.2, 0.37, 0.5, 0.8]),
    st.integers(0, 9),
)
@settings(max_examples=60)
def test_soft_alpha__half_is_where_the_mask_ends(
    height: int, width: int, threshold: float, seed: int
) -> None:
    probability = np.random.default_rng(seed).random((9, 7), dtype=np.float32)
    alpha = soft_alpha(probability, (height, width), threshold=threshold)
    mask = resize_mask_from_probability(probability, (height, width), threshold)
    assert alpha.shape == (height, width)
    np.testing.assert_array_equal(alpha >= 128, mask)


@pytest.mark.parametrize(
    ("threshold", "probability", "alpha"),
    [
        (0.5, 0.25, 0),
        (0.5, 0.375, 64),
        (0.5, 0.5, 128),
        (0.5, 0.625, 191),
        (0.5, 0.75, 255),
        (0.2, 0.1, 0),
        (0.2, 0.4, 191),
        (0.2, 0.6, 255),
        (0.8, 0.6, 64),
        (0.8, 0.9, 255),
        (1.0, 0.9, 102),
        (1.0, 0.4, 0),
        (0.0, 0.9, 255),
    ],
)
def test_soft_alpha__levels(threshold: float, probability: float, alpha: int) -> None:
    given_map = np.full((2, 2), probability, dtype=np.float32)
    found = soft_alpha(given_map, (3, 3), threshold=threshold)
    assert np.abs(found.astype(int) - alpha).max() <= 1


def test_soft_alpha__nobody_stays_nobody() -> None:
    probability = np.random.default_rng(0).random((20, 20), dtype=np.float32) * 0.24
    assert not soft_alpha(probability, (100, 90)).any()


def test_soft_alpha__bands_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    probability = np.random.default_rng(0).random((9, 7), dtype=np.float32)
    whole = soft_alpha(probability, (50, 40))
    monkeypatch.setattr(rasters, "BAND_PIXELS", 130)
    np.testing.assert_array_equal(soft_alpha(probability, (50, 40)), whole)


@pytest.mark.parametrize("feather", [3.0, 10.0])
def test_feathered__a_hard_edge_becomes_a_ramp_of_that_many_pixels(feather: float) -> None:
    alpha = np.zeros((40, 200), dtype=np.uint8)
    alpha[:, 100:] = 255
    row = feathered(alpha, feather)[20].astype(int)
    inside = (row > 0) & (row < 255)
    first, last = np.flatnonzero(inside)[[0, -1]]
    assert abs(100 - first - feather) <= 1
    assert abs(last + 1 - 100 - feather) <= 1
    steps = np.diff(row[first : last + 1])
    assert steps.max() - steps.min() <= 1, "the ramp is straight"
    np.testing.assert_array_equal(feathered(alpha, 0.0), alpha)


def test_feathered__a_person_cut_by_the_border_stays_opaque_there() -> None:
    alpha = np.full((30, 30), 255, dtype=np.uint8)
    assert feathered(alpha, 8.0).min() == 255


@pytest.mark.parametrize(
    "feather",
    [31, 1e4, 3e9, 1e300, pytest.param(10**400, id="huge"), np.float32(5e9), np.int64(99)],
)
def test_feathered__beyond_the_picture_counts_as_its_longer_side(feather: float) -> None:
    alpha = _ellipse((20, 30))
    np.testing.assert_array_equal(feathered(alpha, feather), feathered(alpha, 30.0))


# Cut-out


@pytest.mark.parametrize("decontaminate", [False, True])
def test_cutout__is_not_darkened(decontaminate: bool) -> None:
    """(200, 150, 100) at half coverage, laid on white, is (227, 202, 177)."""
    image = _plain((20, 20), (200, 150, 100))
    alpha = np.full((20, 20), 128, dtype=np.uint8)
    cut = cutout(image, alpha, decontaminate=decontaminate)
    white = Image.new("RGBA", (20, 20), (255, 255, 255, 255))
    laid = np.asarray(Image.alpha_composite(white, Image.fromarray(cut)))[..., :3].astype(int)
    assert np.abs(laid - (227, 202, 177)).max() <= 1


def test_cutout__keeps_the_person_and_nothing_of_the_ground() -> None:
    alpha = _ellipse((90, 120), softness=2.0)
    person, ground = _plain((90, 120), (220, 30, 40)), _plain((90, 120), (20, 250, 90))
    image = _blended(person, ground, alpha)
    cut = cutout(image, alpha)
    np.testing.assert_array_equal(cut[..., 3], alpha)
    np.testing.assert_array_equal(cut[alpha == 255, :3], image[alpha == 255])
    hidden = cut[alpha == 0, :3].astype(int)
    assert hidden[:, 1].max() < 100, "green under what is transparent"
    plain = cutout(image, alpha, decontaminate=False)
    np.testing.assert_array_equal(plain[alpha > 0, :3], image[alpha > 0])
    assert not plain[alpha == 0].any()


def test_cutout__bands_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = _ellipse((90, 120), softness=2.0)
    image = _noise((90, 120))
    whole = cutout(image, alpha)
    monkeypatch.setattr(rasters, "BAND_PIXELS", 1000)
    np.testing.assert_array_equal(cutout(image, alpha), whole)


# Another background


def test_composite__shows_the_person_on_the_new_ground_without_the_old() -> None:
    alpha = _ellipse((90, 120), softness=2.0)
    person, ground = _plain((90, 120), (220, 30, 40)), _plain((90, 120), (20, 250, 90))
    image = _blended(person, ground, alpha)
    wanted = _blended(person, _plain((90, 120), (0, 0, 255)), alpha).astype(int)
    rim = (alpha > 0) & (alpha < 255)
    clean = np.abs(composite(image, alpha, (0, 0, 255)) - wanted)[rim].mean()
    raw = np.abs(composite(image, alpha, (0, 0, 255), decontaminate=False) - wanted)[rim].mean()
    assert clean < raw / 4, f"{clean:.1f} levels, {raw:.1f} as it was"


def test_composite__the_ground_is_all_there() -> None:
    """An opaque background is opaque, and a colour is that colour."""
    alpha = _ellipse((60, 80), softness=1.5)
    out = composite(_noise((60, 80)), alpha, (12, 200, 77))
    assert out.shape == (60, 80, 3)
    assert (out[alpha == 0] == (12, 200, 77)).all()
    picture = _noise((60, 80), seed=1)
    np.testing.assert_array_equal(
        composite(_noise((60, 80)), alpha, picture)[alpha == 0], picture[alpha == 0]
    )


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=60)
def test_composite__mixes_to_the_nearest_level(front: int, back: int, level: int) -> None:
    image = _plain((2, 2), (front, front, front))
    alpha = np.full((2, 2), level, dtype=np.uint8)
    out = composite(image, alpha, (back, back, back), decontaminate=False)
    assert abs(int(out[0, 0, 0]) - (front * level + back * (255 - level)) / 255) <= 1.0


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 50), st.integers(1, 50))
@settings(max_examples=60)
def test_cover__any_size_for_any_size(height: int, width: int, rows: int, columns: int) -> None:
    scaled = cover(_plain((rows, columns), (9, 80, 200)), (height, width))
    assert scaled.shape == (height, width, 3)
    assert (scaled == (9, 80, 200)).all()


def test_cover__keeps_proportions_and_cuts_evenly() -> None:
    background = np.zeros((100, 300, 3), dtype=np.uint8)
    background[:, 100:200] = 255  # the middle third
    assert cover(background, (50, 50))[:, 2:-2].min() == 255
    wide = cover(background, (50, 100))
    assert wide[:, 30:70].min() == 255
    assert wide[:, :20].max() == 0
    assert wide[:, 80:].max() == 0


def test_cover__bands_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    background = _noise((37, 53))
    whole = cover(background, (120, 100))
    monkeypatch.setattr(rasters, "BAND_PIXELS", 700)
    assert np.abs(cover(background, (120, 100)).astype(int) - whole).max() <= 1


@pytest.mark.parametrize(
    "background",
    [
        (1, 2),
        (0, 0, 256),
        (-1, 0, 0),
        (0.5, 0.5, 0.5),
        (255.0, 0.0, 0.0),
        ("a", "b", "c"),
        (True, False, False),
        "crimsn",
        "300,0,0",
        "#ff000080",
        7,
        None,
        np.zeros((4, 4, 2), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_read_background__none(background: Any) -> None:  # noqa: ANN401
    with pytest.raises((UsageError, ImageError), match="background: "):
        read_background(background)


@pytest.mark.parametrize(
    ("written", "colour"),
    [
        ("white", (255, 255, 255)),
        ("#20a040", (32, 160, 64)),
        ("32,160,64", (32, 160, 64)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        ([np.uint8(1), 2, 3], (1, 2, 3)),
        (tuple(np.array([1, 2, 3], dtype=np.uint8)), (1, 2, 3)),
    ],
)
def test_read_background__colours(written: Any, colour: tuple[int, int, int]) -> None:  # noqa: ANN401
    assert read_background(written) == colour


def test_read_background__reads_files_and_pillow_images(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (9, 8, 7)).save(tmp_path / "beach.png")
    path = tmp_path / "beach.png"
    for image in (path, str(path), path.read_bytes(), Image.open(path)):
        read = read_background(image)
        assert isinstance(read, np.ndarray)
        assert read.shape == (2, 3, 3)
        assert (read == (9, 8, 7)).all()


# Blur


@pytest.mark.parametrize("radius", [2.0, 6.0, 25.0, None])
@pytest.mark.parametrize("softness", [0.0, 3.0])
def test_blur_background__nobody_bleeds_into_it(radius: float | None, softness: float) -> None:
    """A red person on grey leaves no red, and no dark or bright seam, in the blurred ground."""
    size = (240, 320)
    alpha = _ellipse(size, softness=softness)
    image = _blended(_plain(size, (255, 0, 0)), _plain(size, (128, 128, 128)), alpha)
    out = blur_background(image, alpha, radius).astype(int)
    assert np.abs(out[alpha == 0] - 128).max() <= 1
    np.testing.assert_array_equal(out[alpha == 255], image[alpha == 255])
    share = alpha[..., None] / 255.0
    assert np.abs(out - (image * share + 128 * (1 - share))).max() <= 2


def test_blur_background__blurs_as_a_gaussian_of_that_radius() -> None:
    """Far from anybody, an edge is blurred as Pillow's Gaussian blurs it."""
    image = np.zeros((200, 300, 3), dtype=np.uint8)
    image[:, 150:] = 240
    alpha = np.zeros((200, 300), dtype=np.uint8)
    for radius in (3.0, 8.0, 14.0):
        wanted = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))
        out = blur_background(image, alpha, radius)
        assert np.abs(out.astype(int) - wanted).max() <= 6


def test_blur_background__ground_beside_a_person_is_as_bright_as_it_was() -> None:
    size = (200, 300)
    y, x = np.mgrid[: size[0], : size[1]]
    ground = np.repeat((60 + x * 0.4 + y * 0.1)[..., None], 3, axis=2).astype(np.uint8)
    alpha = _ellipse(size)
    image = np.where(alpha[..., None] > 0, np.uint8(0), ground)
    out = blur_background(image, alpha, 10.0).astype(int)
    assert np.abs(out - ground)[alpha == 0].max() <= 12, "no halo"


@pytest.mark.parametrize("level", [0, 100, 255])
def test_blur_background__with_everybody_or_nobody(level: int) -> None:
    image = _plain((40, 60), (10, 120, 240))
    alpha = np.full((40, 60), level, dtype=np.uint8)
    assert np.abs(blur_background(image, alpha).astype(int) - image).max() <= 1


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.1, 200.0))
@settings(max_examples=40)
def test_blur_background__any_size_any_radius(height: int, width: int, radius: float) -> None:
    image = _plain((height, width), (10, 120, 240))
    alpha = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    assert np.abs(blur_background(image, alpha, radius).astype(int) - image).max() <= 1


def test_blur_background__bands_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    alpha, image = _ellipse((120, 90), softness=2.0), _noise((120, 90))
    whole = blur_background(image, alpha, 10.0)
    monkeypatch.setattr(rasters, "BAND_PIXELS", 900)
    assert np.abs(blur_background(image, alpha, 10.0).astype(int) - whole).max() <= 1


def _blurred_strip(column: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A Gaussian along the first axis, borders repeated: the reference, written out."""
    reach = math.ceil(3.0 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(column, ((reach, reach), (0, 0)), mode="edge")
    blurred = [np.convolve(line, weights / weights.sum(), mode="valid") for line in padded.T]
    return np.stack(blurred, axis=-1)


@pytest.mark.parametrize("width", [1, 2, 3, 7])
@pytest.mark.parametrize("radius", [2.0, 6.0, 20.0, 60.0])
@pytest.mark.parametrize("lying", [False, True])
def test_blur_background__of_a_strip_is_a_gaussian_along_it(
    width: int, radius: float, lying: bool
) -> None:
    """As it is of any picture; within a cell of the ends, cells are less exact."""
    steps = np.repeat(np.random.default_rng(0).integers(0, 256, (40, 3)), 50, axis=0)
    image = np.repeat(steps[:, None], width, axis=1).astype(np.uint8)
    wanted = _blurred_strip(steps.astype(float), radius)
    if lying:
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
    out = blur_background(image, np.zeros(image.shape[:2], dtype=np.uint8), radius)
    along = out.transpose(1, 0, 2) if lying else out
    errors = np.abs(along - wanted[:, None])
    assert errors.max() <= 12
    assert errors[int(radius) : -int(radius)].max() <= 4


@pytest.mark.parametrize("size", [(30_000, 2), (2, 30_000), (65_500, 1), (1, 65_500), (1, 1)])
@pytest.mark.parametrize("radius", [None, 3e9])
def test_blur_background__a_strip_takes_memory_for_its_pixels_and_no_more(
    size: tuple[int, int], radius: float | None
) -> None:
    image, alpha = _noise(size), np.zeros(size, dtype=np.uint8)
    alpha[size[0] // 2, size[1] // 2] = 255
    cells = math.prod(-(-side // by) for side, by in zip(size, reduction(size, 600.0), strict=True))
    assert cells <= 300
    tracemalloc.start()
    try:
        out = blur_background(image, alpha, radius)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert out.shape == (*size, 3)
    assert peak <= 1_000_000 + 20 * image.size


def test_reduction__leaves_no_more_than_some_million_pixels() -> None:
    for size in ((10_000, 10_000), (100_000_000, 1), (1, 100_000_000), (3, 30_000_000)):
        down, across = reduction(size, 0.5)
        assert -(-size[0] // down) * -(-size[1] // across) <= 4_100_000
        assert max(down, across) % min(down, across) == 0


@pytest.mark.parametrize(
    "radius", [31, 3e9, 1e300, pytest.param(10**400, id="huge"), np.float32(5e9)]
)
def test_blur_background__a_radius_beyond_the_picture_counts_as_its_longer_side(
    radius: float,
) -> None:
    image, alpha = _noise((20, 30)), _ellipse((20, 30))
    np.testing.assert_array_equal(
        blur_background(image, alpha, radius), blur_background(image, alpha, 30.0)
    )


# Overlay


def test_overlay__tints_people_only() -> None:
    alpha, image = _ellipse((60, 80)), _plain((60, 80), (100, 100, 100))
    out = overlay(image, alpha)
    np.testing.assert_array_equal(out[alpha == 0], image[alpha == 0])
    assert np.abs(out[alpha == 255].astype(int) - (178, 50, 114)).max() <= 1
    assert (image == 100).all()


def test_soft_alpha__lines_up_with_the_probability() -> None:
    """A block drawn on the grid is where it was in the picture, to the pixel."""
    probability = np.zeros((32, 32), dtype=np.float32)
    probability[8:24, 4:12] = 1.0
    alpha = soft_alpha(probability, (320, 640))
    rows, columns = np.nonzero(alpha >= 128)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (80, 240, 80, 240)
    full = resize_probability(probability, (320, 640))
    np.testing.assert_array_equal(alpha == 0, full <= 0.25)
