from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders.records import plain_score

from humanseg.config.schema import EvaluationConfig
from humanseg.report.load_study import comparison_study, load_studies, load_study
from humanseg.report.study import Study
from humanseg.report.study_plan import lacking_runs
from humanseg.report.text.protocol_text import protocol
from humanseg.report.text.summary_text import answer, basis
from humanseg.report.text.verdict import headline
from humanseg.results import Analysis, Calibration, Leak

StudyMaker = Callable[..., Study]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def with_analysis(study: Study, **changes: object) -> Study:
    assert study.analysis is not None
    values = study.analysis.model_dump() | changes
    return dataclasses.replace(study, analysis=Analysis.model_validate(values))


def test_headline__clear_difference_is_a_recommendation_with_its_interval(
    study_of: StudyMaker,
) -> None:
    scores = {"unet": [0.90, 0.91], "fpn": [0.85, 0.86], "deeplabv3plus": [0.7, 0.7]}
    study = study_of({arch: [values] * 2 for arch, values in scores.items()})
    assert plain(headline(study)) == (
        "Use U-Net on the evidence of one split: per-image IoU 0.905 [0.900, 0.910], 5.0 points "
        "above FPN (95 % interval 4.5 to 5.5)."
    )


def test_headline__one_training_each_is_no_recommendation(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.90, 0.91]], "fpn": [[0.85, 0.86]], "deeplabv3plus": [[0.7, 0.7]]})
    assert plain(headline(study)) == (
        "U-Net scored highest here: per-image IoU 0.905 [0.900, 0.910], 5.0 points above FPN "
        "(95 % interval 4.5 to 5.5). One training of each cannot tell whether another one would "
        "come out the same; several seeds of each, or five folds or more, can."
    )
    said = answer(study)
    texts = " ".join((said.headline, *said.findings))
    assert "Use " not in texts
    assert "clear" not in texts


def test_headline__no_winner_by_the_third_decimal(study_of: StudyMaker) -> None:
    scores = {"unet": 0.902, "fpn": 0.900, "deeplabv3plus": 0.8}
    study = study_of({arch: [[value] * 6] * 2 for arch, value in scores.items()})
    assert plain(headline(study)) == (
        "U-Net and FPN are equal within 2 points of per-image IoU on the evidence of one split "
        "(DeepLabV3+ scored lower): use FPN, which needs the fewest MACs (2.01 G per picture)."
    )


def test_headline__no_evidence_is_not_equality(study_of: StudyMaker) -> None:
    """Ten points lower by a test that proves nothing is no reason to use the cheaper network."""
    study = study_of({"unet": [[0.9] * 6] * 2, "deeplabv3plus": [[0.8] * 6] * 2})
    pairs = [
        pair.model_dump()
        | {
            "difference": {"estimate": 0.1, "low": 0.088, "high": 0.111},
            "evidence": False,
            "doubts": ("folds",),
            "corrected_holm": 0.21,
        }
        for pair in study.analysis.pairs
    ]
    assert plain(headline(with_analysis(study, pairs=pairs))) == (
        "Undecided between U-Net and DeepLabV3+ in per-image IoU: U-Net scored 10.0 points higher "
        "than DeepLabV3+ (95 % interval 8.8 to 11.1), but the corrected t-test over folds is not "
        "significant (p = 0.210). Five folds or more can decide."
    )


def test_warnings__say_what_was_doubted_of_the_training_masks(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9, 0.91]], "fpn": [[0.85, 0.86]]})
    doubted = tuple(
        dataclasses.replace(
            network,
            scored=tuple(run.model_copy(update={"label_doubts": doubts}) for run in network.runs),
        )
        for network, doubts in zip(study.networks, (("a.", "b."), ("b.",)), strict=True)
    )
    said = answer(dataclasses.replace(study, networks=doubted)).warnings
    assert [text for text in said if "masks" in text] == [
        "True masks may be wrong: a.",
        "True masks may be wrong: b.",
    ]


