from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from humanseg.report.load_study import load_study
from humanseg.report.thumbnails import MOST, leak_findings, suspect_findings


@pytest.fixture
def cross_copy(cross_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cross_data, tmp_path / "copy"))


def test_leak_findings__show_both_pictures_the_divided_first(cross_data: Path) -> None:
    study = load_study(cross_data)
    first, second = leak_findings(study, {"street/1": "picture-9"})
    assert (first.alarming, second.alarming) == (True, False)
    assert first.detail == "One was tested by a network that trained on the other."
    assert [one.id for one in first.pictures] == ["street/1", "street/2"]
    assert [one.anchor for one in first.pictures] == ["picture-9", ""]
    assert all(one.photo and not one.mask for one in (*first.pictures, *second.pictures))


def test_suspect_findings__lay_the_mask_over_the_picture(cross_data: Path) -> None:
    study = load_study(cross_data)
    found = suspect_findings(study, {})
    assert [one.pictures[0].id for one in found] == ["street/4", "street/5", "street/6"]
    assert all(one.pictures[0].photo and one.pictures[0].mask for one in found)
    assert found[0].detail.startswith("12\N{NO-BREAK SPACE}holes, 3.1")
    assert found[2].detail == "The best one loses 0.410 of IoU."


def test_findings__lost_files_leave_words(cross_copy: Path) -> None:
    study = load_study(cross_copy)
    study.pictures["street/1"] = cross_copy / "gone.png"
    del study.pictures["street/2"]
    (cross_copy / "truth/street/4.png").unlink()
    problems = [one.problem for one in leak_findings(study, {})[0].pictures]
    problems.append(suspect_findings(study, {})[0].pictures[0].problem)
    assert problems[0].startswith("gone.png: no such file")
    assert problems[1] == "its file is not known"
    assert "4.png" in problems[2]
    assert str(cross_copy) not in "".join(problems)


def test_findings__none_without_an_analysis_and_never_too_many(
    old_data: Path, cross_copy: Path
) -> None:
    assert leak_findings(load_study(old_data), {}) == ()
    assert suspect_findings(load_study(old_data), {}) == ()
    study = load_study(cross_copy)
    assert study.analysis
    many = study.analysis.model_copy(update={"suspects": study.analysis.suspects * MOST})
    object.__setattr__(study, "analysis", many)
    assert len(suspect_findings(study, {})) == MOST
