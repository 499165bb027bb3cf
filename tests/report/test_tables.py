from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from humanseg.report.load_study import load_study
from humanseg.report.ranking import metric_of
from humanseg.report.study import Study
from humanseg.report.tables.cost_tables import cost_table, published_table
from humanseg.report.tables.difference_tables import pair_table
from humanseg.report.tables.generalisation_tables import (
    alarm_table,
    external_table,
    gap_table,
    robustness_table,
    source_table,
)
from humanseg.report.tables.image_tables import image_table, leak_table, suspect_table
from humanseg.report.tables.score_tables import (
    attribute_table,
    contour_table,
    fold_table,
    overlap_table,
    pixel_table,
    strata_table,
)
from humanseg.report.tables.table import Table
from humanseg.results import Analysis, AttributeAnalysis, AttributeGroup, Interval

StudyMaker = Callable[..., Study]
Maker = Callable[[Study], Table]


ALL: dict[str, Maker] = {
    "overlap": overlap_table,
    "contour": contour_table,
    "pixel": pixel_table,
    "pair": pair_table,
    "fold": fold_table,
    "strata": strata_table,
    "attribute": attribute_table,
    "gap": gap_table,
    "source": source_table,
    "external": external_table,
    "alarm": alarm_table,
    "robustness": robustness_table,
    "leak": leak_table,
    "suspect": lambda study: suspect_table(study, {}),
    "cost": cost_table,
    "published": published_table,
    "picture": lambda study: image_table(study, {}),
}


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def shown(table: Table) -> list[list[str]]:
    return [[plain(cell) for cell in row.cells] for row in table.rows]


def headings(table: Table) -> list[str]:
    return [column.label for column in table.columns]


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("cross_data", {"alarm", "published"}),
        (
            "compared",
            {
                "fold",
                "source",
                "external",
                "alarm",
                "robustness",
                "leak",
                "suspect",
                "published",
            },
        ),
        (
            "unfinished_data",
            {
                "pair",
                "source",
                "external",
                "alarm",
                "robustness",
                "leak",
                "suspect",
            },
        ),
        (
            "evaluation_data",
            {
                "pair",
                "fold",
                "gap",
                "source",
                "external",
                "robustness",
                "leak",
                "suspect",
                "cost",
                "published",
            },
        ),
    ],
)
def test_tables__are_there_where_there_is_something_and_whole(
    name: str, absent: set[str], request: pytest.FixtureRequest
) -> None:
    study = load_study(request.getfixturevalue(name))
    tables = {key: make(study) for key, make in ALL.items()}
    assert {key for key, table in tables.items() if not table} == absent | {
        "attribute"  # nobody asked for them
    }
    for table in tables.values():
        if not table:
            continue
        assert table.caption.endswith(".")
        assert all(len(row.cells) == len(table.columns) for row in table.rows)
        if table.groups:
            assert sum(span for _, span in table.groups) == len(table.columns)


def test_tables__nothing_finished_is_no_error(study_of: StudyMaker) -> None:
    study = study_of({"unet": [], "fpn": []})
    drawn = {key for key, make in ALL.items() if make(study)}
    assert drawn == {"overlap", "contour", "pixel"}


def test_overlap_table__intervals_seeds_baselines_and_ceilings(cross_data: Path) -> None:
    study = load_study(cross_data)
    table = overlap_table(study)
    assert headings(table)[:4] == [
        "Network",
        "Mean [95 % interval]",
        "± SD over pictures",
        "SD over seeds",
    ]
    rows = shown(table)
    assert [row[0] for row in rows] == [
        "U-Net",
        "FPN",
        "DeepLabV3+",
        "Baseline: mean training mask",
        "Upper bound: true mask through the 80×80 output grid (FPN and DeepLabV3+)",
        "Upper bound: two true masks of one photograph, street/3 and street/7",
    ]
    assert [row.kind for row in table.rows] == [*["plain"] * 3, "baseline", "bound", "bound"]
    assert study.analysis is not None
    mean = study.analysis.networks[0].metrics["iou"]
    assert rows[0][1] == f"{mean.estimate:.3f} [{mean.low:.3f}, {mean.high:.3f}]"
    assert rows[4][1] == "0.986"
    assert rows[4][2:] == [""] * (len(rows[4]) - 2)


