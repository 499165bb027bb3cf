from __future__ import annotations

import colorsys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from humanseg.evaluation.corruptions import CORRUPTIONS, SEVERITIES, cloud, corrupt_pair
from humanseg.system.errors import UsageError

Picture = NDArray[np.uint8]

RANDOM = ("gaussian_noise", "motion_blur", "fog", "occlusion", "rotation")
GREEN = (20, 230, 40)


def corrupt(image: Picture, name: str, severity: int, *, seed: int) -> Picture:
    """The picture alone."""
    return corrupt_pair(image, np.zeros((1, 1), np.bool_), name, severity, seed=seed)[0]


def smooth(height: int = 96, width: int = 128, cells: int = 12) -> Picture:
    """Colours that change as slowly as in a photograph."""
    coarse = np.random.default_rng(5).integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    resized = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def flat(level: int, side: int = 224) -> Picture:
    return np.full((side, side, 3), level, dtype=np.uint8)


def change(first: Picture, second: Picture) -> float:
    return float(np.abs(first.astype(np.float64) - second).mean())


def test_corruptions__are_the_ten_named() -> None:
    assert set(CORRUPTIONS) == {
        "gaussian_noise", "defocus_blur", "motion_blur", "brightness", "contrast", "fog", "jpeg",
        "pixelate", "occlusion", "rotation",
    }  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupt__same_seed_same_bytes_whatever_the_global_state(name: str) -> None:
    image = smooth()
    before = image.copy()
    np.random.seed(1)  # noqa: NPY002
    first = corrupt(image, name, 3, seed=7)
    np.random.seed(2)  # noqa: NPY002
    untouched = np.random.get_state()[1].tobytes()  # type: ignore[index]  # noqa: NPY002
    second = corrupt(image, name, 3, seed=7)
    assert first.tobytes() == second.tobytes()
    assert np.random.get_state()[1].tobytes() == untouched  # type: ignore[index]  # noqa: NPY002
    assert np.array_equal(image, before)
    assert not np.shares_memory(first, image)
    assert first.flags.writeable


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupt__other_seed_other_bytes_where_random(name: str) -> None:
    image = smooth()
    results = {corrupt(image, name, 3, seed=seed).tobytes() for seed in range(8)}
    assert (len(results) > 1) == (name in RANDOM)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 300), (61, 40)])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupt__keeps_size_and_type_of_any_picture(name: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    grey = np.repeat(image[..., :1], 3, axis=2)
    for picture in (image, grey):
        for severity in SEVERITIES:
            result = corrupt(picture, name, severity, seed=1)
            quarter = (name, severity) == ("rotation", 4)
            assert result.shape == ((*size[::-1], 3) if quarter else (*size, 3))
            assert result.dtype == np.uint8


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupt__black_and_white_pictures(name: str, level: int) -> None:
    result = corrupt(flat(level, 32), name, 5, seed=0)
    if name in ("defocus_blur", "motion_blur", "contrast", "pixelate", "rotation"):
        assert np.array_equal(result, flat(level, 32))


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"rotation"}))
def test_corrupt__severity_rises(name: str) -> None:
    image = smooth(224, 288, cells=40)
    # Clouds of one seed lie elsewhere once their detail changes: fog rises on average.
    seeds = range(12) if name == "fog" else (2,)
    changes = [
        sum(change(corrupt(image, name, severity, seed=seed), image) for seed in seeds)
        for severity in SEVERITIES
    ]
    assert changes[0] > 0
    assert changes == sorted(set(changes))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_noise__has_imagenet_c_deviation_in_every_channel(severity: int) -> None:
    noisy = corrupt(flat(128), "gaussian_noise", severity, seed=0).reshape(-1, 3)
    # Percentiles, because the ends of the normal distribution are cut off at 0 and 255.
    low, high = np.percentile(noisy, (15.865, 84.135), axis=0)
    expected = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    np.testing.assert_allclose((high - low) / 2 / 255, expected, atol=0.004)
    assert abs(np.corrcoef(noisy.T.astype(float))[0, 1]) < 0.02


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness__adds_to_the_value_of_hsv(severity: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (15, 20, 3)).astype(np.uint8)
    colours[0, 0] = 0
    expected = np.empty(colours.shape)
    for place in np.ndindex(colours.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*(colours[place] / 255))
        raised = min(1.0, value + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1])
        expected[place] = colorsys.hsv_to_rgb(hue, saturation, raised)
    result = corrupt(colours, "brightness", severity, seed=0)
    np.testing.assert_allclose(result, expected * 255, atol=0.51)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast__draws_channels_to_their_means(severity: int) -> None:
    image = smooth().astype(np.float64)
    means = image.mean(axis=(0, 1))
    expected = (image - means) * (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1] + means
    result = corrupt(smooth(), "contrast", severity, seed=0)
    np.testing.assert_allclose(result, expected, atol=0.51)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg__has_imagenet_c_quality(severity: int) -> None:
    stream = BytesIO()
    Image.fromarray(smooth()).save(stream, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
    expected = np.asarray(Image.open(stream))
    assert np.array_equal(corrupt(smooth(), "jpeg", severity, seed=0), expected)


def test_jpeg__too_long_a_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="65501x1 pixels; JPEG allows 65500"):
        corrupt(np.zeros((1, 65_501, 3), np.uint8), "jpeg", 1, seed=0)


