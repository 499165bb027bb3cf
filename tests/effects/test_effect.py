from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from humanseg.effects import compositing
from humanseg.effects.effect import Effect, ReplaceEffect, effect_of
from humanseg.effects.guided_filter import refine
from humanseg.effects.regions import keep_regions
from humanseg.effects.rendering import multiplied
from humanseg.images import LoadedImage, load
from humanseg.images.resize import resize_probability
from humanseg.inference.prediction import Prediction
from humanseg.system.errors import ImageError, UsageError

SIZE = (150, 210)
OUTPUTS: dict[str, dict[str, Any]] = {
    "mask": {},
    "probability": {},
    "cutout": {},
    "blur": {},
    "replace": {"background": (10, 20, 200)},
    "overlay": {},
}


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def probability() -> NDArray[np.float32]:
    """One person, another smaller one, on a grid of 64x64."""
    drawn = Image.new("L", (64, 64))
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((12, 10, 30, 60), fill=255)
    draw.ellipse((48, 20, 56, 32), fill=255)
    soft = drawn.filter(ImageFilter.GaussianBlur(1.0))
    return np.asarray(soft, dtype=np.float32) / np.float32(255.0)


def applied(
    effect: Effect,
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    *,
    alpha_in: NDArray[np.uint8] | None = None,
    size: tuple[int, int] | None = None,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The effect on an image of a prediction; `size` where it was decoded at a reduced scale."""
    full = size or (image.shape[0], image.shape[1])
    picture = LoadedImage(image, full, alpha_in, (), reduced=size is not None)
    prediction = Prediction(
        grid=probability, size=full, threshold=0.5, source=image, picture=picture
    )
    return prediction.apply(effect)


def _effect(output: str, **settings: object) -> Effect:
    return effect_of(output=output, **{**OUTPUTS[output], **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("output", "shape", "dtype"),
    [
        ("mask", SIZE, np.uint8),
        ("probability", SIZE, np.uint16),
        ("cutout", (*SIZE, 4), np.uint8),
        ("blur", (*SIZE, 3), np.uint8),
        ("replace", (*SIZE, 3), np.uint8),
        ("overlay", (*SIZE, 3), np.uint8),
    ],
)
@pytest.mark.parametrize("refined", [False, True])
def test_apply__shape_and_type_of_every_output(
    output: str,
    shape: tuple[int, ...],
    dtype: type,
    refined: bool,
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
) -> None:
    pixels, values = image.copy(), probability.copy()
    pixels.setflags(write=False)
    values.setflags(write=False)
    out = applied(_effect(output, refine=refined), pixels, values)
    assert out.shape == shape
    assert out.dtype == dtype
    assert out.flags.writeable, "it is the caller's own"


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_apply__mask_is_the_probability_cut(
    threshold: float, image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    full = resize_probability(probability, SIZE)
    mask = applied(_effect("mask", threshold=threshold), image, probability)
    np.testing.assert_array_equal(mask, np.where(full >= threshold, 255, 0))
    refined = applied(_effect("mask", threshold=threshold, refine=True), image, probability)
    expected = refine(image, probability) >= threshold
    np.testing.assert_array_equal(refined, np.where(expected, 255, 0))


def test_apply__probability_has_sixteen_bits(
    image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    levels = applied(_effect("probability"), image, probability)
    full = resize_probability(probability, SIZE)
    assert np.abs(levels / 65535.0 - full).max() <= 0.5 / 65535 + 1e-7
    everywhere = np.ones((4, 4), dtype=np.float32)
    assert (applied(_effect("probability"), image, everywhere) == 65535).all()


def test_apply__cutout_is_that_of_compositing(
    image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    for threshold, feather, decontaminate in ((0.5, 0.0, True), (0.3, 4.0, False)):
        settings = {"threshold": threshold, "feather": feather, "decontaminate": decontaminate}
        out = applied(_effect("cutout", **settings), image, probability)
        hard = compositing.soft_alpha(probability, SIZE, threshold=threshold)
        alpha = compositing.feathered(hard, feather)
        expected = compositing.cutout(image, alpha, decontaminate=decontaminate)
        np.testing.assert_array_equal(out, expected)


def test_apply__background_and_blur_reach_the_picture(
    image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    alpha = compositing.soft_alpha(probability, SIZE)
    replaced = applied(_effect("replace", background=(1, 2, 3)), image, probability)
    assert (replaced[alpha == 0] == (1, 2, 3)).all()
    blurred = applied(_effect("blur", blur_radius=3.0), image, probability)
    np.testing.assert_array_equal(blurred, compositing.blur_background(image, alpha, 3.0))
    default = applied(_effect("blur"), image, probability)
    radius = SIZE[1] * compositing.BLUR_SHARE
    np.testing.assert_array_equal(default, compositing.blur_background(image, alpha, radius))


@pytest.mark.parametrize("output", OUTPUTS)
def test_apply__largest_drops_the_other_person(
    output: str, image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    alone = keep_regions(probability, largest=True)
    out = applied(_effect(output, largest=True), image, probability)
    np.testing.assert_array_equal(out, applied(_effect(output), image, alone))
    small = applied(_effect(output, smallest_region=0.05), image, probability)
    np.testing.assert_array_equal(small, out)
    assert (out != applied(_effect(output), image, probability)).any()


@pytest.mark.parametrize("output", ["mask", "probability"])
def test_apply__a_picture_decoded_at_a_reduced_scale(
    output: str, image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    """Where the picture's own pixels are not needed, those of a smaller copy do as well."""
    effect = _effect(output)
    assert not effect.needs_image
    small = image[::2, ::2]
    np.testing.assert_array_equal(
        applied(effect, small, probability, size=SIZE), applied(effect, image, probability)
    )
    refining = _effect(output, refine=True)
    assert refining.needs_image
    with pytest.raises(ImageError, match="has changed since"):  # it is read again, at full size
        applied(refining, small, probability, size=SIZE)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.sampled_from(sorted(OUTPUTS)))