def test_finding__higher_on_average_and_lower_on_most_pictures(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 6] * 2, "fpn": [[0.88] * 6] * 2})
    pairs = [
        pair.model_dump()
        | {"evidence": False, "doubts": ("direction",), "median": -0.004, "rank_biserial": -0.4}
        for pair in study.analysis.pairs
    ]
    said = answer(with_analysis(study, pairs=pairs))
    assert "Use" not in said.headline
    assert said.findings[0].endswith(
        ": undecided, because U-Net is higher on average, but lower on most pictures."
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_headline__names_what_is_marked_where_nobody_is(study_of: StudyMaker, seeds: int) -> None:
    """No verdict by IoU may hide that a network sees people where nobody is."""
    study = study_of({"unet": [[0.9] * 6] * seeds, "fpn": [[0.9] * 6] * seeds})
    networks = [network.model_dump() for network in study.analysis.networks]
    for network, share in zip(networks, (0.0, 1.0), strict=True):
        network["metrics"]["false_positive_images"] = {"estimate": share}
        network["metrics"]["false_positive_area"] = {"estimate": share / 2}
    alarms = {
        "first": "unet",
        "second": "fpn",
        "images": 60,
        "marked": {"estimate": -1.0, "low": -1.0, "high": -1.0},
        "area": {"estimate": -0.5, "low": -0.5, "high": -0.5},
        "clear": True,
        "marked_clear": True,
        "area_clear": True,
    }
    loud = with_analysis(study, networks=networks, false_alarms=[alarms])
    assert plain(headline(loud)).endswith(
        "In 60 pictures without people they differ clearly: somebody is marked in 0 % of them "
        "(0.0 % of the area) with U-Net and 100 % of them (50.0 % of the area) with FPN."
    )
    if seeds > 1:  # equal by IoU, and FPN needs fewer MACs
        assert "use U-Net, which marks fewer pictures and less area where nobody is." in headline(
            loud
        )
    quiet = with_analysis(study, networks=networks, false_alarms=[alarms | {"clear": False}])
    assert "without people" not in headline(quiet)


def test_headline__no_verdict_on_a_network_below_the_baseline(study_of: StudyMaker) -> None:
    one = study_of({"unet": [[0.9] * 6] * 2, "fpn": [[0.3] * 6] * 2})
    assert headline(one) == (
        "U-Net reaches 0.900 [0.895, 0.905] per-image IoU; there is no verdict on FPN, no better "
        "than the mean training mask, the same answer to every picture."
    )
    assert "no verdict, because FPN is no better than the mean" in answer(one).findings[0]
    none = study_of({"unet": [[0.35] * 6], "fpn": [[0.3] * 6]})
    assert headline(none) == (
        "No verdict: per-image IoU is 0.350 [0.345, 0.355] with U-Net and 0.300 [0.295, 0.305] "
        "with FPN, and nothing is concluded from networks that are no better than the mean "
        "training mask, the same answer to every picture."
    )


def test_headline__level_networks_are_told_apart_by_contours_and_cost(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.902] * 6] * 2, "fpn": [[0.900] * 6] * 2})
    pairs = []
    for pair in study.analysis.pairs:
        values = pair.model_dump()
        if pair.metric == "boundary_iou":
            values |= {
                "difference": {"estimate": 0.032, "low": 0.02, "high": 0.04},
                "evidence": True,
                "doubts": (),
            }
        pairs.append(values)
    changed = with_analysis(study, pairs=pairs)
    assert plain(headline(changed)) == (
        "U-Net and FPN are equal within 2 points of per-image IoU on the evidence of one split: "
        "use U-Net, which has the better contours (Boundary IoU 3.2 points above FPN), or FPN, "
        "which needs the fewest MACs (2.01 G per picture)."
    )
    for values in pairs:
        values["difference"]["estimate"] *= -1 if values["metric"] == "boundary_iou" else 1
    other_way = with_analysis(study, pairs=pairs)
    assert "use FPN, which needs the fewest MACs" in plain(headline(other_way))