def test_contour_table__distances_are_shares_of_the_diagonal(cross_data: Path) -> None:
    study = load_study(cross_data)
    table = contour_table(study)
    assd = metric_of(study, study.networks[0], "assd")
    assert assd is not None
    assert shown(table)[0][4] == f"{100 * assd.estimate:.2f} %"
    assert shown(table)[4][1] == "0.921"


def test_pair_table__reads_differences_and_doubts(study_of: StudyMaker) -> None:
    scores = {"fpn": 0.80, "unet": 0.9, "deeplabv3plus": 0.799}
    study = study_of({arch: [[value] * 6] * 2 for arch, value in scores.items()})
    rows = shown(pair_table(study))
    assert [row[0] for row in rows[:3]] == [
        "U-Net over FPN",
        "U-Net over DeepLabV3+",
        "FPN over DeepLabV3+",
    ]
    assert rows[0][2] == "+10.0 [+9.5, +10.5]"
    assert rows[0][4] == "< 0.001"
    assert rows[0][-1] == "a clear difference"
    assert rows[2][-1] == "equal within 2 points"
    assert rows[2][-2] == "−0.4 to +0.6"
    single = shown(pair_table(study_of({arch: [[value] * 6] for arch, value in scores.items()})))
    assert single[2][-1].startswith("undecided: one training of each cannot tell")
    assert "p (Holm)" in headings(pair_table(study))
    assert headings(pair_table(study)).count("p (Holm)") == 2


def test_pair_table__has_the_corrected_test_where_there_are_folds(cross_data: Path) -> None:
    assert headings(pair_table(load_study(cross_data))).count("p (Holm)") == 2


def test_fold_table__a_row_per_split_and_seed(cross_data: Path) -> None:
    study = load_study(cross_data)
    rows = shown(fold_table(study))
    assert [row[0] for row in rows[:2]] == ["Fold 1, seed 42", "Fold 1, seed 43"]
    assert len(rows) == 6
    run = next(run for run in study.runs if run.name == "fpn-fold2-seed43")
    assert rows[3][2] == f"{run.summary.iou_mean:.3f}"


def test_fold_table__a_missing_run_leaves_a_dash(unfinished_data: Path) -> None:
    first, second = shown(fold_table(load_study(unfinished_data)))
    assert "–" not in first
    assert second[0] == "Seed 43"
    assert second[2:] == ["–", "–"]


def test_strata_table__thirds_and_sources(cross_data: Path) -> None:
    rows = shown(strata_table(load_study(cross_data)))
    assert [row[0] for row in rows] == [
        "Foreground: small",
        "Foreground: medium",
        "Foreground: large",
        "Source: graz",
        "Source: web",
    ]
    assert [row[1] for row in rows] == ["4", "4", "4", "6", "6"]


def test_attribute_table__groups_and_the_largest_gap(cross_data: Path) -> None:
    def group(name: str, images: int, iou: float | None) -> AttributeGroup:
        metrics = {} if iou is None else {"iou": Interval(estimate=iou, low=0.25, high=0.75)}
        independent = {7: 2, 25: None}.get(images, images)
        return AttributeGroup(name=name, images=images, metrics=metrics, independent=independent)

    scored = AttributeAnalysis(
        attribute="people",
        groups=(group("1", 40, 0.75), group("2", 25, 0.5), group("3+", 7, None)),
        unlabelled=0,
        worst="2",
        best="1",
        gap=Interval(estimate=0.25, low=0.125, high=0.375),
    )
    study = load_study(cross_data)
    told, chance = (scored.model_copy(update={"gap_p": p}) for p in (0.049, 0.05))
    analysis = study.analysis.model_copy(update={"attributes": (scored, told, chance)})
    rows = shown(attribute_table(dataclasses.replace(study, analysis=analysis)))
    assert [rows[7][0], rows[11][0]] == [
        "people: largest gap, 1 less 2, more than chance makes (p = 0.049)",
        "people: largest gap, 1 less 2, no more than chance makes (p = 0.050)",
    ]
    assert rows[:4] == [
        ["people: 1", "40", "0.750 [0.250, 0.750]", "–"],
        ["people: 2", "25", "0.500 [0.250, 0.750]", "–"],
        ["people: 3+", "7 in 2 groups", "–", "–"],
        ["people: largest gap, 1 less 2", "", "0.250 [0.125, 0.375]", ""],
    ]


def test_gap_table__training_minus_held_out(cross_data: Path) -> None:
    (first, *_) = shown(gap_table(load_study(cross_data)))
    assert float(first[1]) - float(first[2]) == pytest.approx(float(first[3]) / 100, abs=0.0011)


