"""The headline where records are not what a comparison makes: no wrong reason, no wrong sign."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from humanseg.report.load_study import comparison_study, load_studies, load_study
from humanseg.report.study import Study
from humanseg.report.text.summary_text import answer
from humanseg.report.text.verdict import headline
from humanseg.results import Analysis, Evaluation, read_record, write_record

StudyMaker = Callable[..., Study]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def with_pairs(study: Study, changes: Mapping[tuple[str, str], Mapping[str, object]]) -> Study:
    """Other pairs of per-image IoU, by the names of their networks."""
    values = study.analysis.model_dump()
    for pair in values["pairs"]:
        if pair["metric"] == "iou":
            pair.update(changes.get((pair["first"], pair["second"]), {}))
    return dataclasses.replace(study, analysis=Analysis.model_validate(values))


def side_by_side(folder: Path, *studies: Study) -> Study:
    """Comparisons without a recorded analysis, in folders `a`, `b` and so on."""
    paths = []
    for name, study in zip("abc", studies, strict=False):
        assert study.result is not None
        paths.append(folder / name)
        write_record(paths[-1] / "results.json", study.result)
    return load_studies(paths)


def renamed(study: Study, names: Mapping[str, str]) -> Study:
    """Runs that tested other pictures."""
    assert study.result is not None
    runs = []
    for run in study.result.runs:
        scores = tuple(
            score.model_copy(update={"id": names.get(score.id, score.id)}) for score in run.scores
        )
        split = run.split.model_copy(update={"test": tuple(score.id for score in scores)})
        runs.append(run.model_copy(update={"scores": scores, "split": split}))
    return comparison_study(Path(), study.result.model_copy(update={"runs": tuple(runs)}))


EQUAL = {"evidence": False, "equivalent": True, "doubts": ("seeds",)}
CLEAR = {"evidence": True, "equivalent": False, "doubts": ()}
OPEN = {"evidence": False, "equivalent": False, "doubts": ("seeds",), "seeds_holm": 0.2}
THREE = {"unet": [[0.906] * 6] * 2, "fpn": [[0.905] * 6] * 2, "deeplabv3plus": [[0.893] * 6] * 2}


def test_headline__a_network_that_any_of_the_equal_ones_beats_is_not_equal(
    study_of: StudyMaker,
) -> None:
    pairs = {
        ("unet", "fpn"): EQUAL,
        ("unet", "deeplabv3plus"): EQUAL,
        ("fpn", "deeplabv3plus"): CLEAR,
    }
    assert plain(headline(with_pairs(study_of(THREE), pairs))) == (
        "U-Net and FPN are equal within 2 points of per-image IoU on the evidence of one split "
        "(DeepLabV3+ scored lower): use FPN, which needs the fewest MACs (2.01 G per picture)."
    )


def test_headline__equal_to_the_best_is_not_equal_to_each_other(study_of: StudyMaker) -> None:
    pairs = {
        ("unet", "fpn"): EQUAL,
        ("unet", "deeplabv3plus"): EQUAL,
        ("fpn", "deeplabv3plus"): OPEN,
    }
    assert plain(headline(with_pairs(study_of(THREE), pairs))) == (
        "Undecided between U-Net, FPN and DeepLabV3+ in per-image IoU: FPN scored 1.2 points "
        "higher than DeepLabV3+ (95 % interval 0.7 to 1.7), but the t-test over seeds is not "
        "significant (p = 0.200). Five folds or more can decide."
    )


@pytest.mark.parametrize("seeds", [1, 3])
def test_headline__no_verdict_on_networks_that_were_tested_on_other_pictures(
    study_of: StudyMaker, tmp_path: Path, seeds: int
) -> None:
    """U-Net has the easier pictures, and is worse on the two that both have."""
    easy = study_of({"unet": [[0.95, 0.95, 0.7, 0.71]] * seeds}, analysed=False)
    hard = study_of({"fpn": [[0.6, 0.6, 0.75, 0.76]] * seeds}, analysed=False)
    study = side_by_side(tmp_path, easy, renamed(hard, {"0": "x", "1": "y"}))
    assert headline(study) == (
        "No verdict between a: U-Net and b: FPN: they were not tested on the same pictures (4 and "
        "4, of which they share 2)."
    )
    said = plain(answer(study).findings[0])
    assert "b: FPN (0.677" in said
    assert "is 5.0 points higher on the shared pictures (95 % interval 5.0 to 5.0): no ver" in said
    assert "dict, because the networks were not tested on the same pictures" in said


def test_headline__several_seeds_of_one_network_only(study_of: StudyMaker, tmp_path: Path) -> None:
    several = study_of({"unet": [[0.9] * 4, [0.91] * 4]}, analysed=False)
    study = side_by_side(tmp_path, several, study_of({"fpn": [[0.85] * 4]}, analysed=False))
    assert plain(headline(study)).endswith(
        "5.5 points above b: FPN (95 % interval 4.8 to 6.2). One training of b: FPN cannot tell "
        "whether another one would come out the same; several seeds of each, or five folds or "
        "more, can."
    )


def test_headline__the_same_scores_are_not_above_each_other(
    study_of: StudyMaker, tmp_path: Path
) -> None:
    study = study_of({"unet": [[0.9, 0.8]]}, analysed=False)
    twice = side_by_side(tmp_path, study, study)
    assert headline(twice).startswith(
        "a: U-Net and b: U-Net scored the same in every picture: per-image IoU 0.850 [0.800, 0.900]"
        ". One training of each cannot tell"
    )
    assert (
        "b: U-Net (0.850 [0.800, 0.900]) scored the same in every picture: undecided"
        in (answer(twice).findings[0])
    )


def test_headline__a_seed_that_left_pictures_out(study_of: StudyMaker, tmp_path: Path) -> None:
    scores = {"unet": [[0.9] * 4] * 2, "fpn": [[0.85] * 4, [0.85] * 2]}
    said = plain(headline(side_by_side(tmp_path, study_of(scores, analysed=False))))
    assert said.endswith("Not every training was tested on all of the pictures; score all of them.")


def test_headline__an_unfinished_network_was_scored(study_of: StudyMaker) -> None:
    result = study_of({"unet": [[0.8] * 3], "fpn": [[0.9] * 3]}).result
    assert result is not None
    study = comparison_study(Path(), result.model_copy(update={"missing": ("fpn-seed1",)}))
    assert headline(study) == (
        "U-Net reaches 0.800 [0.795, 0.805] per-image IoU; FPN is unfinished and not compared."
    )


def test_headline__other_folds_ask_for_the_same_folds(cross_data: Path) -> None:
    study = load_study(cross_data)
    pairs = {
        (pair.first, pair.second): OPEN
        | {"doubts": ("folds",), "corrected_holm": None, "corrected_p": None}
        for pair in study.analysis.pairs
    }
    assert headline(with_pairs(study, pairs)).endswith(
        "A test of all of them on the same folds can decide."
    )


def test_headline__folds_are_more_than_one_split(cross_data: Path) -> None:
    study = load_study(cross_data)
    pairs = {(pair.first, pair.second): CLEAR for pair in study.analysis.pairs}
    assert headline(with_pairs(study, pairs)).startswith("Use U-Net: per-image IoU")


def _alarms(marked: tuple[float, float, float], area: tuple[float, float, float]) -> object:
    def interval(low: float, estimate: float, high: float) -> dict[str, float]:
        return {"estimate": estimate, "low": low, "high": high}

    both = {"marked": interval(*marked), "area": interval(*area)}
    clear = {
        "clear": True,
        "marked_clear": marked[2] < 0,
        "area_clear": area[2] < 0 and area[1] <= -0.01,
    }
    return {"first": "unet", "second": "fpn", "images": 60, **clear, **both}


@pytest.mark.parametrize(
    ("marked", "area", "said"),
    [
        (
            (-0.5, -0.4, -0.3),
            (-0.001, 0.0, 0.001),
            "use U-Net, which marks fewer pictures where nobody is.",
        ),
        (
            (-0.1, 0.0, 0.1),
            (-0.06, -0.04, -0.02),
            "use U-Net, which marks less area where nobody is.",
        ),
        # More pictures, and less area in them: neither is the quieter one.
        (
            (-0.5, -0.4, -0.3),
            (0.002, 0.006, 0.01),
            "use FPN, which needs the fewest MACs (2.01 G per picture).",
        ),
    ],
)
def test_headline__says_by_what_a_network_marks_less_where_nobody_is(
    study_of: StudyMaker,
    marked: tuple[float, float, float],
    area: tuple[float, float, float],
    said: str,
) -> None:
    study = study_of({"unet": [[0.9] * 6] * 2, "fpn": [[0.9] * 6] * 2})
    values = study.analysis.model_dump() | {"false_alarms": [_alarms(marked, area)]}
    study = dataclasses.replace(study, analysis=Analysis.model_validate(values))
    assert said in plain(headline(study))


def test_headline__false_alarms_on_other_pictures_are_not_compared(study_of: StudyMaker) -> None:
    result = study_of({"unet": [[0.9] * 6] * 2, "fpn": [[0.9] * 6] * 2}).result
    assert result is not None
    assert result.analysis is not None
    alarms = _alarms((-0.5, -0.4, -0.3), (-0.5, -0.4, -0.3))
    analysis = Analysis.model_validate(result.analysis.model_dump() | {"false_alarms": [alarms]})
    result = result.model_copy(update={"analysis": analysis})
    assert "differ clearly" in headline(comparison_study(Path(), result))
    other = renamed(comparison_study(Path(), result), {"0": "x"}).result
    assert other is not None
    runs = (*result.runs[:2], *other.runs[2:])
    assert headline(comparison_study(Path(), result.model_copy(update={"runs": runs}))) == (
        "No verdict between U-Net and FPN: they were not tested on the same pictures (6 and 6, of "
        "which they share 5)."
    )


def test_headline__analyses_that_do_not_say_weak_are_not_believed(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.35] * 6] * 2, "fpn": [[0.3] * 6] * 2})
    values = study.analysis.model_dump()
    for network in values["networks"]:
        del network["weak"]
    for pair in values["pairs"]:
        pair.update(CLEAR)
    study = dataclasses.replace(study, analysis=Analysis.model_validate(values))
    said = answer(study)
    assert said.headline.startswith("No verdict: per-image IoU is 0.350")
    assert "no verdict, because U-Net and FPN are no better than the mean" in said.findings[0]


def _evaluated(folder: Path, record: Evaluation, **changes: object) -> Path:
    write_record(
        folder / "evaluation.json", record.model_copy(update={"analysis": None, **changes})
    )
    return folder


def test_headline__the_same_model_run_differently(evaluation_data: Path, tmp_path: Path) -> None:
    record = read_record(evaluation_data / "evaluation.json", Evaluation)
    first = _evaluated(tmp_path / "torch", record, weights="ab" * 32)
    setup = record.setup.model_copy(update={"backend": "onnxruntime", "precision": "int8"})
    changes = {"weights": "ab" * 32, "setup": setup}
    second = _evaluated(tmp_path / "onnx", record, **changes)
    study = load_studies([first, second])
    assert headline(study).startswith(
        "torch: U-Net and onnx: U-Net are the same model, run differently (runtime and precision): "
        "per-image IoU is "
    )
    assert headline(study).endswith("Nothing follows from it about networks or trainings.")
    assert "both are the same model, run differently" in answer(study).findings[0]
    other = _evaluated(tmp_path / "other", record, weights="cd" * 32)
    assert headline(load_studies([first, second, other])).endswith(
        "torch: U-Net and onnx: U-Net are the same model, run differently (runtime and precision)."
    )
    # Without digests nobody knows whether they are.
    unknown = [_evaluated(tmp_path / name, record) for name in "uv"]
    assert "same model" not in headline(load_studies(unknown))
