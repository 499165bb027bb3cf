from __future__ import annotations

import dataclasses
import statistics

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.builders.records import environment, plain_score, run_result, summarise

from humanseg.config.schema import TrainConfig
from humanseg.evaluation.analysis import (
    Subject,
    analyse,
    analyse_external,
    analyse_robustness,
    scores_of,
)
from humanseg.evaluation.analysis.differences import compare_false_alarms
from humanseg.evaluation.analysis.subjects import RunScores
from humanseg.results import (
    Analysis,
    Calibration,
    CorruptedScores,
    ImageScore,
    NetworkAnalysis,
)

MACHINE = environment()
EMPTY_BINS = (0,) * 13
CURVE = Calibration(
    pixels=(10, *EMPTY_BINS, 10), probability=(1.0, *EMPTY_BINS, 9.0), person=(2, *EMPTY_BINS, 8)
)


def image(name: str, iou: float, *, truth: int = 400) -> ImageScore:
    """A picture of 40x50 whose person of `truth` pixels is found to this IoU; nothing beside it."""
    tp = round(iou * truth)
    return ImageScore(
        id=name,
        height=40,
        width=50,
        tp=tp,
        fp=0,
        fn=truth - tp,
        tn=2000 - truth,
        boundary_intersection=round(iou * 50),
        boundary_union=100,
        contour_true=80,
        contour_predicted=80,
        contour_near_05=round(iou * 100),
        contour_near_10=round(iou * 120),
        distance_sum=160 * (1 - iou),
        distance_p95=2.0,
    )


def run(
    ious: dict[str, float],
    *,
    seed: int = 1,
    fold: tuple[int, int] = (42, 0),
    train_iou: float | None = 0.95,
) -> RunScores:
    return RunScores(
        name=f"fold{fold[1]}-seed{seed}",
        seed=seed,
        fold=fold,
        test_over_train=0.25,
        scores=tuple(image(name, iou) for name, iou in ious.items()),
        calibration=CURVE,
        band_calibration=None,
        iou=statistics.fmean(ious.values()),
        train_iou=train_iou,
    )


def cross_validated(name: str, shift: float, *, seed: int = 1) -> Subject:
    """Sixty pictures in six folds, the same for every network but for `shift`."""
    rng = np.random.default_rng(0)
    base = {f"p{index:02}": 0.75 + 0.2 * rng.random() for index in range(60)}
    noise = np.random.default_rng(round(1000 * shift) + 7).normal(0, 0.01, 60)
    shifted = {key: base[key] + shift + noise[i] for i, key in enumerate(base)}
    folds = [dict(list(shifted.items())[fold::6]) for fold in range(6)]
    runs = tuple(run(one, seed=seed, fold=(42, number + 1)) for number, one in enumerate(folds))
    return Subject(name, name, runs)


def network(subject: Subject, **known: dict[str, str]) -> NetworkAnalysis:
    analysis = analyse([subject], groups=known.get("groups", {}), sources=known.get("sources", {}))
    return analysis.networks[0]


def test_network__every_metric_from_its_definition() -> None:
    ious = {"a": 0.9, "b": 0.8, "c": 0.55}
    found = network(Subject("unet", "unet", (run(ious),))).metrics
    values = list(ious.values())
    expected = {
        "iou": np.mean(values),
        "iou_sd": np.std(values, ddof=1),
        "iou_median": 0.8,
        "iou_p05": np.percentile(values, 5),
        "dice": np.mean([2 * v / (1 + v) for v in values]),
        "dataset_iou": np.mean(values),  # all people are of one size
        "dataset_dice": 2 * np.mean(values) / (1 + np.mean(values)),
        "pixel_accuracy": 1 - 0.2 * (1 - np.mean(values)),
        "precision": 1.0,
        "recall": np.mean(values),
        "boundary_iou": np.mean([0.45, 0.40, 0.28]),
        "surface_dice_05": np.mean([90, 80, 55]) / 160,
        "surface_dice_10": np.mean([108, 96, 66]) / 160,
        "assd": np.mean([1 - v for v in values]) / np.hypot(40, 50),
        "hd95": 2 / np.hypot(40, 50),
        "ece": (1 + 1) / 20,
    }
    missed = 400 * sum(1 - v for v in values)
    background = (3 * 1600) / (3 * 1600 + missed)
    expected["two_class_miou"] = (np.mean(values) + background) / 2
    assert {name: one.estimate for name, one in found.items()} == pytest.approx(expected)
    for name in ("iou", "iou_sd", "dataset_iou", "two_class_miou"):
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert low <= found[name].estimate <= high


