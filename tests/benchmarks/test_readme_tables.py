"""What the README's tables on training refuse to be made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.comparison_file import read_comparison
from benchmarks.readme_tables import costs_by_arch, render, runs_on_published_split
from benchmarks.tables import newest

Content = dict[str, Any]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[Content], object]], Path]:
    """Write the file of the preset `default`, changed by a function."""
    content: Content = json.loads(newest("default-lite0").read_text(encoding="utf-8"))

    def write(change: Callable[[Content], object]) -> Path:
        change(content)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


Write = Callable[[Callable[[Content], object]], Path]


def test_published_split__has_one_run_of_each_architecture(changed: Write) -> None:
    runs = runs_on_published_split(changed(lambda content: content))
    assert {arch: run.name for arch, run in runs.items()} == {
        "unet": "unet-seed42",
        "fpn": "fpn-seed42",
        "deeplabv3plus": "deeplabv3plus-seed42",
    }


def test_published_split__folds_are_refused() -> None:
    with pytest.raises(SystemExit, match="58 pictures of a split by folds, not on the 58 of"):
        runs_on_published_split(newest("folds-default-lite0"))


def test_published_split__other_test_pictures_are_refused(changed: Write) -> None:
    path = changed(lambda content: content["runs"][1]["split"]["test"].pop())
    with pytest.raises(SystemExit, match="fpn-seed42 was tested on 57 pictures"):
        runs_on_published_split(path)


def test_published_split__two_runs_of_one_architecture_are_refused(changed: Write) -> None:
    path = changed(lambda content: content["runs"].append(content["runs"][0]))
    with pytest.raises(SystemExit, match="several runs of one architecture"):
        runs_on_published_split(path)


def test_costs__are_the_same_in_all_runs_or_refused(changed: Write) -> None:
    result = read_comparison(changed(lambda content: content))
    assert costs_by_arch(result)["fpn"].parameters == result.runs[1].cost.parameters

    def grow(content: Content) -> None:
        content["runs"].append(json.loads(json.dumps(content["runs"][1])))
        content["runs"][-1]["cost"]["macs"] += 1

    with pytest.raises(SystemExit, match="fpn-seed42: is of another size"):
        costs_by_arch(read_comparison(changed(grow)))


def test_render__renews_what_is_between_the_markers() -> None:
    page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb"
    assert render(page, {"x": lambda: "new"}) == page.replace("old", "new")
