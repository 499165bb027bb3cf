from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from humanseg.config.comparison_config import CompareConfig
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
from humanseg.report.load_study import comparison_study, load_studies, load_study
from humanseg.report.ranking import metric_of, pair_of, pairs_of, ranked
from humanseg.report.study import Study, scores_by_image
from humanseg.report.study_files import image_files, names, truth_file
from humanseg.report.study_plan import (
    folds,
    has_several_seeds,
    lacking_runs,
    repeats,
    title,
)
from humanseg.report.tables.difference_tables import doubts
from humanseg.results import ComparisonResult, Evaluation, Interval, RunResult, write_record
from humanseg.system.errors import DataError, UsageError

StudyMaker = Callable[..., Study]


def test_study__averages_pictures_over_runs_that_tested_them(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.8, 0.6], [0.9]]})
    (network,) = study.finished
    assert network.by_image("iou") == pytest.approx({"0": 0.85, "1": 0.6})
    assert network.image_scores["0"].iou == pytest.approx(0.8)
    assert has_several_seeds(study)


def test_study__keeps_the_order_of_the_plan_and_ranks_by_score(study_of: StudyMaker) -> None:
    study = study_of({"fpn": [[0.7]], "deeplabv3plus": [[0.6]], "unet": [[0.9]]})
    assert [network.label for network in study.networks] == ["FPN", "DeepLabV3+", "U-Net"]
    assert [network.slot for network in study.networks] == [2, 3, 1]
    assert [network.label for network in ranked(study, "iou")] == ["U-Net", "FPN", "DeepLabV3+"]
    assert title(study) == "FPN, DeepLabV3+ and U-Net compared"


def test_comparison_study__networks_on_one_page_have_colours_of_their_own() -> None:
    archs = ("deeplabv3", "unet", "fpn", "upernet")
    result = ComparisonResult(
        config=CompareConfig(archs=archs),
        runs=(),
        failed=(),
        missing=(),
        sources={},
        groups={},
        analysis=None,
    )
    slots = {network.arch: network.slot for network in comparison_study(Path(), result).networks}
    assert slots == {"unet": 1, "fpn": 2, "deeplabv3": 3, "upernet": 4}


def test_comparison_study__an_interrupted_comparison_is_analysed(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.8, 0.6, 0.7]], "fpn": [[0.7, 0.5, 0.6]]}, analysed=False)
    assert study.result is not None
    assert study.result.analysis is None
    mean = metric_of(study, study.networks[0], "iou")
    assert mean is not None
    assert mean.estimate == pytest.approx(0.7)
    assert mean.low is not None
    (pair,) = pairs_of(study, "iou")
    assert pair.difference.estimate == pytest.approx(0.1)
    assert [bound.name for bound in study.analysis.bounds] == ["mean_mask"]


def test_comparison_study__unfinished_networks_have_scores_and_no_pairs(
    study_of: StudyMaker,
) -> None:
    finished = study_of({"unet": [[0.8, 0.6]], "fpn": [[0.9, 0.8]]}, analysed=False)
    assert finished.result is not None
    gone = {"runs": finished.result.runs, "missing": ("fpn-seed1",)}
    study = comparison_study(Path(), finished.result.model_copy(update=gone))
    assert [network.arch for network in study.finished] == ["unet", "fpn"]
    assert [network.arch for network in study.compared] == ["unet"]
    assert [network.arch for network in ranked(study, "iou")] == ["unet"]
    mean = metric_of(study, study.networks[1], "iou")
    assert mean is not None
    assert mean.estimate == pytest.approx(0.85)
    assert study.analysis.pairs == ()


def test_run_study__is_analysed(study_of: StudyMaker, tmp_path: Path) -> None:
    run = study_of({"unet": [[0.8, 0.6, 0.7]]}).runs[0]
    write_record(tmp_path / "result.json", run)
    study = load_study(tmp_path)
    mean = metric_of(study, study.networks[0], "iou")
    assert mean is not None
    assert mean.estimate == pytest.approx(0.7)
    assert mean.low is not None
    assert study.compared == study.networks


