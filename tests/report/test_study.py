from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from humanseg.errors import DataError, UsageError
from humanseg.report import run_folders
from humanseg.report.formatting import (
    bounded,
    bounds,
    duration,
    gap,
    large,
    listed,
    memory,
    percent,
    points,
    probability,
    rate,
    score,
    signed,
)
from humanseg.report.load_study import load_studies, load_study
from humanseg.report.study import Study, spread
from humanseg.results import Evaluation, Interval, RunResult, write_record

StudyMaker = Callable[..., Study]


def test_spread__one_value_has_no_deviation() -> None:
    assert spread([0.5]) == spread([0.5, None])
    assert spread([0.5]).sd is None
    assert spread([]).mean is None


def test_spread__deviation_is_of_a_sample() -> None:
    found = spread([0.8, 0.9])
    assert found.mean == pytest.approx(0.85)
    assert found.sd == pytest.approx(0.1 / 2**0.5)


def test_study__averages_pictures_over_runs_that_tested_them(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.8, 0.6], [0.9]]})
    (network,) = study.finished
    assert network.by_picture("iou") == pytest.approx({"0": 0.85, "1": 0.6})
    assert network.image_scores["0"].iou == pytest.approx(0.8)
    assert study.seeds == 2
    assert study.several_seeds


def test_study__keeps_the_order_of_the_plan_and_ranks_by_score(study_of: StudyMaker) -> None:
    study = study_of({"fpn": [[0.7]], "deeplabv3plus": [[0.6]], "unet": [[0.9]]})
    assert [one.label for one in study.networks] == ["FPN", "DeepLabV3+", "U-Net"]
    assert [one.slot for one in study.networks] == [2, 3, 1]
    assert [one.label for one in study.ranked("iou")] == ["U-Net", "FPN", "DeepLabV3+"]
    assert study.title == "FPN, DeepLabV3+ and U-Net compared"


@pytest.mark.parametrize("analysed", [True, False])
def test_metric__bare_without_an_analysis(study_of: StudyMaker, analysed: bool) -> None:
    study = study_of({"unet": [[0.8, 0.6, 0.7]]}, analysed=analysed)
    (network,) = study.finished
    found = {name: study.metric(network, name) for name in ("iou", "iou_median", "iou_sd", "dice")}
    assert found["iou"] is not None
    assert found["iou"].estimate == pytest.approx(0.7)
    assert (found["iou"].low is not None) == analysed
    assert found["iou_median"] is not None
    assert found["iou_median"].estimate == pytest.approx(0.7)
    assert found["iou_sd"] is not None
    assert found["iou_sd"].estimate == pytest.approx(0.1)
    assert found["dice"] is not None
    assert found["dice"].estimate == pytest.approx((16 / 18 + 12 / 16 + 14 / 17) / 3)
    assert (study.metric(network, "ece") is not None) == analysed
    assert study.metric(network, "false_positive_area") is None


def test_metric__pooled_means_come_from_the_runs(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.8, 0.6], [0.9, 0.7]]}, analysed=False)
    found = study.metric(study.finished[0], "dataset_iou")
    assert found is not None
    assert found.estimate == pytest.approx(0.75)
    assert found.low is None


def test_pair__is_turned_to_the_order_asked_for(study_of: StudyMaker) -> None:
    study = study_of({"fpn": [[0.7] * 4], "unet": [[0.9] * 4]})
    unet, fpn = study.ranked("iou")
    ahead, behind = study.pair("iou", unet, fpn), study.pair("iou", fpn, unet)
    assert ahead is not None
    assert behind is not None
    assert ahead.difference.estimate == pytest.approx(0.2)
    assert ahead.difference.low == pytest.approx(0.195)
    assert behind.difference.low == pytest.approx(-0.205)
    assert (ahead.above, behind.above) == (True, False)
    assert ahead.rank_biserial == pytest.approx(0.6)
    assert behind.median == pytest.approx(-0.2)
    assert study.pair("iou", unet, unet) is None