def test_headline__equal_networks_by_time_only_where_times_compare(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 6] * 2, "fpn": [[0.9] * 6] * 2})
    runs = [
        run.model_copy(update={"cost": run.cost.model_copy(update={"macs": 7})})
        for run in study.runs
    ]
    assert study.result is not None
    alike = comparison_study(Path(), study.result.model_copy(update={"runs": tuple(runs)}))
    assert "use FPN, which trains fastest (2 min 26 s)" in plain(headline(alike))
    threads = runs[0].environment.model_copy(update={"threads": 16})
    runs[0] = runs[0].model_copy(update={"environment": threads})
    apart = comparison_study(Path(), study.result.model_copy(update={"runs": tuple(runs)}))
    assert headline(apart).endswith("evidence of one split: choose by other criteria.")
    assert any("numbers of threads" in text for text in answer(apart).warnings)


def test_headline__does_not_recommend_what_did_worse_than_those_behind(
    study_of: StudyMaker,
) -> None:
    study = study_of({"unet": [[0.9] * 6], "fpn": [[0.85] * 6], "deeplabv3plus": [[0.8] * 6]})
    assert study.analysis is not None
    pairs = [
        pair.model_dump()
        | {"evidence": pair.second == "fpn", "equivalent": pair.second != "fpn", "doubts": ()}
        for pair in study.analysis.pairs
    ]
    assert headline(with_analysis(study, pairs=pairs)) == (
        "U-Net and DeepLabV3+ are equal within 2 points of per-image IoU on the evidence of one "
        "split (FPN scored lower): use U-Net, which has the highest mean."
    )


def test_headline__seed_spread_counts(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.95] * 6, [0.85] * 6], "fpn": [[0.87] * 6, [0.87] * 6]})
    assert headline(study).startswith("Undecided between U-Net and FPN")
    said = plain(answer(study).findings[0])
    assert "the t-test over seeds is not significant (p = 0.300)" in said


def test_headline__one_network(study_of: StudyMaker) -> None:
    study = study_of({"fpn": [[0.9, 0.9]]})
    assert headline(study) == (
        "FPN reaches 0.900 [0.895, 0.905] per-image IoU; no other network was scored."
    )
    assert "In the same order" not in answer(study).cost


def test_headline__nothing_finished(study_of: StudyMaker) -> None:
    study = study_of({"unet": []})
    said = answer(study)
    assert said.headline == "No run finished: there is nothing to compare."
    assert said.findings == ()
    assert said.cautions == ()
    assert said.generalisation == ()
    assert said.cost == ""


def test_answer__of_an_interrupted_comparison_says_what_is_missing(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.95] * 40], "fpn": [[0.60] * 40]}, analysed=False)
    said = answer(study)
    assert said.headline.startswith("U-Net scored highest here: per-image IoU 0.950")
    assert said.cautions[0] == (
        "The comparison was interrupted: checks of the data and tests on other data are missing. "
        "Run the same humanseg compare command again to finish it."
    )


def test_finding__says_why_there_is_no_evidence(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.902] * 6], "fpn": [[0.900] * 6]})
    assert study.analysis is not None
    pairs = [
        pair.model_dump()
        | {
            "doubts": ("interval", "wilcoxon", "folds", "training", "small"),
            "corrected_holm": 0.31,
        }
        for pair in study.analysis.pairs
    ]
    text = plain(answer(with_analysis(study, pairs=pairs)).findings[0])
    assert text == (
        "U-Net has the highest per-image IoU, 0.902 [0.897, 0.907]. FPN (0.900 [0.895, 0.905]) is "
        "0.2 points lower (95 % interval −0.3 to 0.7): undecided, because one training of each "
        "cannot tell whether another one would come out the same, it is below one point, its "
        "interval includes zero, the signed-rank test over pictures is not significant (p = 0.400) "
        "and the corrected t-test over folds is not significant (p = 0.310)."
    )


def test_cautions__single_seed_and_split(study_of: StudyMaker) -> None:
    single = study_of({"unet": [[0.9] * 3], "fpn": [[0.8] * 3]})
    double = study_of({"unet": [[0.9] * 3] * 2, "fpn": [[0.8] * 3] * 2})
    assert any("One training seed" in text for text in answer(single).cautions)
    assert not any("One training seed" in text for text in answer(double).cautions)
    assert any(text.startswith("One split") for text in answer(double).cautions)
    assert plain(basis(double)) == "3 test pictures, 2 training seeds per network"
    assert any("Only 3" in plain(text) for text in answer(double).cautions)


