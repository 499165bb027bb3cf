from __future__ import annotations

from pathlib import Path

from humanseg.report.load_study import load_studies, load_study
from humanseg.report.reproduction import (
    changed_settings,
    environment_table,
    run_table,
    settings_table,
    split_lists,
)
from humanseg.report.study_plan import every_run


def test_run_table__names_every_run_and_its_seed(cross_data: Path) -> None:
    study = load_study(cross_data)
    table = run_table(study)
    assert study.result
    assert [row.cells[0] for row in table.rows] == [run.name for run in study.result.runs]
    assert {row.cells[2] for row in table.rows} == {"42", "43"}
    assert len(every_run(study)) > len(study.runs)  # those without a source too
    assert all(row.slot for row in table.rows)


def test_run_table__names_what_is_not_there(unfinished_data: Path) -> None:
    rows = {row.cells[0]: row for row in run_table(load_study(unfinished_data)).rows}
    assert rows["fpn-seed43"].cells[1] == "failed"
    assert rows["deeplabv3plus-seed43"].cells[1] == "missing"
    assert rows["fpn-seed43"].kind == "problem"


def test_run_table__of_an_evaluation(evaluation_data: Path) -> None:
    (row,) = run_table(load_study(evaluation_data)).rows
    assert row.cells[1] == "evaluated"


def test_settings__are_those_of_what_was_done(cross_data: Path, evaluation_data: Path) -> None:
    plan = settings_table(load_study(cross_data))
    assert "folds" in [row.cells[0] for row in changed_settings(plan).rows]
    assert "training.epochs" in [row.cells[0] for row in plan.rows]
    shown = settings_table(load_study(evaluation_data))
    assert [row.cells[0] for row in shown.rows] == ["threshold", "flip_averaging", "sure_share"]


def test_settings__side_by_side_mark_what_differs(compared: Path, unfinished_data: Path) -> None:
    shown = changed_settings(settings_table(load_studies([compared, unfinished_data])))
    changed = {row.cells[0]: row.cells[1:] for row in shown.rows}
    assert set(changed["training.batch_size"]) == {"16", "8"}
    assert "training.epochs" not in changed


def test_split_lists__each_division_once(cross_data: Path) -> None:
    study = load_study(cross_data)
    lists = split_lists(study)
    assert len(lists) == len({run.split for run in every_run(study)})
    named = [name for users in lists for name in users.split(", ")]
    assert sorted(named) == sorted(run.name for run in every_run(study))
    for parts in lists.values():
        assert not set(parts["Training"]) & set(parts["Test"])


def test_environment_table__says_where_and_with_what(compared: Path) -> None:
    rows = {row.cells[0]: row.cells[1] for row in environment_table(load_study(compared)).rows}
    assert rows["Processor"] == "Example CPU, 2 cores, 2 threads used"
    assert "torch 2.9.0" in rows["Versions"]
    assert rows["Command"] == "humanseg compare"
    assert rows["Date (UTC)"] == "2026-11-23 09:00"
    tried = rows["Time per training picture in each mode tried"]
    assert tried.startswith("unet-seed42: 30.4 ms with bf16, channels_last; 52.1 ms with fp32")
    assert tried.count("seed42") == 3
    assert all(rows.values())