@pytest.mark.parametrize("zoom", [1, 3])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate__leaves_imagenet_c_columns_and_rows(severity: int, zoom: int) -> None:
    ramp = np.arange(224, dtype=np.uint8).repeat(zoom)
    image = np.stack(np.broadcast_arrays(ramp[None], ramp[:, None], np.uint8(9)), axis=2)
    result = corrupt(image, "pixelate", severity, seed=0)
    expected = int(224 * (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1])
    assert len(np.unique(result[..., 0])) == len(np.unique(result[..., 1])) == expected


def test_pixelate__leaves_a_small_picture_alone() -> None:
    image = smooth(50, 90)
    assert np.array_equal(corrupt(image, "pixelate", 4, seed=0), image)
    assert not np.array_equal(corrupt(smooth(60, 90), "pixelate", 5, seed=0), smooth(60, 90))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_blur__is_near_imagenet_c_disk(severity: int) -> None:
    radius = (3, 4, 6, 8, 10)[severity - 1]
    steps = np.arange(-radius, radius + 1)
    disk = (steps[:, None] ** 2 + steps[None] ** 2 <= radius**2).astype(np.float64)
    image = smooth(224, 224, cells=60)
    planes = [
        ndimage.convolve(image[..., channel].astype(np.float64), disk / disk.sum(), mode="mirror")
        for channel in range(3)
    ]
    result = corrupt(image, "defocus_blur", severity, seed=0)
    assert np.abs(result - np.stack(planes, axis=2)).mean() < 0.8
    assert change(result, image) > 5