def test_answer__of_a_cross_validation(cross_data: Path) -> None:
    study = load_study(cross_data)
    said = answer(study)
    assert plain(basis(study)) == "12 test pictures, 3 folds, 2 training seeds per network"
    assert not any("One split" in text or "One training seed" in text for text in said.cautions)
    assert any("true masks of 3 pictures may be wrong" in plain(text) for text in said.cautions)
    assert any("1 pair of pictures" in plain(text) for text in said.cautions)
    assert not said.warnings
    assert "Cross-validation with 3 folds" in plain(protocol(study)[0])


def test_generalisation__one_sentence_per_kind_of_test(cross_data: Path) -> None:
    texts = [plain(text) for text in answer(load_study(cross_data)).generalisation]
    assert len(texts) == 5
    heart, graz, web, drawn, corrupted = texts
    assert heart.startswith("On training pictures, per-image IoU is 6.6 points higher for U-Net")
    assert "On 6 pictures of source graz" in graz
    assert "0.830 [0.825, 0.835] with FPN (5.0 points lower than when trained with it)" in graz
    assert "source web" in web
    assert "On the external data set drawn people (40 pictures, 39 with people)" in drawn
    assert "the IoU retained is 89.8 % with U-Net" in corrupted
    assert "under motion blur (86.4 %)" in corrupted


def test_limits__names_baseline_and_upper_bounds(cross_data: Path) -> None:
    text = answer(load_study(cross_data)).limits
    assert text.startswith("For scale, per-image IoU of the mean training mask, the same answer")
    assert "through the 80×80 output grid of FPN and DeepLabV3+: 0.986" in text
    assert "of the same photograph (pictures street/3 and street/7): 0.991." in text


def test_answer__of_an_evaluation(evaluation_data: Path) -> None:
    study = load_study(evaluation_data)
    said = answer(study)
    assert "no other network" not in said.headline
    assert said.cost == ""
    cautions = plain(" ".join(said.cautions))
    assert "2 pictures have no person in the true mask" in cautions
    assert "false positives only" in cautions
    assert "seed" not in cautions
    assert "models/unet" in protocol(study)[0]
    own = study.evaluations[0].model_copy(update={"trained_on": study.scored[0].data_fingerprint})
    network = dataclasses.replace(study.networks[0], scored=(own,))
    seen = dataclasses.replace(study, networks=(network,))
    assert any("trained on" in text for text in answer(seen).warnings)


def test_answer__side_by_side(compared: Path, evaluation_data: Path) -> None:
    said = answer(load_studies([compared, evaluation_data]))
    assert said.headline
    assert any("tested on different pictures" in text for text in said.warnings)


def test_warnings__divided_copies(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 3]})
    leak = Leak(first="0", second="1", kind="near", divided=True)
    (text,) = answer(with_analysis(study, leaks=(leak,))).warnings
    assert plain(text).startswith(
        "1 pair of duplicate pictures is divided between training and test"
    )
    apart = leak.model_copy(update={"divided": False})
    assert answer(with_analysis(study, leaks=(apart,))).warnings == ()


def test_warnings__network_below_the_baseline(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 3], "deeplabv3plus": [[0.3] * 3]}, floor=0.4)
    assert answer(study).warnings == (
        "DeepLabV3+ does not beat the mean training mask, the same answer to every picture (0.300 "
        "against 0.400): it has learned nothing useful, and no verdict is drawn from it. Train for "
        "more epochs, or check that masks belong to their pictures.",
    )


def test_warnings__averages_that_lag_behind_in_a_short_training(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.3] * 3]}, floor=0.4)
    run = study.runs[0]
    last = run.epochs[-1].model_copy(update={"train_iou": 0.85, "validation_iou": 0.21})
    short = run.model_copy(update={"epochs": (*run.epochs[:-1], last)})
    network = dataclasses.replace(study.networks[0], scored=(short,))
    (text,) = answer(dataclasses.replace(study, networks=(network,))).warnings
    assert plain(text).endswith(
        "In training its IoU reached 0.850, in validation only 0.210: in 36 steps the batch "
        "statistics and the moving average of the weights do not catch up with the weights. Train "
        "for more epochs."
    )


