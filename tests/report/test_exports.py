from __future__ import annotations

import csv
from pathlib import Path

from humanseg.config import CompareConfig
from humanseg.report.exports import escape, markdown_table
from humanseg.report.provenance import changed_settings, configuration_table
from humanseg.report.summary import load_study
from humanseg.report.tables import Column, Row, Table, published_table, score_table


def test_csv__gives_back_every_count(finished: Path) -> None:
    study = load_study(finished)
    with (finished / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = {(row["run"], row["id"]): row for row in csv.DictReader(stream)}
    assert len(rows) == 3 * study.pictures
    for run in study.runs:
        for image in run.scores:
            row = rows[run.name, image.id]
            assert row["arch"] == run.config.model.arch
            assert int(row["seed"]) == run.config.training.seed
            for name in ("height", "width", "tp", "fp", "fn", "tn"):
                assert int(row[name]) == getattr(image, name)
            for name in ("iou", "dice", "boundary_iou", "pixel_accuracy", "foreground_share"):
                value = getattr(image, name)
                assert row[name] == ("" if value is None else f"{value:.6f}")


def test_markdown__says_the_same_without_pictures(broken: Path) -> None:
    text = (broken / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "fpn-seed43 (failed): RuntimeError: out of memory after 3 epochs \\<b\\>" in text
    assert "deeplabv3plus-seed43 (missing)" in text
    assert "0.8991" in text
    assert "optimiser mistake" in text
    assert "training.batch\\_size (changed) | 8 | 16" in text
    assert "data:" not in text.replace("data.", "")
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        pipes = {line.replace("\\|", "").count("|") for line in lines}
        assert len(pipes) <= 1


def test_markdown_table__escapes_cells() -> None:
    columns = (Column("a|b", numeric=False), Column("n", "g"), Column("p", "aside", aside=True))
    table = Table("c", columns, (Row(("<x>\ny|z", "1", "2")),))
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


def test_score_table__seeds_apart_and_floors_beneath(broken: Path) -> None:
    table = score_table(load_study(broken))
    assert [(row.cells[0].replace("\N{NO-BREAK SPACE}", " "), row.kind) for row in table.rows] == [
        ("U-Net", "plain"),
        ("SD over 2 seeds", "spread"),
        ("FPN", "plain"),
        ("DeepLabV3+", "plain"),
        ("Mean mask", "floor"),
        ("All background", "floor"),
    ]
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    assert sum(span for _, span in table.groups) == len(table.columns)


def test_published_table__only_for_that_protocol(finished: Path, broken: Path) -> None:
    assert published_table(load_study(finished)) is None
    table = published_table(load_study(broken))
    assert table is not None
    assert [row.cells[1] for row in table.rows] == ["0.8991", "0.8986", "0.2068"]


def test_configuration_table__marks_what_was_changed() -> None:
    config = CompareConfig.model_validate({"loss": {"bce": 0.5}, "seeds": (1, 2)})
    table = configuration_table(config)
    changed = changed_settings(table)
    assert [row.cells[:3] for row in changed.rows] == [
        ("seeds", "1, 2", "42"),
        ("loss.bce", "0.5", "1.0"),
    ]
    keys = [row.cells[0] for row in table.rows]
    assert "model.arch" not in keys
    assert "training.epochs" in keys
    assert all(row.cells[3] for row in table.rows)
