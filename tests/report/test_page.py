from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from humanseg.errors import DataError
from humanseg.report import write_report
from humanseg.report.page import html
from humanseg.report.summary import Study
from humanseg.report.words import answer
from humanseg.results import write_record

StudyMaker = Callable[..., Study]

VOID = {"meta", "img", "br", "link", "hr", "input"}
NASTY = "<b>&\"x'"


class Page(HTMLParser):
    """Checks nesting and gathers what a test asks about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def read(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(params=["finished", "broken"])
def text(request: pytest.FixtureRequest) -> str:
    return read(request.getfixturevalue(request.param))


def test_page__nests_and_links_within_itself(text: str) -> None:
    page = Page(text)
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    references = [one[1:] for one in page.values("href")] + page.values("aria-labelledby")
    assert set(references) <= set(ids)
    assert all(one["alt"] for tag, one in page.tags if tag == "img")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_page__needs_nothing_from_outside(text: str) -> None:
    page = Page(text)
    assert all(one.startswith("data:image/jpeg;base64,") for one in page.values("src"))
    assert all(one.startswith("#") for one in page.values("href"))
    assert not re.search(r"https?://|url\(|@import", text)
    assert not any(tag in ("link", "iframe", "object") for tag, _ in page.tags)


def test_page__escapes_file_names(finished: Path) -> None:
    text = read(finished)
    assert "<b>&" not in text
    assert NASTY in Page(text).text


def test_page__names_failures_loudly(broken: Path) -> None:
    text = Page(read(broken)).text
    assert "2 runs of the plan without a result" in text
    assert "RuntimeError: out of memory\nafter 3 epochs <b>" in text
    assert text.index("fpn-seed43") < text.index("What the scores say")


def test_page__holds_every_section(finished: Path) -> None:
    page = Page(read(finished))
    assert page.text.count("Per-image IoU against") >= 3
    charts = [one for tag, one in page.tags if tag == "svg" and one.get("role") == "img"]
    assert len(charts) == 2 + 6 + 2
    rows = [one for tag, one in page.tags if tag == "article"]
    assert len(rows) == 8
    linked = [one for one in page.values("href") if one.startswith("#picture-")]
    assert len(linked) == 8
    assert "Published split" not in page.text


def test_write_report__same_bytes_twice(finished_copy: Path) -> None:
    first = write_report(finished_copy)
    names = (first.html, first.markdown, first.csv)
    before = [path.read_bytes() for path in names]
    write_report(finished_copy)
    assert [path.read_bytes() for path in names] == before
    assert not list(finished_copy.glob(".*"))


def test_write_report__lost_picture_is_said_and_the_rest_drawn(finished_copy: Path) -> None:
    whole = Page(read(finished_copy)).values("src")
    shutil.move(finished_copy / "pictures.json", finished_copy / "gone.json")
    write_report(finished_copy)
    page = Page(read(finished_copy))
    assert page.text.count("does not say where this picture is") == 8
    assert len(page.values("src")) == len(whole) - 8


@pytest.mark.parametrize("content", ["[]", '{"a": 1}', "{"])
def test_write_report__damaged_pictures_file(finished_copy: Path, content: str) -> None:
    (finished_copy / "pictures.json").write_text(content)
    with pytest.raises(DataError, match=r"pictures\.json"):
        write_report(finished_copy)


def test_write_report__damaged_results(finished_copy: Path) -> None:
    (finished_copy / "results.json").write_text("{")
    with pytest.raises(DataError, match=r"results\.json"):
        write_report(finished_copy)


@pytest.mark.parametrize(
    "scores",
    [{"unet": [], "fpn": []}, {"unet": [[0.0]]}, {"fpn": [[1.0, 1.0]], "unet": []}],
    ids=["nothing finished", "nothing found", "one of two"],
)
def test_html__odd_plans_still_make_a_page(
    study_of: StudyMaker, scores: dict[str, list[list[float]]]
) -> None:
    study = study_of(scores)
    page = Page(html(study, answer(study), ()))
    assert page.open == []
    assert answer(study).headline in page.text


def test_write_report__pictures_without_anyone(study_of: StudyMaker, tmp_path: Path) -> None:
    result = study_of({"unet": [[0.0]]}).result
    (run,) = result.runs
    empty = {"tp": 0, "fp": 0, "fn": 0, "tn": 2000}
    nobody = run.scores[0].model_copy(
        update={**empty, "boundary_intersection": 0, "boundary_union": 0}
    )
    fields = ("iou_mean", "iou_sd", "iou_median", "iou_p05", "dice_mean", "boundary_iou_mean")
    undefined = {**dict.fromkeys(fields), "dataset_iou": None, "undefined": 1}
    summary = run.summary.model_copy(update=undefined)
    changed = run.model_copy(update={"scores": (nobody,), "summary": summary})
    write_record(tmp_path / "results.json", result.model_copy(update={"runs": (changed,)}))
    files = write_report(tmp_path)
    assert "IoU is not defined" in read(tmp_path)
    assert files.csv.read_text().splitlines()[1].endswith("0,0,0,2000,,,,1.000000,0.000000")


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_style__contrast_meets_wcag_aa(scheme: int) -> None:
    style = files("humanseg.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    for ground in ("paper", "surface"):
        for text in ("ink", "muted", "accent", "alert"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for graphic in ("net-1", "net-2", "net-3", "net-4"):
            assert contrast(colours[graphic], colours[ground]) >= 3.0, (graphic, ground)
    assert contrast(colours["alert"], colours["alert-paper"]) >= 4.5


def test_report__needs_no_torch() -> None:
    code = "import humanseg.report, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