def test_warnings__runs_that_must_not_be_compared(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9]], "fpn": [[0.8]]})
    assert study.result is not None
    first, second = study.result.runs
    resolved = second.resolved.model_copy(update={"precision": "fp32"})
    split = second.split.model_copy(update={"train": ("other",)})
    changes = {"data_fingerprint": "00", "resolved": resolved, "split": split}
    runs = (first, second.model_copy(update=changes))
    changed = comparison_study(Path(), study.result.model_copy(update={"runs": runs}))
    text = " ".join(answer(changed).warnings)
    assert "fingerprints differ" in text
    assert "different splits" in text
    assert "different precisions" in text


def test_warnings__scored_in_different_ways(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9]], "fpn": [[0.8]]})
    assert study.result is not None
    first, second = study.result.runs
    assert "scored in different ways" not in " ".join(answer(study).warnings)
    config, setup = second.config, second.setup
    ways: list[tuple[str, dict[str, object]]] = [
        (
            name,
            {
                "config": config.model_copy(
                    update={"evaluation": config.evaluation.model_copy(update=change)}
                )
            },
        )
        for name, change in (
            ("threshold", {"threshold": 0.4}),
            ("flip averaging", {"flip_averaging": True}),
            ("regions left out", {"sure_share": 0.2}),
        )
    ]
    ways += [
        ("runtime", {"setup": setup.model_copy(update={"backend": "onnxruntime"})}),
        ("precision", {"setup": setup.model_copy(update={"precision": "int8"})}),
        ("reading of files", {"setup": setup.model_copy(update={"whole_files": False})}),
        (
            "version of humanseg",
            {"environment": second.environment.model_copy(update={"humanseg": "0.0.1"})},
        ),
    ]
    for name, update in ways:
        runs = (first, second.model_copy(update=update))
        changed = comparison_study(Path(), study.result.model_copy(update={"runs": runs}))
        assert (
            f"The networks were scored in different ways ({name}): differences are not due to the "
            "networks alone." in answer(changed).warnings
        )


@pytest.mark.parametrize(("iou", "warned"), [(0.98, False), (1.0, True)])
def test_warnings__masks_that_the_model_made_itself(
    evaluation_data: Path, iou: float, warned: bool
) -> None:
    study = load_study(evaluation_data)
    (evaluation,) = study.evaluations
    scores = [plain_score(str(number), iou) for number in range(30)]
    changed = evaluation.model_copy(update={"scores": tuple(scores)})
    network = dataclasses.replace(study.networks[0], scored=(changed,))
    said = plain(" ".join(answer(dataclasses.replace(study, networks=(network,))).warnings))
    assert ("models/unet's own almost to the pixel (median IoU 1.000)" in said) is warned


def test_cautions__many_pictures_of_few_people(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 40], "fpn": [[0.8] * 40]})
    assert "of only" not in " ".join(answer(study).cautions)
    people = dataclasses.replace(study, groups={str(n): str(n % 3) for n in range(40)})
    said = plain(" ".join(answer(people).cautions))
    assert "The 40 test pictures are of only 3 groups, such as people or scenes" in said
    assert plain(basis(people)).startswith("40 test pictures in 3 groups, 1 training")


def _emptied(study: Study, first: int) -> Study:
    """From this picture on nobody is in it."""
    assert study.result is not None
    runs = []
    for run in study.result.runs:
        scores = tuple(
            score.model_copy(update={"tp": 0, "fn": 0, "tn": 2000})
            if int(score.id) >= first
            else score
            for score in run.scores
        )
        runs.append(run.model_copy(update={"scores": scores}))
    return comparison_study(Path(), study.result.model_copy(update={"runs": tuple(runs)}))