def test_network__seeds_and_repeats_are_averaged_per_picture() -> None:
    runs = (run({"a": 0.8, "b": 0.6}), run({"a": 0.9, "b": 0.9}, seed=2))
    one = network(Subject("fpn", "fpn", runs))
    assert one.images == 2
    assert one.metrics["iou"].estimate == pytest.approx(np.mean([0.85, 0.75]))
    assert one.metrics["iou_sd"].estimate == pytest.approx(np.std([0.85, 0.75], ddof=1))
    assert one.seed_sd == pytest.approx(statistics.stdev([0.7, 0.9]))
    assert one.fold_ious == pytest.approx((0.7, 0.9))
    assert one.train_iou == pytest.approx(0.95)
    assert one.gap == pytest.approx(0.15)


def test_network__one_seed_has_no_spread_and_old_runs_no_gap() -> None:
    one = network(Subject("fpn", "fpn", (run({"a": 0.8, "b": 0.6}, train_iou=None),)))
    assert (one.seed_sd, one.train_iou, one.gap) == (None, None, None)


def test_network__groups_widen_intervals() -> None:
    ious = {f"p{index}": 0.9 if index < 10 else 0.6 for index in range(20)}
    subject = Subject("unet", "unet", (run(ious),))
    halves = {name: "high" if value > 0.8 else "low" for name, value in ious.items()}
    alone = network(subject).metrics["iou"]
    together = network(subject, groups=halves).metrics["iou"]
    assert alone.low is not None
    assert together.low is not None
    assert together.low < alone.low
    assert together.estimate == alone.estimate


def test_network__pictures_without_people() -> None:
    nobody = [image(name, 0.0, truth=0).model_copy(update={"tn": 2000}) for name in "xy"]
    marked = nobody[1].model_copy(update={"fp": 200, "tn": 1800})
    plain = run({"a": 0.9})
    subject = Subject("u", "unet", (plain.__class__(**{
        **plain.__dict__, "scores": (*plain.scores, nobody[0], marked)
    }),))  # fmt: skip
    one = network(subject)
    assert (one.images, one.undefined) == (3, 2)
    assert one.metrics["false_positive_images"].estimate == 0.5
    assert one.metrics["false_positive_area"].estimate == pytest.approx(0.05)
    for metric in ("iou", "recall"):  # what is marked where nobody is does not count here
        assert one.metrics[metric].estimate == pytest.approx(0.9)
    assert one.metrics["dataset_iou"].estimate == pytest.approx(360 / 600)


def half_empty(name: str, marked: int) -> Subject:
    """Sixty pictures with a person found to 0.9, and sixty without one, `marked` pixels in each."""
    people = [
        ImageScore(
            id=f"p{number}",
            height=100,
            width=100,
            tp=3600,
            fp=0,
            fn=400,
            tn=6000,
            boundary_intersection=900,
            boundary_union=1000,
        )
        for number in range(60)
    ]
    nobody = [
        ImageScore(
            id=f"e{number}",
            height=100,
            width=100,
            tp=0,
            fp=marked,
            fn=0,
            tn=10_000 - marked,
            boundary_intersection=0,
            boundary_union=marked,
        )
        for number in range(60)
    ]
    base = run({"p0": 0.9})
    scores = (*people, *nobody)
    return Subject(name, name, (dataclasses.replace(base, scores=scores, fold=(42, 0)),))


def test_half_empty_data__means_and_differences_are_of_the_same_pictures() -> None:
    """A network that marks half of every empty picture has the IoU of one that marks nothing."""
    networks = [half_empty("unet", 0), half_empty("deeplabv3plus", 5000)]
    analysis = analyse(networks, groups={}, sources={})
    for one in analysis.networks:
        assert one.metrics["iou"].estimate == pytest.approx(0.9)
        assert one.metrics["boundary_iou"].estimate == pytest.approx(0.9)
        assert one.undefined == 60
    for compared in analysis.pairs:
        assert (compared.images, compared.difference.estimate) == (60, 0.0)
    alarms = [one.metrics["false_positive_images"].estimate for one in analysis.networks]
    areas = [one.metrics["false_positive_area"].estimate for one in analysis.networks]
    assert (alarms, areas) == ([0.0, 1.0], [0.0, 0.5])
    (pair,) = analysis.false_alarms
    assert (pair.first, pair.second, pair.images) == ("unet", "deeplabv3plus", 60)
    assert (pair.marked.estimate, pair.area.estimate) == (-1.0, -0.5)