def spread(image: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (row, column) and covariance of the light in a picture."""
    weights = image.astype(np.float64).sum(axis=2)
    weights /= weights.sum()
    places = np.indices(weights.shape).reshape(2, -1)
    centre = places @ weights.ravel()
    away = places - centre[:, None]
    return centre, (away * weights.ravel()) @ away.T


@pytest.mark.parametrize("severity", SEVERITIES)
def test_motion_blur__smears_one_way_and_does_not_move(severity: int) -> None:
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    along = np.arange(2 * radius + 1)
    weights = np.exp(-(along**2) / (2 * sigma**2))
    variance = np.cov(along, aweights=weights, ddof=0)
    image = flat(0)
    image[90:134, 90:134] = 250
    centre, before = spread(image)
    for seed in (0, 1, 2):
        moved, after = spread(corrupt(image, "motion_blur", severity, seed=seed))
        np.testing.assert_allclose(moved, centre, atol=0.2)
        across, longest = np.linalg.eigvalsh(after - before)
        assert longest == pytest.approx(variance, rel=0.1)
        assert abs(across) < 0.6


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog__dims_and_adds_clouds_within_imagenet_c_bounds(severity: int) -> None:
    strength = (1.5, 2.0, 2.5, 2.5, 3.0)[severity - 1]
    result = corrupt(flat(153), "fog", severity, seed=3) / 255
    darkest = 0.6 * 0.6 / (0.6 + strength)
    assert darkest - 0.003 <= result.min() < darkest + 0.1
    assert 0.5 < result.max() <= 0.602


@pytest.mark.parametrize("decay", [2.0, 1.7, 1.5, 1.4])
def test_cloud__roughness_falls_by_the_square_at_every_step(decay: float) -> None:
    heights = cloud(decay, np.random.default_rng(0)).astype(np.float64)
    assert (heights.min(), heights.max()) == (0.0, 1.0)
    roughness = []
    for _ in range(3):
        corners = heights[::2, ::2]
        around = (corners + np.roll(corners, -1, 0) + np.roll(corners, -1, 1)) / 4
        around += np.roll(corners, (-1, -1), (0, 1)) / 4
        middles = heights[1::2, 1::2]
        roughness.append(np.abs(middles - around).max())
        edges = corners + np.roll(corners, -1, 1) + middles + np.roll(middles, 1, 0)
        assert np.abs(heights[::2, 1::2] - edges / 4).max() == pytest.approx(
            roughness[-1], rel=0.03
        )
        edges = corners + np.roll(corners, -1, 0) + middles + np.roll(middles, 1, 1)
        assert np.abs(heights[1::2, ::2] - edges / 4).max() == pytest.approx(
            roughness[-1], rel=0.03
        )
        heights = corners
    ratios = np.divide(roughness[1:], roughness[:-1])
    np.testing.assert_allclose(ratios, decay**2, rtol=0.03)


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("name", ["defocus_blur", "motion_blur", "fog"])
def test_corrupt__lengths_grow_with_the_picture(name: str, severity: int) -> None:
    small = smooth(224, 224, cells=60)
    large = np.asarray(Image.fromarray(small).resize((896, 896), Image.Resampling.BICUBIC))
    result = Image.fromarray(corrupt(large, name, severity, seed=1))
    shrunk = np.asarray(result.resize((224, 224), Image.Resampling.BOX))
    expected = corrupt(small, name, severity, seed=1)
    assert change(shrunk, expected) < 0.15 * change(expected, small)


@pytest.mark.parametrize("seed", range(5))
def test_occlusion__covers_its_share_and_adds_up(seed: int) -> None:
    image = np.maximum(smooth(300, 400), 129)
    earlier = np.zeros(image.shape[:2], dtype=np.bool_)
    for severity, share in zip(SEVERITIES, (0.05, 0.1, 0.15, 0.2, 0.25), strict=True):
        result = corrupt(image, "occlusion", severity, seed=seed)
        covered = (result == 128).all(axis=2)
        assert covered.mean() == pytest.approx(share, abs=0.003)
        assert np.array_equal(result[~covered], image[~covered])
        assert not (earlier & ~covered).any()
        earlier = covered


def test_occlusion__reaches_the_middle_and_all_borders() -> None:
    covered = np.sum(
        [corrupt(flat(0, 20), "occlusion", 3, seed=seed)[..., 0] > 0 for seed in range(300)], axis=0
    )
    assert covered[2:-2, 2:-2].min() > 0
    assert all(edge.any() for edge in (covered[0], covered[-1], covered[:, 0], covered[:, -1]))


def drawn_pair(height: int, width: int) -> tuple[Picture, NDArray[np.bool_]]:
    """A green L with a dot, alike in no mirror and no turn, and its mask."""
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[height // 6 : height * 5 // 6, width // 5 : width * 2 // 5] = True
    mask[height * 2 // 3 : height * 5 // 6, width // 5 : width * 4 // 5] = True
    mask[height // 5 : height // 3, width * 2 // 3 : width * 7 // 8] = True
    image = np.full((height, width, 3), (200, 30, 120), dtype=np.uint8)
    image[mask] = GREEN
    return image, mask


def green(image: Picture) -> NDArray[np.bool_]:
    return np.asarray(image[..., 1] > 130)


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize("size", [(120, 200), (201, 151)])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_corrupt_pair__mask_turns_with_the_picture(severity: int, size: tuple[int, int]) -> None:
    image, mask = drawn_pair(*size)
    turned = set()
    for seed in range(6):
        result, moved = corrupt_pair(image, mask, "rotation", severity, seed=seed)
        assert moved.dtype == np.bool_
        assert moved.shape == result.shape[:2]
        assert iou(green(result), moved) > 0.98
        assert np.array_equal(result, corrupt(image, "rotation", severity, seed=seed))
        turned.add(result.tobytes())
    assert len(turned) == (1 if severity == 5 else 2)  # half a turn is the same either way


@pytest.mark.parametrize("seed", range(4))
def test_rotation__quarter_turns_move_pixels_exactly(seed: int) -> None:
    image = smooth(31, 50)
    quarters = [np.rot90(image, turns) for turns in (1, 3)]
    assert any(
        np.array_equal(corrupt(image, "rotation", 4, seed=seed), quarter) for quarter in quarters
    )
    assert np.array_equal(corrupt(image, "rotation", 5, seed=seed), image[::-1, ::-1])


@pytest.mark.parametrize(("severity", "angle"), [(1, 15), (2, 30), (3, 45)])
def test_rotation__turns_by_its_angle_as_pillow_does(severity: int, angle: int) -> None:
    image, _ = drawn_pair(160, 160)
    inside = np.hypot(*(np.indices((160, 160)) - 79.5)) < 75  # corners are not Pillow's
    differences = [
        change(
            np.asarray(
                Image.fromarray(image).rotate(turn, Image.Resampling.BILINEAR)
            )[inside],
            corrupt(image, "rotation", severity, seed=0)[inside],
        )
        for turn in (angle, -angle)
    ]  # fmt: skip
    assert min(differences) < 1 < 20 < max(differences)


def test_rotation__corners_are_mirrored_in() -> None:
    image = flat(255, 60)
    image[:, :2] = (255, 0, 0)
    result = corrupt(image, "rotation", 3, seed=0)
    assert result[..., 0].min() == 255
    assert (result[..., 1] < 128).mean() > 2 / 60 / 2


def test_corrupt_pair__all_but_rotation_leave_the_mask() -> None:
    image, mask = drawn_pair(60, 90)
    for name in set(CORRUPTIONS) - {"rotation"}:
        result, kept = corrupt_pair(image, mask, name, 5, seed=3)
        assert kept is mask
        assert np.array_equal(result, corrupt(image, name, 5, seed=3))


def test_docs__have_every_level() -> None:
    page = (Path(__file__).parents[2] / "docs" / "robustness.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    rows = {cells[0].strip("`"): cells[-5:] for cells in lines if len(cells) == 8}
    assert set(rows) == set(CORRUPTIONS)
    for name, corruption in CORRUPTIONS.items():
        expected = [str(level).strip("()") for level in corruption.levels]
        assert rows[name] == expected