def test_cautions__few_pictures_with_people_among_many(study_of: StudyMaker) -> None:
    """IoU is known by these alone, however many there are without people."""
    study = _emptied(study_of({"unet": [[0.9] * 60], "fpn": [[0.8] * 60]}), 8)
    assert plain(basis(study)).startswith("60 test pictures, 8 with people, 1 training seed")
    assert "Only 8 test pictures with people: intervals are rough." in map(
        plain, answer(study).cautions
    )
    assert "over 60 groups of pictures, 8 of them with people; related" in plain(
        " ".join(protocol(study))
    )
    groups = {str(n): str(n % 5 if n < 40 else n) for n in range(60)}
    many = dataclasses.replace(
        _emptied(study_of({"unet": [[0.9] * 60], "fpn": [[0.8] * 60]}), 40), groups=groups
    )
    assert plain(basis(many)).startswith(
        "60 test pictures in 25 groups, 40 with people in 5 groups, 1 training seed"
    )
    assert "The 40 test pictures with people are of only 5 groups" in plain(
        " ".join(answer(many).cautions)
    )


def test_answer__unfinished_networks_are_left_out_and_named(study_of: StudyMaker) -> None:
    result = study_of({"unet": [[0.8] * 3], "fpn": [[0.9] * 3]}).result
    assert result is not None
    study = comparison_study(Path(), result.model_copy(update={"missing": ("fpn-seed1",)}))
    said = answer(study)
    assert said.headline.startswith("U-Net reaches 0.800")
    assert any(text.startswith("FPN has unfinished runs") for text in said.cautions)


def test_lacking_runs__failed_and_missing_runs_are_named(unfinished_data: Path) -> None:
    study = load_study(unfinished_data)
    states = {run.name: (run.state, run.detail) for run in lacking_runs(study)}
    assert states["fpn-seed43"] == ("failed", "RuntimeError: out of memory\nafter 3 epochs <b>")
    assert states["deeplabv3plus-seed43"] == ("missing", "not reached")
    said = answer(study)
    assert any("was selected on the pictures that are scored" in text for text in said.warnings)
    assert any("different numbers of finished runs" in text for text in said.cautions)
    assert any("selection on the reported images" in text for text in protocol(study))


@pytest.mark.parametrize("name", ["compared", "cross_data", "unfinished_data", "evaluation_data"])
def test_answer__every_sentence_is_one(name: str, request: pytest.FixtureRequest) -> None:
    said = answer(load_study(request.getfixturevalue(name)))
    texts = [said.headline, *said.findings, *said.generalisation, *said.warnings, *said.cautions]
    texts += [text for text in (said.limits, said.cost) if text]
    for text in texts:
        assert text[0].isupper() or text[0].isdigit()
        assert text.endswith(".")
        assert "  " not in text
        assert "None" not in text


def test_protocol__says_what_was_done(study_of: StudyMaker) -> None:
    settings = {"threshold": 0.4, "flip_averaging": True, "sure_share": 0.2}
    study = study_of({"unet": [[0.9]]}, evaluation=settings)
    text = plain(" ".join(protocol(study)))
    assert "Hold-out split (seed 42): 40 training pictures, 3 validation pictures, 1 test" in text
    assert "nothing was selected" in text
    assert "from probability 0.4; probabilities are averaged" in text
    assert "Regions of which less than 20 % is sure are left out." in text
    assert "Encoder efficientnet-b0, starting weights: imagenet." in text
    assert "Run by torch in fp32 on cpu, whole files, humanseg 0.1.0." in text


def test_protocol__says_what_ran_each_network_where_they_differ(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9, 0.9]], "fpn": [[0.8, 0.8]]})
    setup = study.runs[1].setup.model_copy(update={"backend": "onnxruntime", "precision": "int8"})
    assert plain(" ".join(protocol(_with_runs(study, {}, {"setup": setup})))).count(
        "Run differently: U-Net by torch in fp32 on cpu, whole files, humanseg 0.1.0; FPN by "
        "onnxruntime in int8 on cpu, whole files, humanseg 0.1.0."
    )