@pytest.mark.parametrize(
    ("ours", "theirs", "count", "clear"),
    [
        (0, 5000, 29, (False, False)),  # too few pictures
        (0, 5000, 30, (True, True)),
        (5, 5, 60, (False, False)),
        (5, 10, 60, (False, False)),  # 0.05 % and 0.1 %: neither is above a thousandth
        (5, 11, 60, (True, False)),  # 0.11 % is
        (400, 450, 60, (False, False)),  # both mark all of them; half a point of area apart
        (400, 550, 60, (False, True)),
    ],
)
def test_false_alarms__clear_only_on_enough_pictures_and_far_enough_apart(
    ours: int, theirs: int, count: int, clear: tuple[bool, bool]
) -> None:
    def some(name: str, marked: int, seeds: tuple[int, ...]) -> Subject:
        whole = half_empty(name, marked).runs[0]
        part = dataclasses.replace(whole, scores=whole.scores[: 60 + count])
        return Subject(name, name, tuple(dataclasses.replace(part, seed=seed) for seed in seeds))

    several = [some("a", ours, (1, 2)), some("b", theirs, (1, 2))]
    (pair,) = analyse(several, groups={}, sources={}).false_alarms
    assert (pair.marked_clear, pair.area_clear, pair.clear) == (*clear, any(clear))
    one_each = [some("a", ours, (1,)), some("b", theirs, (1,))]
    (pair,) = analyse(one_each, groups={}, sources={}).false_alarms
    assert not pair.clear, "one training of each shows nothing clear"


@pytest.mark.parametrize("trainings", ["seeds", "folds"])
def test_false_alarms__equal_networks_differ_clearly_in_at_most_a_twentieth(trainings: str) -> None:
    """Three networks alike, whose trainings mark more or less by chance, on 60 images each."""
    rng = np.random.default_rng(3)

    def trained(name: str, propensity: NDArray[np.float64]) -> Subject:
        runs, base = [], run({"p0": 0.9})
        for number in range(5):
            marks = rng.random(60) < 1 / (1 + np.exp(-(propensity + rng.normal(0, 0.5))))
            whole = half_empty(name, 0).runs[0].scores[60:]
            scores = [
                score.model_copy(update={"fp": 2000 * int(mark), "tn": 10_000 - 2000 * int(mark)})
                for score, mark in zip(whole, marks, strict=True)
            ]
            if trainings == "folds":
                part = tuple(scores[number::5])
                runs.append(dataclasses.replace(base, scores=part, fold=(42, number + 1)))
            else:
                runs.append(dataclasses.replace(base, scores=tuple(scores), seed=number))
        return Subject(name, name, tuple(runs))

    claimed = 0
    for _ in range(60):
        propensity = rng.normal(-0.5, 1, 60)
        networks = [trained(name, propensity) for name in "abc"]
        claimed += any(pair.clear for pair in compare_false_alarms(networks, {}))
    assert claimed <= 6  # 5 % of 60, and chance: P(more than 6) is 3 % at 5 %


def test_false_alarms__of_unfinished_or_other_folds_show_nothing_clear() -> None:
    def network(name: str, marked: int, *, left: int, empty: int) -> Subject:
        whole = half_empty(name, marked).runs[0]
        runs = [dataclasses.replace(whole, seed=1, fold=(42, number + 1)) for number in range(left)]
        second = dataclasses.replace(whole, seed=2, fold=(42, 1), scores=whole.scores[: 60 + empty])
        return Subject(name, name, (*runs, second))

    both = [network("a", 0, left=2, empty=0), network("b", 5000, left=3, empty=0)]
    (pair,) = compare_false_alarms(both, {})
    assert not pair.clear


def test_false_alarms__a_seed_that_saw_no_empty_picture_counts_for_nothing() -> None:
    def network(name: str, marked: int) -> Subject:
        whole = half_empty(name, marked).runs[0]
        runs = [dataclasses.replace(whole, seed=seed, fold=(42, 0)) for seed in (1, 2)]
        blind = dataclasses.replace(whole, seed=3, fold=(42, 0), scores=whole.scores[:60])
        return Subject(name, name, (*runs, blind))

    (pair,) = compare_false_alarms([network("a", 0), network("b", 5000)], {})
    assert pair.clear


