from __future__ import annotations

import base64
import hashlib
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders.drawn_study import blurred

from humanseg.images.stored_maps import write_mask, write_probability
from humanseg.report import write_report
from humanseg.report.load_study import load_studies, load_study
from humanseg.report.page import html, whole
from humanseg.report.sections import sections
from humanseg.report.study import SLOTS, Study
from humanseg.report.text.summary_text import answer
from humanseg.results import (
    Analysis,
    ComparisonResult,
    DataRecord,
    Evaluation,
    read_record,
    write_record,
)
from humanseg.system.errors import DataError

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


@pytest.fixture(params=["finished", "unfinished", "cross_validated", "evaluated"])
def text(request: pytest.FixtureRequest) -> str:
    return read(request.getfixturevalue(request.param))


def test_page__nests_and_links_within_itself(text: str) -> None:
    page = Page(text)
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    references = [link[1:] for link in page.values("href")] + page.values("aria-labelledby")
    assert set(references) <= set(ids)
    assert all("alt" in attributes for tag, attributes in page.tags if tag == "img")
    assert all(
        attributes["aria-label"]
        for _, attributes in page.tags
        if attributes.get("class") == "shot" and "role" in attributes
    )
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_page__tables_have_captions_and_scopes(text: str) -> None:
    tags = Page(text).tags
    names = [tag for tag, _ in tags]
    assert names.count("caption") == names.count("table") > 0
    assert all("scope" in attributes for tag, attributes in tags if tag == "th")


