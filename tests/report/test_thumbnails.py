from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from humanseg.report.gallery.thumbnails import MOST, leak_findings, suspect_findings
from humanseg.report.load_study import load_study
from humanseg.results import DataRecord, read_record, write_record


@pytest.fixture
def cross_copy(cross_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cross_data, tmp_path / "copy"))


def test_leak_findings__show_both_pictures_the_divided_first(cross_data: Path) -> None:
    study = load_study(cross_data)
    first, second = leak_findings(study, {"street/1": "picture-9"})
    assert (first.alarming, second.alarming) == (True, False)
    assert first.detail == "One was tested by a network trained on the other."
    assert [image.id for image in first.images] == ["street/1", "street/2"]
    assert [image.anchor for image in first.images] == ["picture-9", ""]
    assert all(image.photo and not image.mask for image in (*first.images, *second.images))


def test_suspect_findings__lay_the_mask_over_the_picture(cross_data: Path) -> None:
    study = load_study(cross_data)
    findings = suspect_findings(study, {})
    assert [image.images[0].id for image in findings] == ["street/4", "street/5", "street/6"]
    assert all(image.images[0].photo and image.images[0].mask for image in findings)
    assert findings[0].detail.startswith("12\N{NO-BREAK SPACE}holes, 3.1")
    assert findings[2].detail == "The best network reaches IoU 0.590."


def test_findings__lost_files_leave_words(cross_copy: Path) -> None:
    study = load_study(cross_copy)
    record = read_record(cross_copy / "data.json", DataRecord)
    paths = {**record.images, "street/1": str(cross_copy / "gone.png")}
    del paths["street/2"]
    write_record(cross_copy / "data.json", record.model_copy(update={"images": paths}))
    (cross_copy / "truth/street/4.png").unlink()
    problems = [image.problem for image in leak_findings(study, {})[0].images]
    problems.append(suspect_findings(study, {})[0].images[0].problem)
    assert problems[0].startswith("gone.png: no such file")
    assert problems[1] == "its path was not recorded"
    assert "4.png" in problems[2]
    assert str(cross_copy) not in "".join(problems)


def test_findings__none_without_an_analysis_and_never_too_many(
    unfinished_data: Path, cross_copy: Path
) -> None:
    assert leak_findings(load_study(unfinished_data), {}) == []
    assert suspect_findings(load_study(unfinished_data), {}) == []
    study = load_study(cross_copy)
    assert study.analysis
    many = study.analysis.model_copy(update={"suspects": study.analysis.suspects * MOST})
    object.__setattr__(study, "analysis", many)
    assert len(suspect_findings(study, {})) == MOST