def _with_runs(study: Study, *changes: dict[str, object]) -> Study:
    """Every network's runs changed, in the order of the networks."""
    networks = [
        dataclasses.replace(
            network, scored=tuple(run.model_copy(update=update) for run in network.runs)
        )
        for network, update in zip(study.networks, changes, strict=True)
    ]
    return dataclasses.replace(study, networks=tuple(networks))


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("training", {"epochs": 77}, "training.epochs"),
        ("model", {"image_size": (64, 96)}, "model.image_size"),
        ("augmentation", {"affine": 0.77}, "augmentation.affine"),
        ("data", {"repeat": 3}, "data.repeat"),
        ("training", {"seed": 77, "onnx": False}, ""),
        ("data", {"root": Path("elsewhere")}, ""),
    ],
)
def test_warnings__trained_with_different_settings(
    study_of: StudyMaker, section: str, change: dict[str, object], said: str
) -> None:
    study = study_of({"unet": [[0.9, 0.91]], "fpn": [[0.85, 0.86]]})
    config = study.networks[1].runs[0].config
    other = config.model_copy(update={section: getattr(config, section).model_copy(update=change)})
    text = plain(" ".join(answer(_with_runs(study, {}, {"config": other})).warnings))
    assert f"different settings ({said})" in text if said else "settings" not in text
    more = _with_runs(study, {}, {"further_data": {"more": "0" * 64}})
    assert "different settings (data.extra)" in plain(" ".join(answer(more).warnings))


def test_warnings__probabilities_where_logits_are_asked_for(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9, 0.91]], "fpn": [[0.85, 0.86]]})
    none = Calibration(pixels=(0,) * 15, probability=(0.0,) * 15, person=(0,) * 15)
    high, low = (
        none.model_copy(update={"pixels": tuple(100 * (bin_ >= first) for bin_ in range(15))})
        for first in (7, 6)
    )
    said = answer(_with_runs(study, {"calibration": high}, {"calibration": low})).warnings
    (text,) = [each for each in said if "logits" in each]
    assert plain(text).startswith("U-Net gives every pixel a probability of 0.47 or more")


def test_cautions__a_threshold_that_the_test_pictures_may_have_chosen(
    study_of: StudyMaker,
) -> None:
    study = study_of({"unet": [[0.9, 0.91]]})
    config = study.networks[0].runs[0].config
    tuned = config.model_copy(update={"evaluation": EvaluationConfig(threshold=0.37)})
    said = [plain(text) for text in answer(_with_runs(study, {"config": tuned})).cautions]
    assert [text for text in said if text.startswith("A pixel counts as a person from")] == [
        "A pixel counts as a person from probability 0.37, not 0.5: if these test pictures chose "
        "that, scores are too high for new ones."
    ]
    assert "0.37" not in " ".join(answer(study).cautions)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (0.4, "A pixel counts as a person from probability 0.05, not 0.4: if these test"),
        (None, "A pixel counts as a person from probability 0.05, not 0.5: if these test"),
        (0.05, ""),
    ],
)
def test_cautions__a_threshold_that_an_evaluation_was_asked_for(
    evaluation_data: Path, own: float | None, said: str
) -> None:
    study = load_study(evaluation_data)
    changes = {"evaluation": EvaluationConfig(threshold=0.05), "model_threshold": own}
    changed = study.evaluations[0].model_copy(update=changes)
    network = dataclasses.replace(study.networks[0], scored=(changed,))
    cautions = plain(" ".join(answer(dataclasses.replace(study, networks=(network,))).cautions))
    assert said in cautions
    assert ("A pixel counts" in cautions) is bool(said)


def test_warnings__figures_that_were_changed_by_hand(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9, 0.91]], "fpn": [[0.85, 0.86]]})
    assert "changed after" not in " ".join(answer(study).warnings)
    better = study.networks[1].runs[0].summary.model_copy(update={"iou_mean": 0.97})
    by_run = _with_runs(study, {}, {"summary": better})
    networks = [network.model_dump() for network in study.analysis.networks]
    networks[1]["metrics"]["iou"]["estimate"] = 0.97
    for changed in (by_run, with_analysis(study, networks=networks)):
        said = [plain(text) for text in answer(changed).warnings if "changed after" in text]
        assert len(said) == 1
        assert said[0].startswith("The per-image IoU of FPN is not the mean of its pictures")
