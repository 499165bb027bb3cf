"""Which file a table is made of, and numbers as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.tables import interval, newest, p_value, percent, points, table, three

from humanseg.results import Interval


def _files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("{}", encoding="utf-8")
    return folder


def test_newest__takes_the_exact_kind_whatever_else_is_named_alike(tmp_path: Path) -> None:
    _files(
        tmp_path,
        "2026-01-01-default-lite0-epyc-zen5-2cores.json",
        "2026-01-02-default-lite0-epyc-zen5-2cores.json",
        "2026-01-02-default-lite0-epyc-zen5-2cores.json.bak",
        "2026-01-03-folds-default-lite0-epyc-zen5-2cores.json",
        "2026-01-03-default-lite0-old-epyc-zen5-2cores.json",
        "2026-01-03-default-lite00-epyc-zen5-2cores.json",
        "x2026-01-03-default-lite0-epyc-zen5-2cores.json",
    )
    assert newest("default-lite0", tmp_path).name.startswith("2026-01-02-default-lite0-epyc")
    assert newest("folds-default-lite0", tmp_path).name.startswith("2026-01-03-folds")


def test_newest__a_kind_without_its_encoder_is_another_kind(tmp_path: Path) -> None:
    _files(tmp_path, "2026-01-01-default-lite0-epyc-zen5-2cores.json")
    with pytest.raises(SystemExit, match="No result file of kind default in"):
        newest("default", tmp_path)


def test_newest__refuses_two_files_of_one_date(tmp_path: Path) -> None:
    _files(
        tmp_path,
        "2026-01-02-speed-epyc-zen5-2cores.json",
        "2026-01-02-speed-xeon-amx-8cores.json",
    )
    with pytest.raises(SystemExit, match="Several result files of kind speed"):
        newest("speed", tmp_path)
    _files(tmp_path, "2026-01-03-speed-xeon-amx-8cores.json")
    assert newest("speed", tmp_path).name == "2026-01-03-speed-xeon-amx-8cores.json"


def test_numbers__as_text() -> None:
    assert three(0.12345) == "0.123"
    assert three(None) == percent(None) == points(None) == interval(None) == p_value(None) == "–"
    assert percent(0.1234) == "12.3 %"
    assert points(Interval(estimate=-0.0123, low=-0.02, high=0.001)) == "-1.2 [-2.0, +0.1]"
    assert points(Interval(estimate=0.0123, low=None, high=None)) == "+1.2"
    assert interval(Interval(estimate=0.5, low=0.25, high=0.75)) == "0.500 [0.250, 0.750]"
    assert interval(Interval(estimate=0.5, low=None, high=None)) == "0.500"
    assert [p_value(value) for value in (0.0009, 0.001, 0.0444)] == ["< 0.001", "0.001", "0.044"]


def test_table__is_markdown() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n|---|--:|\n| x | 1 |"