def test_false_alarms__none_without_empty_pictures() -> None:
    both = [cross_validated("a", 0.0), cross_validated("b", 0.1)]
    assert analyse(both, groups={}, sources={}).false_alarms == ()


def test_strata__thirds_of_the_foreground_and_sources() -> None:
    scores = tuple(image(f"p{n}", 0.5 + n / 20, truth=100 + 100 * n) for n in range(9))
    base = run({"p0": 0.5})
    subject = Subject("u", "unet", (RunScores(**{**base.__dict__, "scores": scores}),))
    sources = {f"p{n}": "web" if n < 6 else "camera" for n in range(9)}
    strata = {(one.kind, one.name): one for one in network(subject, sources=sources).strata}
    assert {key: one.images for key, one in strata.items()} == {
        ("size", "small"): 3,
        ("size", "medium"): 3,
        ("size", "large"): 3,
        ("source", "camera"): 3,
        ("source", "web"): 6,
    }
    small = strata["size", "small"].metrics["iou"].estimate
    assert small == pytest.approx(np.mean([0.5, 0.55, 0.6]))


def pair(analysis: Analysis, metric: str = "iou") -> tuple[float, bool, tuple[str, ...]]:
    found = next(one for one in analysis.pairs if one.metric == metric)
    return found.difference.estimate, found.evidence, found.doubts


def test_pairs__a_clear_difference_is_claimed_and_noise_is_not() -> None:
    best, worse, level = (
        cross_validated(name, shift) for name, shift in (("a", 0.04), ("b", 0.0), ("c", 0.041))
    )
    difference, evidence, doubts = pair(analyse([best, worse], groups={}, sources={}))
    assert difference == pytest.approx(0.04, abs=0.01)
    assert (evidence, doubts) == (True, ())
    _, evidence, doubts = pair(analyse([best, level], groups={}, sources={}))
    assert not evidence
    assert "small" in doubts


def test_pairs__fold_test_uses_means_of_folds() -> None:
    first, second = cross_validated("a", 0.03), cross_validated("b", 0.0)
    found = analyse([first, second], groups={}, sources={}).pairs[0]
    folds = [
        statistics.fmean(
            (x.iou or 0.0) - (y.iou or 0.0) for x, y in zip(one.scores, other.scores, strict=True)
        )
        for one, other in zip(first.runs, second.runs, strict=True)
    ]
    t = np.mean(folds) / np.sqrt((1 / 6 + 0.25) * np.var(folds, ddof=1))
    assert found.corrected_t == pytest.approx(t)
    assert found.corrected_df == 5


def test_pairs__seeds_on_the_same_folds_are_no_repeats() -> None:
    def with_two_seeds(name: str, shift: float) -> Subject:
        runs = [*cross_validated(name, shift).runs, *cross_validated(name, shift, seed=2).runs]
        return Subject(name, name, tuple(runs))

    found = analyse(
        [with_two_seeds("a", 0.03), with_two_seeds("b", 0.0)], groups={}, sources={}
    ).pairs[0]
    assert found.corrected_df == 5
    assert found.images == 60


def test_pairs__other_folds_are_no_evidence() -> None:
    first, second = cross_validated("a", 0.05), cross_validated("b", 0.0)
    other = tuple(RunScores(**{**one.__dict__, "fold": (43, one.fold[1])}) for one in second.runs)
    found = analyse([first, Subject("b", "b", other)], groups={}, sources={}).pairs[0]
    assert (found.evidence, found.doubts, found.corrected_p) == (False, ("folds",), None)


def test_pairs__without_folds_there_is_no_fold_test() -> None:
    first = Subject("a", "unet", (run({"x": 0.9, "y": 0.8}),))
    second = Subject("b", "fpn", (run({"x": 0.8, "z": 0.8}),))
    found = analyse([first, second], groups={}, sources={}).pairs[0]
    assert (found.images, found.corrected_p) == (1, None)


def test_pairs__one_training_each_is_no_evidence_however_clear() -> None:
    first = run({f"p{number}": 0.9 for number in range(60)})
    second = run({f"p{number}": 0.7 + number / 1000 for number in range(60)})
    both = [Subject("a", "a", (first,)), Subject("b", "b", (second,))]
    found = analyse(both, groups={}, sources={}).pairs[0]
    assert (found.evidence, found.equivalent, found.doubts) == (False, False, ("training",))


