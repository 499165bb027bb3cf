"""Scores by attributes of the images, against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pytest
from scipy.stats import bootstrap
from tests.builders.records import plain_score

from humanseg.evaluation import by_attribute
from humanseg.evaluation.by_attribute import (
    ScenePeople,
    analyse_attribute,
    columns_of,
    describe_people,
    labels_of,
)
from humanseg.results import ImageScore, Interval
from humanseg.system.errors import UsageError


def _scene(**changes: float | None) -> ScenePeople:
    values = {"share": 0.2, "regions": 1, "border_share": 0.0, "luminance": 0.5, "contrast": 0.1}
    return ScenePeople(**(values | changes))  # type: ignore[arg-type]  # numbers of both kinds


def test_describe_people__a_bright_person_before_a_dark_wall() -> None:
    truth = np.zeros((40, 40), dtype=np.bool_)
    truth[10:40, 15:25] = True  # 300 pixels, ten of them among the 156 of the border
    image = np.full((40, 40, 3), 51, dtype=np.uint8)
    image[truth] = 204
    image[:, :10] = image[:, 30:] = 255  # farther off than 5 % of the diagonal
    scene = describe_people(image, truth)
    assert scene is not None
    assert scene.share == 300 / 1600
    assert scene.regions == 1
    assert scene.border_share == pytest.approx(10 / 156)
    assert scene.luminance == pytest.approx(0.8)
    assert scene.contrast == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("colour", "luma"), [((255, 0, 0), 0.299), ((0, 255, 0), 0.587), ((0, 0, 255), 0.114)]
)
def test_describe_people__luma_of_colours(colour: tuple[int, int, int], luma: float) -> None:
    scene = describe_people(
        np.full((8, 8, 3), colour, dtype=np.uint8), np.ones((8, 8), dtype=np.bool_)
    )
    assert scene is not None
    assert scene.luminance == pytest.approx(luma)
    assert scene.contrast is None  # nothing is around
    assert scene.border_share == 1.0


def test_describe_people__light_is_the_same_on_a_large_image_and_a_reduced_one() -> None:
    truth = np.zeros((1200, 1600), dtype=np.bool_)
    truth[300:900, 400:800] = True
    image = np.where(truth[..., None], 200, 80).astype(np.uint8).repeat(3, axis=2)
    reduced = image[::4, ::4]
    for pixels in (image, reduced):
        scene = describe_people(pixels, truth)
        assert scene is not None
        assert scene.luminance == pytest.approx(200 / 255, abs=0.01)
        assert scene.contrast == pytest.approx(120 / 255, abs=0.02)


def test_describe_people__counts_regions_that_are_people() -> None:
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    truth = np.zeros((100, 100), dtype=np.bool_)
    truth[0:5, 0:6] = True  # 30 pixels: 0.3 %
    truth[50:60, 50:60] = True
    truth[90:94, 90:97] = True  # 28 pixels
    scene = describe_people(image, truth)
    assert scene is not None
    assert scene.regions == 2
    crumbs = np.zeros_like(truth)
    crumbs[10, 10] = crumbs[80, 80] = True
    scene = describe_people(image, crumbs)
    assert scene is not None
    assert scene.regions == 1
    assert describe_people(image, np.zeros_like(truth)) is None


def test_labels__thirds_of_the_images_with_people() -> None:
    shares = {"f": 0.6, "a": 0.1, "b": 0.2, "e": 0.5, "c": 0.3, "d": 0.4}
    people: dict[str, ScenePeople | None] = {n: _scene(share=v) for n, v in shares.items()}
    people["nobody"] = None
    assert labels_of("person-size", people) == {
        "a": "small", "b": "small", "c": "medium", "d": "medium", "e": "large", "f": "large",
    }  # fmt: skip
    light: Mapping[str, ScenePeople | None] = {
        "a": _scene(luminance=0.9, contrast=0.1), "b": _scene(luminance=0.1, contrast=0.5),
        "c": _scene(luminance=0.5, contrast=0.3), "d": _scene(luminance=None, contrast=None),
    }  # fmt: skip
    assert labels_of("luminance", light) == {"a": "bright", "b": "dark", "c": "medium"}
    assert labels_of("contrast", light) == {"a": "low", "b": "high", "c": "medium"}


def test_labels__number_and_cut() -> None:
    people: Mapping[str, ScenePeople | None] = {
        "a": _scene(regions=1, border_share=0.0199),
        "b": _scene(regions=2, border_share=0.02),
        "c": _scene(regions=7, border_share=0.5),
        "nobody": None,
    }
    assert labels_of("people", people) == {"a": "1", "b": "2", "c": "3+"}
    assert labels_of("cut-off", people) == {"a": "whole", "b": "cut off", "c": "cut off"}


def _scores(parts: Mapping[str, Iterable[float]]) -> tuple[list[ImageScore], dict[str, str]]:
    scores, labels = [], {}
    for part, ious in parts.items():
        for number, iou in enumerate(ious):
            scores.append(plain_score(f"{part}{number}", iou))
            labels[f"{part}{number}"] = part
    return scores, labels


def test_analyse__names_the_worst_group_and_refuses_small_ones() -> None:
    scores, labels = _scores({"b": [0.9] * 20, "a": [0.5] * 24, "c": [0.1] * 19, "d": [0.7] * 30})
    scores += [plain_score("x", 0.3), plain_score("y", 0.3)]
    scores.append(scores[0].model_copy(update={"id": "a99", "tp": 0, "fn": 0, "tn": 2000}))
    labels["a99"] = "a"  # nobody is in it
    result = analyse_attribute("tone", scores, labels, {})
    assert [(group.name, group.images) for group in result.groups] == [
        ("a", 24), ("b", 20), ("c", 19), ("d", 30),
    ]  # fmt: skip
    assert [round(g.metrics["iou"].estimate, 9) if g.metrics else None for g in result.groups] == [
        0.5, 0.9, None, 0.7,
    ]  # fmt: skip
    assert result.groups[0].metrics["boundary_iou"].estimate == pytest.approx(0.5)
    assert result.unlabelled == 2
    assert (result.worst, result.best) == ("a", "b")
    assert result.gap is not None
    assert (result.gap.estimate, result.gap.low, result.gap.high) == pytest.approx((0.4, 0.4, 0.4))


def test_analyse__one_scored_group_has_no_gap() -> None:
    scores, labels = _scores({"1": [0.9] * 20, "2": [0.5] * 3})
    result = analyse_attribute("people", scores, labels, {})
    assert [group.name for group in result.groups] == ["1", "2"]
    assert (result.worst, result.best, result.gap) == (None, None, None)


def test_analyse__interval_of_the_gap_is_that_of_two_samples() -> None:
    rng = np.random.default_rng(3)
    high, low = rng.uniform(0.6, 1.0, 60).round(3), rng.uniform(0.2, 0.9, 40).round(3)
    scores, labels = _scores({"high": list(high), "low": list(low)})
    gap = analyse_attribute("tone", scores, labels, {}).gap
    other = bootstrap(
        (high, low),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert gap is not None
    assert gap.estimate == pytest.approx(high.mean() - low.mean())
    assert (gap.low, gap.high) == pytest.approx((other.low, other.high), abs=0.006)


def test_analyse__images_of_a_group_are_resampled_together() -> None:
    """Four images each of twenty people: half as many points as images, twice the interval."""
    scores, labels = _scores({"a": [0.9, 0.5] * 40, "b": [0.4, 0.2] * 40})
    people = {score.id: f"{labels[score.id]}{n % 2}-{n // 8}" for n, score in enumerate(scores)}
    alone, together = (
        analyse_attribute("tone", scores, labels, groups).groups[0] for groups in ({}, people)
    )
    assert (alone.independent, together.independent) == (80, 20)
    narrow, wide = alone.metrics["iou"], together.metrics["iou"]
    assert narrow.low is not None
    assert wide.low is not None
    # Half a standard deviation of 0.2 by the roots of 80 and of 20.
    assert narrow.estimate - narrow.low == pytest.approx(1.96 * 0.2 / 80**0.5, abs=0.005)
    assert wide.estimate - wide.low == pytest.approx(1.96 * 0.2 / 20**0.5, abs=0.01)


@pytest.mark.parametrize("people", [19, 20])
def test_analyse__images_of_few_people_are_no_group(people: int) -> None:
    scores, labels = _scores({"few": [0.5] * 40, "many": [0.9] * 40})
    groups = {score.id: f"person {n % people}" for n, score in enumerate(scores[:40])}
    result = analyse_attribute("tone", scores, labels, groups)
    assert [(group.images, group.independent) for group in result.groups] == [
        (40, people),
        (40, 40),
    ]
    assert bool(result.groups[0].metrics) is (people == 20)
    assert result.worst == ("few" if people == 20 else None)
    assert (result.gap is None) is (result.gap_p is None) is (people == 19)


def test_analyse__a_gap_that_chance_does_not_make() -> None:
    rng = np.random.default_rng(2)
    parts = {name: list(rng.normal(mean, 0.1, 30)) for name, mean in (("a", 0.6), ("b", 0.8))}
    scores, labels = _scores(parts)
    assert analyse_attribute("tone", scores, labels, {}).gap_p == pytest.approx(1 / 2001)
    constant, of = _scores({"a": [0.5] * 30, "b": [0.5] * 30})
    assert analyse_attribute("tone", constant, of, {}).gap_p == 1.0


def _of_one_each(rng: np.random.Generator) -> tuple[Mapping[str, list[float]], dict[str, str]]:
    """Four groups of thirty images, all alike."""
    return {name: list(rng.normal(0.8, 0.08, 30)) for name in "abcd"}, {}


def _of_people(rng: np.random.Generator) -> tuple[Mapping[str, list[float]], dict[str, str]]:
    """Three groups of twenty people with one to six alike images each."""
    parts: dict[str, list[float]] = {}
    groups: dict[str, str] = {}
    for name in "abc":
        own: list[float] = []
        for person in range(20):
            mean, count = rng.normal(0.8, 0.08), int(rng.integers(1, 7))
            groups |= {f"{name}{len(own) + n}": f"{name}-{person}" for n in range(count)}
            own += list(rng.normal(mean, 0.01, count))
        parts[name] = own
    return parts, groups


@pytest.mark.simulation
@pytest.mark.parametrize("world", [_of_one_each, _of_people])
def test_analyse__equal_groups_are_seldom_said_to_differ(
    world: Callable[[np.random.Generator], tuple[Mapping[str, list[float]], dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In at most 5 % of 400 worlds."""
    monkeypatch.setattr(by_attribute, "SHUFFLES", 199)
    monkeypatch.setattr(by_attribute, "_means", lambda part, _: {"iou": _mean(part)})
    monkeypatch.setattr(by_attribute, "_gap", lambda *_: None)
    rng = np.random.default_rng(5)
    said = 0
    for _ in range(400):
        parts, groups = world(rng)
        scores, labels = _scores({name: np.clip(own, 0, 1) for name, own in parts.items()})
        p = analyse_attribute("tone", scores, labels, groups).gap_p
        assert p is not None
        said += p < 0.05
    assert said <= 20


def _mean(part: Sequence[ImageScore]) -> Interval:
    return Interval(estimate=float(np.mean([score.iou for score in part])))


def test_columns__are_those_of_the_table() -> None:
    table = {"group": {"a": "x"}, "tone": {"a": "5"}, "empty": {}, "people": {"a": "2"}}
    assert columns_of(["tone", "luminance", "group"], table) == {
        "tone": {"a": "5"},
        "group": {"a": "x"},
    }
    for attribute, message in (
        ("age", r"by age: unknown; .*\(group, tone, empty, people\)\.$"),
        ("empty", "by empty: the column has no value"),
        ("people", "is an attribute of the images and a column"),
    ):
        with pytest.raises(UsageError, match=message):
            columns_of([attribute], table)
    with pytest.raises(UsageError, match=r"by tone: unknown; .*\(no table was given\)\.$"):
        columns_of(["tone"], {})
