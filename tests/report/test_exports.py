from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from humanseg.report.load_study import load_study
from humanseg.report.markdown import escape, markdown, markdown_table
from humanseg.report.scores_csv import CSV_COLUMNS, scores_csv
from humanseg.report.sections import sections
from humanseg.report.tables.table import Column, Row, Table
from humanseg.report.text.summary_text import answer
from humanseg.results import ComparisonResult, read_record
from humanseg.results.json_schema import results_schema

ROOT = Path(__file__).parents[2]


def rows_of(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    stream = io.StringIO(scores_csv(load_study(folder)))
    return {(row["run"], row["id"]): row for row in csv.DictReader(stream)}


def test_csv__gives_back_every_count(cross_data: Path) -> None:
    rows = rows_of(cross_data)
    runs = read_record(cross_data / "results.json", ComparisonResult).runs
    assert len(rows) == sum(len(run.scores) for run in runs) == 18 * 4 + 12 * 6
    for run in runs:
        for image in run.scores:
            row = rows[run.name, image.id]
            assert tuple(row) == CSV_COLUMNS
            assert row["arch"] == row["network"] == run.config.model.arch
            assert int(row["seed"]) == run.config.training.seed
            for name in ("height", "width", "tp", "fp", "fn", "tn", "contour_near_10"):
                assert int(row[name]) == getattr(image, name)
            for name in ("iou", "boundary_iou", "hd95", "recall", "foreground_share"):
                value = getattr(image, name)
                assert row[name] == ("" if value is None else f"{value:.6f}")


def test_csv__says_how_each_picture_was_tested(cross_data: Path) -> None:
    rows = rows_of(cross_data)
    fold = rows["unet-fold2-seed43", "street/1"]
    assert [fold[name] for name in ("protocol", "fold", "held_out", "source")] == [
        "folds",
        "2",
        "",
        "web",
    ]
    left_out = rows["fpn-without-web-seed42", "street/1"]
    assert [left_out[name] for name in ("protocol", "fold", "held_out", "source")] == [
        "source",
        "",
        "web",
        "web",
    ]


def test_csv__what_was_not_measured_is_empty(unfinished_data: Path, evaluation_data: Path) -> None:
    (row, *_) = rows_of(unfinished_data).values()
    assert float(row["iou"]) > 0
    assert row["fold"] == row["held_out"] == ""
    row = rows_of(evaluation_data)["models/unet", "nobody/1"]
    assert row["seed"] == row["protocol"] == row["fold"] == ""
    assert row["foreground_share"] == "0.000000"


@pytest.mark.parametrize("name", ["compared", "cross_data", "unfinished_data", "evaluation_data"])
def test_markdown__tables_are_whole(name: str, request: pytest.FixtureRequest) -> None:
    study = load_study(request.getfixturevalue(name))
    text = markdown(study, answer(study), (), sections(study, {}))
    assert text.startswith("# ")
    assert "data:" not in text.replace("data.", "")
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        pipes = {line.replace("\\|", "").count("|") for line in lines}
        assert len(pipes) <= 1


def test_markdown__says_the_same_without_pictures(unfinished_data: Path, cross_data: Path) -> None:
    study = load_study(unfinished_data)
    text = markdown(study, answer(study), (), sections(study, {}))
    assert "fpn-seed43 (failed): RuntimeError: out of memory after 3 epochs \\<b\\>" in text
    assert "deeplabv3plus-seed43 (missing)" in text
    assert "0.8991" in text
    assert "programming error" in text
    assert "training.batch\\_size (changed) | 8 | 16" in text
    study = load_study(cross_data)
    said = answer(study)
    text = markdown(study, said, (), sections(study, {}))
    for sentence in (said.headline, *said.findings, *said.generalisation, said.limits):
        assert escape(sentence) in text
    for title in ("Differences between networks", "Generalisation", "Checks of the data"):
        assert f"## {title}" in text


def test_markdown_table__escapes_cells() -> None:
    columns = (Column("a|b", numeric=False), Column("n", "g"), Column("p", "aside", aside=True))
    table = Table("t", "c", columns, (Row(("<x>\ny|z", "1", "2")),))
    assert markdown_table(table).splitlines() == [
        "*c*",
        "",
        "| a\\|b | g: n | p (aside) |",
        "| :-- | --: | --: |",
        "| \\<x\\> y\\|z | 1 | 2 |",
    ]


def test_escape__keeps_plain_text() -> None:
    assert escape("U-Net (0.9), 95 %") == "U-Net (0.9), 95 %"
    assert escape("a_b*c`d") == "a\\_b\\*c\\`d"


def test_schema__published_file_is_up_to_date() -> None:
    file = ROOT / "docs" / "schema" / "results.schema.json"
    assert file.read_text(encoding="utf-8") == results_schema(), (
        "Write it again: python -m humanseg.results.json_schema > docs/schema/results.schema.json"
    )


def test_schema__knows_every_key_of_a_result(cross_data: Path) -> None:
    schema = json.loads(results_schema())
    written = json.loads((cross_data / "results.json").read_text())
    assert set(written) == set(schema["properties"])
    assert set(written["analysis"]) == set(schema["$defs"]["Analysis"]["properties"])
    assert schema["additionalProperties"] is False