def over_seeds(name: str, means: list[float]) -> Subject:
    """Forty pictures on one split, scored by a training of each mean."""
    spread = np.random.default_rng(4).normal(0, 0.02, 40)
    runs = [
        run({f"p{i:02}": mean + spread[i] for i in range(40)}, seed=seed)
        for seed, mean in enumerate(means)
    ]
    return Subject(name, name, tuple(runs))


def test_pairs__other_pictures_are_no_evidence() -> None:
    """Ten points on all 40 shared pictures, in three seeds each; one network has 40 more."""
    shared = {f"{number:02}": 0.6 + number / 200 for number in range(40)}
    more = {f"more-{number}": 0.9 for number in range(40)}
    better = {name: iou + 0.1 for name, iou in shared.items()}
    seeds = (1, 2, 3)
    first = Subject("a", "a", tuple(run(better | more, seed=seed) for seed in seeds))
    second = Subject("b", "b", tuple(run(shared, seed=seed) for seed in seeds))
    analysis = analyse([first, second], groups={}, sources={})
    (found,) = [each for each in analysis.pairs if each.metric == "iou"]
    assert found.difference.estimate == pytest.approx(0.1, abs=0.002)
    assert (found.evidence, found.equivalent) == (False, False)
    assert "pictures" in found.doubts


def test_parts__count_the_pictures_with_a_person() -> None:
    """Two of source s have somebody in them, and one has not."""
    known = run({"x": 0.9, "y": 0.8, "z": 0.0, "w": 0.7})
    empty = known.scores[2].model_copy(update={"fn": 0, "tn": 2000})
    tested = dataclasses.replace(known, scores=(*known.scores[:2], empty, known.scores[3]))
    subject = Subject("a", "a", (tested,))
    sources = {"x": "s", "y": "s", "z": "s", "w": "t"}
    analysis = analyse([subject], groups={}, sources=sources, without={"s": [subject]})
    strata = {each.name: each.images for each in analysis.networks[0].strata}
    assert (strata["s"], strata["t"]) == (2, 1)
    assert analysis.sources[0].images == 3


def test_pairs__several_seeds_are_tested_over_seeds() -> None:
    first, second = over_seeds("a", [0.90, 0.91, 0.92]), over_seeds("b", [0.80, 0.82, 0.81])
    found = analyse([first, second], groups={}, sources={}).pairs[0]
    assert (found.evidence, found.doubts) == (True, ())
    assert found.seeds_df == pytest.approx(4, abs=0.2)  # both vary alike; counts are whole pixels
    assert found.seeds_t == pytest.approx(0.1 / np.sqrt(2 * 0.0001 / 3), rel=0.1)
    assert found.corrected_p is None
    lucky = over_seeds("b", [0.93, 0.85, 0.86])
    found = analyse([first, lucky], groups={}, sources={}).pairs[0]
    assert (found.evidence, "seeds" in found.doubts) == (False, True)
    single = over_seeds("b", [0.80])
    found = analyse([first, single], groups={}, sources={}).pairs[0]
    assert (found.evidence, found.doubts) == (False, ("training",))


def test_pairs__no_verdict_on_a_network_below_the_baseline() -> None:
    first, second = over_seeds("a", [0.90, 0.91, 0.92]), over_seeds("b", [0.3, 0.31, 0.32])
    weak = tuple(dataclasses.replace(one, weak=one.seed == 1) for one in second.runs)
    analysis = analyse([first, Subject("b", "b", weak)], groups={}, sources={})
    assert [one.weak for one in analysis.networks] == [False, True]
    assert all(not found.evidence and "weak" in found.doubts for found in analysis.pairs)


def test_scores_of__holds_what_the_tests_rest_on() -> None:
    """58 tested and 203 trained on, by hand; weak at the baseline's own score, not above it."""
    config = TrainConfig.model_validate({"split": {"protocol": "folds", "folds": 5, "fold": 2}})
    tested = [plain_score(f"t{number}", 0.5) for number in range(58)]
    result = run_result(
        "unet-fold2",
        config,
        tested,
        baselines={"mean_mask": summarise([plain_score("t0", 0.5)])},
        train=[f"n{number}" for number in range(203)],
    )
    scores = scores_of(result)
    assert scores.test_over_train == pytest.approx(0.285714, abs=1e-6)
    assert (scores.fold, scores.weak) == ((42, 2), True)
    better = result.model_copy(
        update={"baselines": {"mean_mask": summarise([plain_score("t0", 0.499)])}}
    )
    assert not scores_of(better).weak