def test_pair__is_turned_to_the_order_asked_for(study_of: StudyMaker) -> None:
    study = study_of({"fpn": [[0.7] * 4] * 2, "unet": [[0.9] * 4] * 2})
    unet, fpn = ranked(study, "iou")
    ahead, behind = pair_of(study, "iou", unet, fpn), pair_of(study, "iou", fpn, unet)
    assert ahead is not None
    assert behind is not None
    assert ahead.difference.estimate == pytest.approx(0.2)
    assert ahead.difference.low == pytest.approx(0.195)
    assert behind.difference.low == pytest.approx(-0.205)
    assert (ahead.above, behind.above) == (True, False)
    assert ahead.record.rank_biserial == pytest.approx(0.6)
    assert behind.record.median == pytest.approx(-0.2)
    assert pair_of(study, "iou", unet, unet) is None


def test_scores_by_image__holds_every_network_that_has_one(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9, 0.5]], "fpn": [[0.7, 0.5]], "deeplabv3plus": [[0.8]]})
    scores = scores_by_image({network.name: network.by_image("iou") for network in study.finished})
    assert scores == {"0": pytest.approx([0.9, 0.7, 0.8]), "1": pytest.approx([0.5, 0.5])}


def test_load_study__cross_validation_keeps_left_out_sources_apart(cross_data: Path) -> None:
    study = load_study(cross_data)
    assert study.kind == "comparison"
    assert (folds(study), repeats(study)) == (3, 1)
    assert [len(network.runs) for network in study.networks] == [6, 6, 6]
    assert study.result is not None
    assert len(study.result.runs) == 18 + 12
    assert len(study.image_scores) == 12
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
                assert file.exists()
                assert truth_file(study.folders, id_).exists()
                assert image_files(study.folders)[id_].exists()


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
    assert network.cost("macs") is None
    assert network.threshold == 0.5
    assert title(study) == "U-Net evaluated"
    mean = metric_of(study, network, "iou")
    assert mean is not None
    assert mean.low is not None


def test_load_study__of_an_interrupted_comparison(unfinished_data: Path) -> None:
    study = load_study(unfinished_data)
    assert [network.arch for network in study.compared] == ["unet"]
    assert {network.name for network in study.analysis.networks} == {"unet", "fpn", "deeplabv3plus"}
    assert len(image_files(study.folders)) == 9
    lacking = [(run.name, run.state) for run in lacking_runs(study)]
    assert lacking == [("fpn-seed43", "failed"), ("deeplabv3plus-seed43", "missing")]


def test_image_files__damaged_record_is_a_data_error(tmp_path: Path) -> None:
    assert image_files([tmp_path]) == {}
    (tmp_path / "data.json").write_text("{")
    with pytest.raises(DataError, match=r"data\.json"):
        image_files([tmp_path])


def test_load_study__bad_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no results"):
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
    assert [network.name for network in study.networks] == [
        "plan-a/unet",
        "plan-a/fpn",
        "plan-a/deeplabv3plus",
        "model-b/unet",
    ]
    assert study.networks[3].label == "model-b: U-Net"
    assert [network.slot for network in study.networks] == [1, 2, 3, 4]
    assert isinstance(study.runs[0], RunResult)
    assert len(study.evaluations) == 1
    assert title(study) == "plan-a and model-b side by side"
    assert [network.name for network in study.analysis.networks] == [
        network.name for network in study.networks
    ]
    assert study.result is None
    mean = metric_of(study, study.networks[0], "iou")
    assert mean is not None
    assert mean.low is not None


def test_load_studies__analyses_all_networks_together(compared: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(compared, tmp_path / "again"))
    study = load_studies([compared, again])
    assert study.compared == study.networks
    assert len(pairs_of(study, "iou")) == 15
    same = pair_of(study, "iou", study.networks[0], study.networks[3])
    assert same is not None
    assert same.difference.estimate == 0.0
    assert "every picture has the same score" in doubts(study, same)


def test_load_studies__needs_a_finished_network(study_of: StudyMaker, tmp_path: Path) -> None:
    result = study_of({"unet": [[0.8, 0.6]]}, analysed=False).result
    assert result is not None
    gone = result.model_copy(update={"missing": ("unet-seed1",)})
    for name in ("a", "b"):
        write_record(tmp_path / name / "results.json", gone)
    with pytest.raises(UsageError, match="finished all of its runs"):
        load_studies([tmp_path / "a", tmp_path / "b"])


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
    assert names([Path("a/x"), Path("a/y")]) == ("x", "y")
    assert names([Path("a/x"), Path("b/x")]) == ("a/x", "b/x")


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