def test_study__a_network_that_was_not_analysed_is_not_compared(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.8] * 4], "fpn": [[0.9] * 4]})
    assert study.result is not None
    assert study.analysis is not None
    kept = study.analysis.model_copy(update={"networks": study.analysis.networks[:1]})
    partial = Study(study.folders, study.kind, study.networks, kept, study.result)
    assert [one.arch for one in partial.compared] == ["unet"]
    assert [one.arch for one in partial.ranked("iou")] == ["unet"]


def test_disagreement__is_the_range_over_networks(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9, 0.5]], "fpn": [[0.7, 0.5]], "deeplabv3plus": [[0.8]]})
    assert study.disagreement("0") == pytest.approx(0.2)
    assert study.disagreement("1") == 0.0
    assert study.disagreement("nowhere") == 0.0
    assert study.mean_overlap("0") == pytest.approx(0.8)
    assert study.mean_overlap("nowhere") is None


def test_load_study__cross_validation_keeps_left_out_sources_apart(cross_data: Path) -> None:
    study = load_study(cross_data)
    assert study.kind == "comparison"
    assert (study.folds, study.repeats, study.seeds) == (3, 1, 2)
    assert study.cross_validated
    assert [len(network.runs) for network in study.networks] == [6, 6, 6]
    assert study.result is not None
    assert len(study.result.runs) == 18 + 12
    assert study.images == 12
    assert set(study.sources.values()) == {"graz", "web"}


def test_study__finds_every_file_it_promises(
    cross_data: Path, compared: Path, evaluation_data: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(compared, tmp_path / "copied"))
    run = copied / "runs" / "fpn-seed42"
    write_record(run / "result.json", load_study(compared).networks[1].runs[0])
    for folder in (cross_data, compared, evaluation_data, run):
        study = load_study(folder)
        assert study.finished
        for network in study.finished:
            assert network.image_scores
            for id_ in network.image_scores:
                file = network.prediction_file(id_)
                assert file is not None
                assert file.exists()
                assert study.truth_file(id_).exists()
                assert study.pictures[id_].exists()
            assert network.prediction_file("nowhere") is None


def test_prediction_file__is_of_the_first_run_that_tested_the_picture(cross_data: Path) -> None:
    network = load_study(cross_data).networks[0]
    tested = {run.name: {image.id for image in run.scores} for run in network.runs}
    for name in ("unet-fold1-seed42", "unet-fold2-seed42", "unet-fold3-seed42"):
        for id_ in tested[name]:
            file = network.prediction_file(id_)
            assert file == cross_data / "runs" / name / "predictions" / f"{id_}.png"


def test_load_study__an_evaluation_has_scores_and_no_runs(evaluation_data: Path) -> None:
    study = load_study(evaluation_data)
    assert study.kind == "evaluation"
    (network,) = study.finished
    assert isinstance(network.scored[0], Evaluation)
    assert network.runs == ()
    assert study.runs == ()
    assert network.cost("macs").mean is None
    assert network.threshold == 0.5
    assert study.title == "U-Net evaluated"
    mean = study.metric(network, "iou")
    assert mean is not None
    assert mean.low is not None


def test_load_study__older_results_read_pictures_json(old_data: Path) -> None:
    study = load_study(old_data)
    assert study.analysis is None
    assert study.sources == {}
    assert len(study.pictures) == 9
    assert [bound.name for bound in study.bounds] == ["mean_mask", "all_background"]


@pytest.mark.parametrize("content", ["[]", '{"a": 1}', "{"])
def test_pictures__damaged_file_is_a_data_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "pictures.json").write_text(content)
    with pytest.raises(DataError, match=r"pictures\.json"):
        run_folders.read_pictures(tmp_path)


def test_load_study__bad_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no results"):
        load_study(tmp_path)
    (tmp_path / "results.json").write_text('{"schema_version": 1, "runs": 3}')
    with pytest.raises(DataError, match="damaged"):
        load_study(tmp_path)