def test_analysis__counts_what_it_rests_on() -> None:
    runs = cross_validated("a", 0.0).runs
    again = tuple(RunScores(**{**one.__dict__, "fold": (43, one.fold[1])}) for one in runs)
    analysis = analyse(
        [Subject("a", "a", (*runs, *again))], groups={"p00": "g", "p01": "g"}, sources={}
    )
    assert (analysis.images, analysis.groups) == (60, 59)
    assert (analysis.folds, analysis.repeats, analysis.seeds) == (6, 2, 1)


def test_analysis__nothing_to_analyse() -> None:
    with pytest.raises(ValueError, match="No scores"):
        analyse([], groups={}, sources={})


def test_sources__seen_and_unseen_are_paired() -> None:
    main = cross_validated("a", 0.0)
    ious = {name: value for name, value in main.metric("iou").items() if value is not None}
    camera = [name for name in ious if int(name[1:]) < 20]
    without = Subject("a", "a", (run({name: ious[name] - 0.1 for name in camera}),))
    found = analyse([main], groups={}, sources={}, without={"camera": [without]}).sources[0]
    assert (found.source, found.images) == ("camera", 20)
    assert found.seen is not None
    assert found.gap is not None
    assert found.gap.estimate == pytest.approx(0.1, abs=0.002)  # counts are whole pixels
    assert found.seen.estimate - found.unseen.estimate == pytest.approx(found.gap.estimate)


def test_sources__a_single_split_has_no_seen_pictures() -> None:
    main = Subject("a", "a", (run({"x": 0.9, "y": 0.8}),))
    found = analyse([main], groups={}, sources={}, without={"s": [main]}).sources[0]
    assert (found.seen, found.gap) == (None, None)


def test_external__copies_count_as_one_picture() -> None:
    """Two photographs, each of them five times: the interval is that of two, not of ten."""
    values = {f"{number}-{copy}": 0.6 + 0.2 * number for number in range(2) for copy in range(5)}
    scores = tuple(plain_score(name, iou) for name, iou in values.items())
    run = RunScores("a", scores)
    groups = {name: name[0] for name in values}
    found = analyse_external(Subject("a", "a", (run,)), groups, name="x", fingerprint="f" * 64)
    iou = found.metrics["iou"]
    assert (iou.estimate, iou.low, iou.high) == pytest.approx((0.7, 0.6, 0.8))


def test_external__all_runs_on_all_pictures() -> None:
    subject = Subject("a", "unet", (run({"x": 0.8, "y": 0.6}), run({"x": 0.6, "y": 0.6})))
    found = analyse_external(subject, {}, name="elsewhere", fingerprint="f" * 64)
    assert (found.data, found.images, found.person_free) == ("elsewhere", 2, 0)
    assert found.metrics["iou"].estimate == pytest.approx(0.65)


def corrupted(
    pictures: tuple[str, ...], clean: list[float | None], factor: float
) -> CorruptedScores:
    levels = tuple(
        tuple(None if one is None else one * factor**severity for one in clean)
        for severity in (1, 2)
    )
    return CorruptedScores(
        data_fingerprint="0" * 64,
        environment=MACHINE,
        images=pictures,
        clean=tuple(clean),
        ious={"fog": levels},
    )


def test_robustness__retention_is_kept_over_clean() -> None:
    records = [corrupted(("a", "b"), [0.8, 0.4], 0.5), corrupted(("c", "d"), [0.6, None], 0.5)]
    (found,) = analyse_robustness("unet", records, {})
    assert (found.images, found.corruption) == (3, "fog")
    assert found.clean == pytest.approx(0.6)
    assert found.severities == pytest.approx((0.3, 0.15))
    assert found.retention.estimate == pytest.approx((0.5 + 0.25) / 2)


def test_robustness__retention_is_a_ratio_of_sums() -> None:
    """0.8 falls to 0.4 and 0.2 to 0.02: (0.4 + 0.02) / (0.8 + 0.2), not (0.5 + 0.1) / 2."""
    record = CorruptedScores(
        data_fingerprint="0" * 64,
        environment=MACHINE,
        images=("a", "b"),
        clean=(0.8, 0.2),
        ious={"fog": ((0.4, 0.02),)},
    )
    (found,) = analyse_robustness("unet", [record], {})
    assert found.retention.estimate == pytest.approx(0.42)


def test_robustness__nothing_to_keep() -> None:
    assert analyse_robustness("unet", [corrupted(("a",), [None], 0.5)], {}) == ()