def test_page__needs_nothing_from_outside(text: str) -> None:
    page = Page(text)
    assert all(source.startswith("data:image/png;base64,") for source in page.values("src"))
    assert all(link.startswith("#") for link in page.values("href"))
    assert set(re.findall(r"url\(([^)]{10})", text)) <= {"data:image"}
    assert not re.search(r"https?://|@import", text)
    assert not any(tag in ("link", "iframe", "object") for tag, _ in page.tags)
    (policy,) = [
        attributes["content"]
        for _, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_page__escapes_file_names(finished: Path) -> None:
    text = read(finished)
    assert "<b>&" not in text
    assert NASTY in Page(text).text


def test_page__names_failures_loudly(unfinished: Path) -> None:
    text = Page(read(unfinished)).text
    assert "2 runs of the plan without a result" in text
    assert "RuntimeError: out of memory\nafter 3 epochs <b>" in text
    assert text.index("fpn-seed43") < text.index("How sure is that?")


def test_page__answers_first(finished: Path) -> None:
    text = Page(read(finished)).text
    asked = [
        answer(load_study(finished)).headline,
        "How sure is that?",
        "What does it look like?",
        "What does it cost?",
        "Accuracy",
    ]
    positions = [
        text.index(text_part, text.index("Skip to the answer")) for text_part in asked[:-1]
    ]
    assert positions == sorted(positions)
    assert positions[-1] < text.index("A mean hides single failures")


def test_page__holds_every_section(cross_validated: Path) -> None:
    page = Page(read(cross_validated))
    sections = {attributes["id"] for tag, attributes in page.tags if tag == "section"}
    assert sections == {
        *("answer", "scores", "differences", "generalisation", "calibration", "cost", "curves"),
        *("checks", "gallery", "pictures", "made", "meanings"),
    }
    links = [
        attributes["href"][1:]
        for tag, attributes in page.tags
        if tag == "a" and "href" in attributes
    ]
    assert sections <= set(links)
    findings = [
        attributes
        for tag, attributes in page.tags
        if tag == "figure" and "--ratio" in attributes.get("style", "")
    ]
    assert len(findings) == 2 + 2 + 3  # two pairs of pictures and three masks


def test_page__every_picture_leads_to_its_entry(cross_validated: Path) -> None:
    page = Page(read(cross_validated))
    entries = {
        attributes["data-id"]: attributes["id"] for tag, attributes in page.tags if tag == "article"
    }
    assert set(entries) == set(load_study(cross_validated).finished[0].image_scores)
    linked = [
        attributes["href"][1:]
        for tag, attributes in page.tags
        if attributes.get("href", "").startswith("#picture-")
    ]
    assert set(entries.values()) <= set(linked)
    table = read(cross_validated).split('id="pictures"')[1].split("</section>")[0]
    assert all(f'href="#{anchor}"' in table for anchor in entries.values())


def test_page__stores_a_picture_once(finished: Path) -> None:
    text = read(finished).split('id="gallery"')[1]
    photos = re.findall(r"--photo:url\((data:image/webp;base64,[^)]*)\)", text)
    assert len(photos) == len(set(photos)) == len(load_study(finished).image_scores)


def test_page__keeps_the_folders_of_the_machine_out_of_what_it_shows(finished_copy: Path) -> None:
    shutil.rmtree(finished_copy / "truth")
    write_report(finished_copy)
    assert str(finished_copy) not in read(finished_copy).split('id="made"')[0]


def test_write_report__same_bytes_twice(finished_copy: Path) -> None:
    first = write_report(finished_copy)
    names = (first.html, first.markdown, first.csv)
    before = [path.read_bytes() for path in names]
    write_report(finished_copy)
    assert [path.read_bytes() for path in names] == before
    assert not list(finished_copy.glob(".*"))


def test_write_report__beside_the_record_or_elsewhere(finished: Path, tmp_path: Path) -> None:
    before = (finished / "results.json").stat().st_mtime_ns
    files = write_report(finished)
    assert files.json == finished / "results.json"
    assert (finished / "results.json").stat().st_mtime_ns == before
    elsewhere = write_report(finished, output=tmp_path / "new")
    assert {path.parent for path in (elsewhere.html, elsewhere.markdown, elsewhere.csv)} == {
        tmp_path / "new"
    }
    assert elsewhere.json == tmp_path / "new/results.json"
    assert read_record(elsewhere.json, ComparisonResult) == load_study(finished).result
    assert elsewhere.html.read_bytes() == files.html.read_bytes()


def test_write_report__of_one_model(evaluated: Path, tmp_path: Path) -> None:
    files = write_report(evaluated, output=tmp_path)
    assert files.json == tmp_path / "evaluation.json"
    assert read_record(files.json, Evaluation) == load_study(evaluated).evaluations[0]
    page = Page(files.html.read_text(encoding="utf-8"))
    assert "Differences between networks" not in page.text
    assert "evaluated" in page.text
    assert "threshold" in page.text


def test_write_report__of_one_run(cross_validated: Path, tmp_path: Path) -> None:
    study = load_study(cross_validated)
    run = study.runs[0]
    write_record(tmp_path / "result.json", run)
    files = write_report(tmp_path)
    assert files.json == tmp_path / "result.json"
    text = Page(read(tmp_path)).text
    assert "path of this picture was not recorded" in text
    assert f"Split of {run.name}" in text


def test_write_report__several_folders_side_by_side(
    finished: Path, evaluated: Path, tmp_path: Path
) -> None:
    study = load_studies([finished, evaluated])
    files = write_report(finished, study=study, output=tmp_path)
    assert read_record(files.json, Analysis) == study.analysis
    assert files.json.name == "analysis.json"
    page = Page(read(tmp_path))
    assert page.open == []
    assert all(network.label in page.text for network in study.finished)
    assert "Settings of the first run of each network" in page.text


def test_write_report__lost_picture_is_said_and_the_rest_drawn(finished_copy: Path) -> None:
    whole = Page(read(finished_copy)).values("src")
    images = len(load_study(finished_copy).image_scores)
    shutil.move(finished_copy / "data.json", finished_copy / "gone.json")
    write_report(finished_copy)
    text = read(finished_copy)
    assert text.split('id="gallery"')[1].count("path of this picture was not recorded") == images
    assert "--photo:url" not in text
    assert len(Page(text).values("src")) == len(whole)


@pytest.mark.parametrize("content", ["[]", '{"images": 1}', "{"])
def test_write_report__damaged_data_file(finished_copy: Path, content: str) -> None:
    (finished_copy / "data.json").write_text(content)
    with pytest.raises(DataError, match=r"data\.json"):
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
    page = Page(html(study, answer(study), (), sections(study, {})))
    assert page.open == []
    assert answer(study).headline in page.text


def test_write_report__pictures_without_anyone(study_of: StudyMaker, tmp_path: Path) -> None:
    result = study_of({"unet": [[0.0]]}).result
    assert result
    (run,) = result.runs
    empty = {"tp": 0, "fp": 0, "fn": 0, "tn": 2000}
    nobody = run.scores[0].model_copy(
        update={**empty, "boundary_intersection": 0, "boundary_union": 0}
    )
    fields = ("iou_mean", "iou_sd", "iou_median", "iou_p05", "dice_mean", "boundary_iou_mean")
    undefined = {**dict.fromkeys(fields), "dataset_iou": None, "undefined": 1}
    summary = run.summary.model_copy(update=undefined)
    changed = run.model_copy(update={"scores": (nobody,), "summary": summary})
    bare = result.model_copy(update={"runs": (changed,), "analysis": None})
    write_record(tmp_path / "results.json", bare)
    files = write_report(tmp_path)
    assert "IoU is not defined" in read(tmp_path)
    assert "2000" in files.csv.read_text()


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours(scheme: int) -> dict[str, str]:
    style = files("humanseg.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", style)
    return {name: (light, dark)[scheme] for name, light, dark in pairs}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_style__contrast_meets_wcag_aa(scheme: int) -> None:
    seen = colours(scheme)
    for ground in ("paper", "surface"):
        for text in ("ink", "muted", "accent", "alert"):
            assert contrast(seen[text], seen[ground]) >= 4.5, (text, ground)
        for graphic in ("control", *(f"net-{slot}" for slot in range(1, SLOTS + 1))):
            assert contrast(seen[graphic], seen[ground]) >= 3.0, (graphic, ground)
    assert contrast(seen["alert"], seen["alert-paper"]) >= 4.5


@pytest.fixture
def crowd(study_of: StudyMaker, tmp_path: Path) -> Path:
    """120 pictures and three networks: eight drawn pictures under many names."""
    random = np.random.default_rng(3)
    values = random.uniform(0.3, 0.99, (3, 120))
    archs = ("unet", "fpn", "deeplabv3plus")
    result = study_of({arch: [list(row)] for arch, row in zip(archs, values, strict=True)}).result
    assert result
    runs = tuple(
        run.model_copy(
            update={
                "scores": tuple(
                    score.model_copy(update={"height": 300, "width": 400}) for score in run.scores
                )
            }
        )
        for run in result.runs
    )
    write_record(tmp_path / "results.json", result.model_copy(update={"runs": runs}))
    photos, masks, maps = [], [], []
    for number in range(8):
        coarse = random.integers(0, 256, (20, 26, 3), dtype=np.uint8)
        grain = random.normal(0, 6, (300, 400, 3))  # as noisy as a photograph
        smooth = np.asarray(Image.fromarray(coarse).resize((400, 300)), dtype=np.float64)
        photos.append(tmp_path / f"photo-{number}.jpg")
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(photos[-1])
        rough = Image.fromarray((coarse[..., 0] > 110).astype(np.uint8) * 255)
        masks.append(tmp_path / f"mask-{number}.png")
        mask = np.asarray(rough.resize((400, 300))) > 127
        write_mask(masks[-1], mask)
        maps.append(tmp_path / f"map-{number}.png")
        write_probability(maps[-1], blurred(mask))
    ids = [str(number) for number in range(120)]
    record = DataRecord(
        fingerprint="",
        images={id_: str(photos[int(id_) % 8]) for id_ in ids},
        sources={id_: ("a", "b")[int(id_) % 2] for id_ in ids},
        groups={},
        copies=(),
    )
    write_record(tmp_path / "data.json", record)
    for folder in (
        tmp_path / "truth",
        *(tmp_path / f"runs/{run.name}/predictions" for run in runs),
    ):
        folder.mkdir(parents=True)
        shift = len(folder.parts[-2])
        for id_ in ids:
            drawn = (masks if folder.name == "truth" else maps)[(int(id_) + shift) % 8]
            (folder / f"{id_}.png").hardlink_to(drawn)
    return tmp_path


def test_write_report__many_pictures_stay_a_small_page(crowd: Path) -> None:
    html_file = write_report(crowd).html
    text = html_file.read_text(encoding="utf-8")
    entries = [attributes for tag, attributes in Page(text).tags if tag == "article"]
    assert len(entries) == 120
    assert 12 < sum("data-chosen" in attributes for attributes in entries) < 60
    assert text.count("--photo:url") >= 120
    assert "Cannot be shown" not in text
    assert html_file.stat().st_size < 6_300_000  # 15 MB of 290


def test_whole__keeps_hyphenated_words_together() -> None:
    assert whole("<U-Net> is best") == '&lt;<span class="whole">U-Net</span>&gt; is best'
    assert whole("no - hyphen") == "no - hyphen"


@pytest.mark.command
def test_report__needs_no_torch(compared: Path, evaluation_data: Path, tmp_path: Path) -> None:
    code = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "lightning", "segmentation_models_pytorch", "timm"):
            raise ModuleNotFoundError(f"{name} is hidden")

sys.meta_path.insert(0, Hidden())
from humanseg.cli import main
compared, evaluated, output = sys.argv[1:]
main(["report", compared, "-o", f"{output}/one"])
sys.exit(main(["report", compared, evaluated, "-o", f"{output}/two"]))
"""
    command = [sys.executable, "-c", code, str(compared), str(evaluation_data), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "one")
    assert "side by side" in Page(read(tmp_path / "two")).text