def test_source_table__seen_and_unseen(cross_data: Path) -> None:
    rows = shown(source_table(load_study(cross_data)))
    assert len(rows) == 6
    assert rows[1] == [
        "FPN",
        "graz",
        "6",
        "0.880 [0.875, 0.885]",
        "0.830 [0.825, 0.835]",
        "5.0 [4.5, 5.5]",
    ]


def test_external_table__alarms_only_where_nobody_is(cross_data: Path) -> None:
    study = load_study(cross_data)
    table = external_table(study)
    assert headings(table)[-3:] == ["Number", "With an alarm", "Area marked"]
    assert shown(table)[0][-3:] == ["4", "25.0 % [24.5 %, 25.5 %]", "0.40 % [−0.10 %, 0.90 %]"]
    assert study.analysis is not None
    external = [record.model_dump() | {"person_free": 0} for record in study.analysis.external]
    changed = Analysis.model_validate(study.analysis.model_dump() | {"external": external})
    table = external_table(dataclasses.replace(study, analysis=changed))
    assert headings(table)[-1] == "NSD at 1 %"


def test_alarm_table__pictures_without_anyone(evaluation_data: Path) -> None:
    assert shown(alarm_table(load_study(evaluation_data))) == [
        ["U-Net", "2", "50.0 % [49.5 %, 50.5 %]", "1.20 % [0.70 %, 1.70 %]"]
    ]


def test_robustness_table__retention_and_its_mean(cross_data: Path) -> None:
    rows = shown(robustness_table(load_study(cross_data)))
    assert [row[0] for row in rows] == ["Gaussian noise", "Motion blur", "Mean over corruptions"]
    assert rows[0][1].startswith("93.2 % [92.7 %")
    assert rows[2][1] == "89.8 %"


def test_leak_table__divided_ones_first(cross_data: Path) -> None:
    rows = shown(leak_table(load_study(cross_data)))
    assert rows == [
        ["street/1 and street/2", "Possibly the same scene", "0.93", "yes"],
        ["street/3 and street/7", "Same pixels", "–", "no"],
    ]


def test_suspect_table__says_how_much_and_links(cross_data: Path) -> None:
    table = suspect_table(load_study(cross_data), {"street/5": "picture-2"})
    assert [row[2] for row in shown(table)] == [
        "12 holes, 3.1 % of the person's pixels",
        "3 specks, 0.4 % of the person's pixels",
        "the best network reaches IoU 0.590",
    ]
    assert [row.anchor for row in table.rows] == ["", "picture-2", ""]


def test_cost_table__spread_beneath_networks_of_several_runs(unfinished_data: Path) -> None:
    table = cost_table(load_study(unfinished_data))
    assert [row[0] for row in shown(table)] == ["U-Net", "SD over 2 runs", "FPN", "DeepLabV3+"]
    assert headings(table)[-1] == "Threads"


def test_published_table__only_for_that_protocol(compared: Path, unfinished_data: Path) -> None:
    assert not published_table(load_study(compared))
    table = published_table(load_study(unfinished_data))
    assert [row[1] for row in shown(table)] == ["0.8991", "0.8986", "0.2068"]
    assert "selected on the reported pictures" in table.caption


def test_image_table__hardest_first_with_values_to_sort_by(cross_data: Path) -> None:
    study = load_study(cross_data)
    table = image_table(study, {"street/1": "picture-1"})
    assert len(table.rows) == len(study.image_scores)
    means = [row.values[-2] for row in table.rows]
    assert means == sorted(means, key=lambda value: value if isinstance(value, float) else 2.0)
    for row in table.rows:
        assert len(row.values) == len(row.cells)
        id_ = str(row.values[0])
        assert row.anchor == ("picture-1" if id_ == "street/1" else "")
        assert row.values[3] == study.sources[id_]
        assert row.values[4] == study.networks[0].by_image("iou")[id_]
        ious = [network.by_image("iou")[id_] for network in study.networks]
        assert row.values[-1] == max(ious) - min(ious)
    assert table.columns[-3].group == "NSD at 1 %"


def test_image_table__undefined_scores_come_last(evaluation_data: Path) -> None:
    table = image_table(load_study(evaluation_data), {})
    last = table.rows[-1]
    assert str(last.values[0]).startswith("nobody/")
    assert last.cells[4] == "–"
    assert last.values[4] is None