@settings(max_examples=60)
def test_apply__any_size(height: int, width: int, grid: int, output: str) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    values = rng.random((grid, grid), dtype=np.float32)
    out = applied(_effect(output, largest=True, refine=grid % 2 == 0), picture, values)
    assert out.shape[:2] == (height, width)


def test_apply__nobody_gives_an_empty_cutout(image: NDArray[np.uint8]) -> None:
    low = np.random.default_rng(0).random((64, 64), dtype=np.float32) * np.float32(0.2)
    for refined in (False, True):
        assert not applied(_effect("cutout", refine=refined), image, low).any()
        assert not applied(_effect("mask", refine=refined), image, low).any()


# Pictures that are transparent themselves


def _transparent() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A red square of half opacity in the middle of nothing, as `images` gives it."""
    rgba = np.zeros((40, 40, 4), dtype=np.uint8)
    rgba[10:30, 10:30] = (200, 40, 30, 128)
    picture = load(rgba)
    assert picture.alpha is not None
    return picture.pixels, picture.alpha


@pytest.mark.parametrize("decontaminate", [False, True])
def test_apply__a_transparent_picture_stays_transparent(decontaminate: bool) -> None:
    pixels, alpha = _transparent()
    certain = np.ones((8, 8), dtype=np.float32)
    out = applied(_effect("cutout", decontaminate=decontaminate), pixels, certain, alpha_in=alpha)
    np.testing.assert_array_equal(out[..., 3], alpha)
    inner = out[12:28, 12:28, :3].astype(int)
    assert np.abs(inner - (200, 40, 30)).max() <= 2, "without the white that it was laid on"


def test_apply__alpha_is_the_product() -> None:
    pixels, alpha = _transparent()
    half = np.full((8, 8), 0.5, dtype=np.float32)
    out = applied(_effect("cutout"), pixels, half, alpha_in=alpha)
    assert set(np.unique(out[..., 3])) == {0, 64}
    replaced = applied(
        _effect("replace", background=(0, 0, 255), decontaminate=False),
        pixels,
        np.ones((8, 8), dtype=np.float32),
        alpha_in=alpha,
    )
    assert (replaced[:10] == (0, 0, 255)).all()
    assert np.abs(replaced[15, 15].astype(int) - (100, 20, 142)).max() <= 2


@given(st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=200)
def test_multiplied__rounds_to_the_nearest(first: int, second: int) -> None:
    one, other = (np.full((1, 1), level, dtype=np.uint8) for level in (first, second))
    assert multiplied(one, other)[0, 0] == round(first * second / 255)


# What may be asked for


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"output": "matte"}, "output: got 'matte'; allowed: mask, probability"),
        ({"output": "replace"}, "needs a background"),
        (
            {"output": "cutout", "background": (0, 0, 0)},
            "background: .* belongs to output replace; got output cutout",
        ),
        ({"output": "mask", "blur_radius": 3.0}, "blur_radius: .* belongs to output blur"),
        ({"output": "mask", "feather": 2.0}, "belongs to output cutout, blur, replace"),
        ({"output": "blur", "decontaminate": False}, "belongs to output cutout, replace"),
        ({"output": "replace", "background": (0, 0, 300)}, "from 0 to 255"),
        ({"output": "replace", "background": (0.5, 0.5, 0.5)}, "three whole numbers"),
        (
            {"output": "replace", "background": "beach.jpg"},
            "got 'beach.jpg'; give a colour",
        ),
        ({"output": "blur", "blur_radius": 0.0}, "blur_radius: got 0.0; must be above 0"),
        ({"output": "blur", "blur_radius": "x"}, "blur_radius: got 'x'; must be a number"),
        ({"output": "cutout", "feather": -2.0}, "feather: got -2.0; must be at least 0"),
        ({"output": "cutout", "feather": float("inf")}, "must be a finite number"),
        ({"output": "cutout", "smallest_region": 1.0}, "must be at least 0 and below 1"),
        ({"output": "cutout", "threshold": 1.2}, "must be at least 0 and at most 1"),
        ({"output": "cutout", "threshold": float("nan")}, "threshold: got nan"),
        ({"output": "cutout", "colour": 3}, "colour: unknown key"),
    ],
)
def test_effect__impossible(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        effect_of(**settings)
    assert len(str(caught.value).splitlines()) == 1


def test_effect__all_problems_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        effect_of("cutout", feather=-1.0, threshold=2.0)
    assert [text.partition(":")[0] for text in str(caught.value).splitlines()] == [
        "threshold",
        "feather",
    ]


def test_effect__by_itself_is_none() -> None:
    with pytest.raises(UsageError, match="use effect_of"):
        Effect(output="mask")


@pytest.mark.parametrize("output", ["cutout", "blur", "replace"])
def test_apply__a_feather_of_any_length(
    output: str, image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    out = applied(_effect(output, feather=3e9), image, probability)
    longest = applied(_effect(output, feather=float(max(SIZE))), image, probability)
    np.testing.assert_array_equal(out, longest)


def test_effect__sized_scales_the_background_once(
    image: NDArray[np.uint8], probability: NDArray[np.float32]
) -> None:
    background = np.random.default_rng(1).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    effect = ReplaceEffect(background=background, feather=2.0, refine=False)
    sized = effect.sized(SIZE)
    assert isinstance(sized.background, np.ndarray)
    assert sized.background.shape == (*SIZE, 3)
    assert sized.feather == 2.0
    np.testing.assert_array_equal(
        applied(sized, image, probability), applied(effect, image, probability)
    )


@pytest.mark.parametrize(
    ("output", "refine", "of_pictures", "of_frames"),
    [
        ("cutout", None, True, False),
        ("cutout", False, False, False),
        ("cutout", True, True, True),
        ("replace", None, True, False),
        ("blur", None, False, False),
        ("mask", None, False, False),
        ("overlay", True, True, True),
    ],
)
def test_effect__refines_what_is_laid_elsewhere_but_not_frames(
    output: str, refine: bool | None, of_pictures: bool, of_frames: bool
) -> None:
    effect = _effect(output).model_copy(update={"refine": refine})
    assert effect.refines is of_pictures
    assert effect.sized(SIZE).refines is of_frames