def test_load_studies__side_by_side(compared: Path, evaluation_data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "plan-a", tmp_path / "model-b"
    shutil.copytree(compared, first)
    shutil.copytree(evaluation_data, second)
    study = load_studies([first, second])
    assert study.kind == "several"
    assert [one.name for one in study.networks] == [
        "plan-a/unet",
        "plan-a/fpn",
        "plan-a/deeplabv3plus",
        "model-b/unet",
    ]
    assert study.networks[3].label == "model-b: U-Net"
    assert [one.slot for one in study.networks] == [1, 2, 3, 4]
    assert isinstance(study.runs[0], RunResult)
    assert len(study.evaluations) == 1
    assert study.title == "plan-a and model-b side by side"
    assert study.analysis is None
    assert study.config is None
    mean = study.metric(study.networks[0], "iou")
    assert mean is not None
    assert mean.low is None


def test_load_studies__takes_the_analysis_of_all(compared: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(compared, again)
    own = load_study(compared).analysis
    assert own is not None
    networks = [
        one.model_copy(update={"name": f"{name}/{one.arch}"})
        for name in (compared.name, "again")
        for one in own.networks
    ]
    joint = own.model_copy(update={"networks": tuple(networks), "pairs": ()})
    study = load_studies([compared, again], joint)
    assert study.compared == study.networks
    assert study.analysed(study.networks[5]) is networks[5]


def test_load_studies__refuses_what_cannot_be_compared(compared: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(compared, other)
    results = json.loads((other / "results.json").read_text())
    for run in results["runs"]:
        run["data_fingerprint"] = "00" * 32
    (other / "results.json").write_text(json.dumps(results))
    with pytest.raises(UsageError, match="different data"):
        load_studies([compared, other])
    with pytest.raises(UsageError, match="twice"):
        load_studies([compared, compared])
    with pytest.raises(UsageError, match="No folder"):
        load_studies([])


def test_names__are_told_apart(tmp_path: Path) -> None:
    assert run_folders.names([Path("a/x"), Path("a/y")]) == ("x", "y")
    assert run_folders.names([Path("a/x"), Path("b/x")]) == ("a/x", "b/x")


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (score(0.87249), "0.872"),
        (score(None), "–"),
        (percent(0.27149), "27.1 %"),
        (percent(0.00421, 2), "0.42 %"),
        (bounded(Interval(estimate=0.873, low=0.861, high=0.884)), "0.873 [0.861, 0.884]"),
        (bounded(Interval(estimate=0.873)), "0.873"),
        (bounded(None), "–"),
        (bounded(Interval(estimate=-0.01, low=-0.02, high=0.001), signed), "−1.0 [−2.0, +0.1]"),
        (bounds(Interval(estimate=0.02, low=0.012, high=0.03), points), "1.2 to 3.0"),
        (bounds(Interval(estimate=0.02), points), ""),
        (probability(0.0004), "< 0.001"),
        (probability(0.0123), "0.012"),
        (probability(None), "–"),
        (points(0.0234), "2.3"),
        (points(-0.0234, sign=True), "−2.3"),
        (points(-0.0001, sign=True), "0.0"),
        (gap(0.0001), "less than 0.1 points"),
        (gap(0.047), "4.7 points"),
        (duration(0.4), "0.40 s"),
        (duration(59.99), "1 min 00 s"),
        (duration(178.2), "2 min 58 s"),
        (duration(3900), "1 h 05 min"),
        (large(6_251_469), "6.25 M"),
        (large(31_000_000), "31.0 M"),
        (large(999_999), "1.00 M"),
        (large(2.498e9), "2.50 G"),
        (large(12), "12"),
        (memory(2_900_000_000), "2.7 GiB"),
        (memory(5 * 2**20), "5 MiB"),
        (rate(4.871), "4.87"),
        (rate(312.4), "312"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (listed(["a"]), "a"),
    ],
)
def test_formatting(shown: str, text: str) -> None:
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == text
