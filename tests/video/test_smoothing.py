from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
from benchmarks.flicker import FlickerMeter
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from humanseg.system.errors import UsageError
from humanseg.video.motion import blurred_luma, estimate_shift, shifted
from humanseg.video.smoothing import TIME_CONSTANT, Smoother

SIDE = 128
RADIUS = 30
Position = Callable[[int], tuple[float, float]]


class View(NamedTuple):
    image: NDArray[np.uint8]
    probability: NDArray[np.float32]
    truth: NDArray[np.bool_]


def texture(seed: int = 0, size: tuple[int, int] = (SIDE, 3 * SIDE)) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (size[0] // 10, size[1] // 10), dtype=np.uint8)
    stretched = Image.fromarray(cells).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(stretched, dtype=np.float32)


def film(
    position: Position,
    *,
    frames: int = 40,
    pan: float = 0.0,
    wavering: float = 0.15,
    sensor: float = 2.0,
    contrast: float | None = None,
) -> Iterator[View]:
    """A disc (the person) before a textured wall, or a grey one `contrast` levels away from it.

    The probability is the soft truth between 0.1 and 0.9, plus noise that is new in every frame.
    """
    rng = np.random.default_rng(1)
    wall = texture()
    rows, columns = np.ogrid[:SIDE, :SIDE]
    for number in range(frames):
        y, x = position(number)
        truth = np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= RADIUS**2)
        if contrast is None:
            left = round(pan * number)
            grey = np.where(truth, 235.0, 0.6 * wall[:, left : left + SIDE])
        else:
            grey = np.where(truth, 100.0 + contrast, 100.0)
        noisy = grey[..., None] + rng.normal(0, sensor, (SIDE, SIDE, 3))
        soft = Image.fromarray(truth.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(2))
        noise = Image.fromarray(rng.normal(0, 1, (16, 16)).astype(np.float32))
        coarse = np.asarray(noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        probability = 0.1 + 0.8 * np.asarray(soft, np.float32) / 255 + wavering * coarse
        yield View(
            np.clip(noisy, 0, 255).astype(np.uint8),
            np.clip(probability, 0, 1).astype(np.float32),
            truth,
        )


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


def dtssd(maps: list[NDArray[np.float32]], truths: list[NDArray[np.bool_]]) -> float:
    """Temporal error where the truth is known, per pixel.

    Erofeev et al., "Perceptually motivated benchmark for video matting", BMVC 2015.
    """
    difference = np.diff(np.stack(maps), axis=0) - np.diff(np.stack(truths).astype(int), axis=0)
    return float(np.sqrt((difference**2).mean(axis=(1, 2))).mean())


class Outcome(NamedTuple):
    change: tuple[float, float]
    flips: tuple[float, float]
    mean_iou: tuple[float, float]
    least_iou: tuple[float, float]
    dtssd: tuple[float, float]


def compare(views: Iterator[View]) -> Outcome:
    """Everything without and with smoothing."""
    smoother = Smoother()
    meters = (FlickerMeter(threshold=0.5), FlickerMeter(threshold=0.5))
    maps: tuple[list[NDArray[np.float32]], ...] = ([], [])
    truths = []
    for view in views:
        pair = (view.probability, smoother.update(view.probability, view.image))
        truths.append(view.truth)
        for probability, meter, seen in zip(pair, meters, maps, strict=True):
            meter.add(probability, view.image)
            seen.append(probability)
    flicker = [meter.result() for meter in meters]
    ious = [[iou(p >= 0.5, truth) for p, truth in zip(seen, truths, strict=True)] for seen in maps]
    return Outcome(
        change=(flicker[0].change or 0.0, flicker[1].change or 0.0),
        flips=(flicker[0].flips or 0.0, flicker[1].flips or 0.0),
        mean_iou=(float(np.mean(ious[0])), float(np.mean(ious[1]))),
        least_iou=(min(ious[0]), min(ious[1])),
        dtssd=(dtssd(maps[0], truths), dtssd(maps[1], truths)),
    )


def still(number: int) -> tuple[float, float]:
    return SIDE / 2, SIDE / 2


def walking(number: int) -> tuple[float, float]:
    return SIDE / 2, 35 + 1.5 * number


def running(number: int) -> tuple[float, float]:
    return SIDE / 2, 20 + (7 * number) % 90


def test_smoother__a_person_who_stands_still_flickers_four_times_less() -> None:
    outcome = compare(film(still))
    assert outcome.change[1] < outcome.change[0] / 4
    assert outcome.flips[1] < outcome.flips[0] / 4
    assert outcome.dtssd[1] < outcome.dtssd[0] / 4
    assert outcome.mean_iou[1] > outcome.mean_iou[0]


@pytest.mark.parametrize("position", [walking, running])
def test_smoother__a_person_who_moves_keeps_their_iou(position: Position) -> None:
    outcome = compare(film(position))
    assert outcome.change[1] < outcome.change[0] / 4  # of the wall, which stands still
    assert outcome.mean_iou[1] > outcome.mean_iou[0] - 0.005
    assert outcome.least_iou[1] > outcome.least_iou[0] - 0.02


@pytest.mark.parametrize("position", [walking, running])
def test_smoother__leaves_no_trail_behind_a_moving_disc(position: Position) -> None:
    smoother = Smoother()
    for number, view in enumerate(film(position, wavering=0.0)):
        smooth = smoother.update(view.probability, view.image)
        if number:
            wrong = np.abs(smooth - view.probability) > 0.25
            assert wrong.mean() < 0.002


def test_smoother__follows_what_looks_like_its_background_one_frame_late() -> None:
    smoother = Smoother()
    worst = 1.0
    for number, view in enumerate(film(walking, wavering=0.0, contrast=0.0)):
        smooth = smoother.update(view.probability, view.image)
        if number:
            worst = min(worst, iou(smooth >= 0.5, view.truth))
    assert worst > 0.9


def test_smoother__a_panning_camera_is_followed() -> None:
    outcome = compare(film(lambda number: (SIDE / 2, 100 - 3 * number), pan=3))
    assert outcome.mean_iou[1] > outcome.mean_iou[0] + 0.02
    assert outcome.dtssd[1] < 0.7 * outcome.dtssd[0]


def test_smoother__what_a_pan_newly_shows_is_taken_as_it_is() -> None:
    wall, smoother = texture(2), Smoother()
    rng = np.random.default_rng(0)
    for number in range(4):
        left = 6 * number
        view = np.repeat(wall[:, left : left + SIDE, None], 3, axis=2).astype(np.uint8)
        probability = rng.random((SIDE, SIDE), dtype=np.float32)
        smooth = smoother.update(probability, view)

    np.testing.assert_allclose(smooth[:, -6:], probability[:, -6:], atol=1e-6)
    assert np.abs(smooth[:, :-20] - probability[:, :-20]).mean() > 0.1


def test_smoother__starts_again_at_a_cut() -> None:
    smoother = Smoother()
    first, second = (
        np.repeat(texture(seed)[:, :SIDE, None], 3, axis=2).astype(np.uint8) for seed in (3, 4)
    )
    person, nobody = np.ones((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for _ in range(5):
        smoother.update(person, first)

    np.testing.assert_array_equal(smoother.update(nobody, second), nobody)


def test_smoother__the_first_frame_and_the_one_after_a_reset_stay_as_they_are() -> None:
    views = list(film(still, frames=3))
    smoother = Smoother()
    for view in views[:2]:
        smoother.reset()
        smooth = smoother.update(view.probability, view.image)
        np.testing.assert_array_equal(smooth, view.probability)
    assert not np.array_equal(
        smoother.update(views[2].probability, views[2].image), views[2].probability
    )


def test_smoother__the_time_between_frames_sets_the_weight() -> None:
    image = np.full((16, 16, 3), 90, dtype=np.uint8)
    low, high = np.full((16, 16), 0.4, np.float32), np.full((16, 16), 0.5, np.float32)

    def after(seconds: float, **options: float) -> float:
        smoother = Smoother(**options)
        smoother.update(low, image)
        return float(smoother.update(high, image, seconds=seconds).mean())

    assert after(0.0) == pytest.approx(0.4)
    assert after(TIME_CONSTANT) == pytest.approx(0.4 + 0.1 * (1 - np.exp(-1)), abs=1e-5)
    assert after(1.0, time_constant=1.0) == pytest.approx(after(TIME_CONSTANT), abs=1e-6)
    assert after(60.0) == pytest.approx(0.5, abs=1e-5)


def test_smoother__stays_within_zero_and_one_and_returns_its_own_array() -> None:
    smoother = Smoother()
    for view in film(walking, frames=10, wavering=0.5):
        smooth = smoother.update(view.probability, view.image)
        assert smooth.dtype == np.float32
        assert 0.0 <= smooth.min() <= smooth.max() <= 1.0
        smooth[:] = 7.0


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_smoother__impossible_times_are_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="above 0"):
        Smoother(time_constant=seconds)


@pytest.mark.parametrize("shift", [(0, 0), (3, -4), (-8, 0), (0, 11)])
def test_estimate_shift__finds_how_far_the_camera_turned(shift: tuple[int, int]) -> None:
    wide = texture(5, (200, 240))
    rng = np.random.default_rng(6)

    def view(top: int, left: int) -> NDArray[np.int16]:
        part = wide[top : top + SIDE, left : left + SIDE, None]
        noisy = part + rng.normal(0, 3, (SIDE, SIDE, 3))
        return blurred_luma(np.clip(noisy, 0, 255).astype(np.uint8))

    estimate = estimate_shift(view(30, 30), view(30 - shift[0], 30 - shift[1]))

    assert estimate == pytest.approx(shift, abs=1.0)


def test_estimate_shift__nothing_in_common_gives_none() -> None:
    views = [
        blurred_luma(np.repeat(texture(seed)[:, :SIDE, None], 3, axis=2).astype(np.uint8))
        for seed in (7, 8)
    ]
    assert estimate_shift(*views) is None
    flat = np.full((SIDE, SIDE), 80, dtype=np.int16)
    assert estimate_shift(flat, flat) is None


def test_moved__goes_down_and_right_and_repeats_the_border() -> None:
    values = np.arange(9, dtype=np.int16).reshape(3, 3)
    np.testing.assert_array_equal(shifted(values, (1, 0)), [[0, 1, 2], [0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(shifted(values, (0, -1)), [[1, 2, 2], [4, 5, 5], [7, 8, 8]])
