"""The page's controls do what they say, and it asks nobody for anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from humanseg.report.gallery.gallery_rows import GalleryRow, gallery
from humanseg.report.load_study import load_study

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

HELPERS = """
const control = (name) => document.querySelector(`#gallery [data-control=${name}]`);
const order = () => [...document.querySelectorAll("#gallery .entry")].map((one) => one.dataset.id);
const status = () => document.querySelector("#gallery .status").textContent;
const pick = (name, value) => {
  control(name).value = value;
  control(name).dispatchEvent(new Event("change"));
};
const shown = (entry) => [...entry.querySelectorAll("figure")]
  .filter((one) => getComputedStyle(one).display !== "none").map((one) => one.dataset.view);
const set = (input, value) => {
  input.value = value;
  input.dispatchEvent(new Event("input"));
};
"""


@pytest.fixture
def act(visit: Visit, finished: Path) -> Callable[..., Any]:
    """Acts on the finished comparison and gives what the script returned."""

    def act(script: str, **looks: object) -> object:
        seen = visit(finished, script, library=HELPERS, **looks)
        assert seen.errors == []
        assert seen.requests == []
        return seen.value

    return act


@pytest.fixture(scope="session")
def rows(finished: Path) -> list[GalleryRow]:
    return gallery(load_study(finished))


def defined(row: GalleryRow) -> list[float]:
    return [score for score in row.scores if score is not None]


def by(rows: list[GalleryRow], key: Callable[[GalleryRow], float]) -> list[str]:
    return [row.id for row in sorted(rows, key=key)]


def test_gallery__sorts_by_what_is_chosen_and_says_so(
    act: Callable[..., Any], rows: list[GalleryRow]
) -> None:
    seen = act("""
        if (control("which")) pick("which", "all");
        const seen = {};
        for (const key of ["rule", "score-1", "worst", "gap", "share", "name"]) {
          pick("order", key);
          seen[key] = order();
        }
        seen.said = status();
        control("reverse").click();
        seen.reversed = order();
        return seen;
    """)
    assert seen["rule"] == [row.id for row in rows]
    assert seen["score-1"] == by(rows, lambda row: row.scores[1] or 0.0)
    assert seen["worst"] == by(rows, lambda row: min(defined(row)))
    assert seen["gap"] == by(rows, lambda row: min(defined(row)) - max(defined(row)))
    assert seen["share"] == by(rows, lambda row: row.share)
    assert seen["reversed"] == seen["name"][::-1]
    assert seen["said"] == f"{len(rows)} pictures, sorted by name."
    assert len({tuple(seen[key]) for key in ("rule", "score-1", "share", "name")}) == 4


def test_viewer__shows_one_view_and_switches(act: Callable[..., Any]) -> None:
    seen = act("""
        const entry = document.querySelector("#gallery .entry");
        const seen = [shown(entry)];
        const choose = (value) => entry.querySelector(`[type=radio][value="${value}"]`).click();
        choose("truth"); seen.push(shown(entry));
        choose("1"); seen.push(shown(entry));
        entry.querySelector("[type=checkbox]").click(); seen.push(shown(entry));
        choose("picture"); seen.push(shown(entry));
        pick("view", "errors-2");
        seen.push(shown(document.querySelector("#gallery .entry:nth-of-type(2)")));
        control("strip").click(); seen.push(shown(entry));
        return seen;
    """)
    best = seen.pop(0)
    assert len(best) == 1
    assert best[0].startswith("errors-")
    assert seen[:5] == [["truth"], ["errors-1"], ["mask-1"], ["picture"], ["errors-2"]]
    assert seen[5] == ["picture", "truth", "errors-0", "errors-1", "errors-2"]


def test_viewer__slider_uncovers_the_picture(act: Callable[..., Any]) -> None:
    seen = act("""
        const entry = document.querySelector("#gallery .entry");
        const slider = entry.querySelector("[type=range]");
        const clip = () => getComputedStyle(entry.querySelector(".shown img")).clipPath;
        const seen = { name: slider.labels[0].textContent, id: entry.dataset.id, clips: [clip()] };
        for (const value of [30, 0]) { set(slider, value); seen.clips.push(clip()); }
        seen.text = slider.getAttribute("aria-valuetext");
        slider.focus();
        seen.focused = document.activeElement === slider;
        const box = entry.querySelector(".shown .shot").getBoundingClientRect();
        const rail = slider.getBoundingClientRect();
        seen.apart = Math.abs(box.left - rail.left) + Math.abs(box.right - rail.right);
        return seen;
    """)
    assert seen["clips"] == [
        "inset(0px 0% 0px 0px)",
        "inset(0px 70% 0px 0px)",
        ("inset(0px 100% 0px 0px)"),
    ]
    assert seen["id"] in seen["name"]
    assert seen["text"] == "0 % of the picture"
    assert seen["focused"]
    assert seen["apart"] < 3


def test_every_control__has_its_own_name(act: Callable[..., Any]) -> None:
    seen = act("""
        return [...document.querySelectorAll("#gallery .entry input:not([type=radio])")]
          .map((one) => one.getAttribute("aria-label") ?? one.labels[0].textContent);
    """)
    assert seen
    assert len(seen) == len(set(seen))


def test_table__sorts_by_its_headings(act: Callable[..., Any]) -> None:
    seen = act("""
        const table = document.querySelector("[data-sortable]");
        const heading = [...table.tHead.rows].at(-1).cells[2];
        const rows = () => [...table.tBodies[0].rows];
        const column = () => rows().map((row) => parseFloat(row.cells[2].textContent));
        const seen = [];
        for (const _ of [1, 2]) {
          heading.querySelector("button").click();
          seen.push([heading.getAttribute("aria-sort"), column()]);
        }
        seen.push(table.closest("section").querySelector(".status").textContent);
        return seen;
    """)
    assert seen[0] == ["ascending", sorted(seen[0][1])]
    assert seen[1] == ["descending", sorted(seen[0][1], reverse=True)]
    assert seen[0][1] != seen[1][1]
    assert "descending" in seen[2]


def test_table__sorts_words_as_words(act: Callable[..., Any]) -> None:
    seen = act("""
        const table = document.querySelector("[data-sortable]");
        const headings = [...table.tHead.rows].at(-1).cells;
        const place = [...headings].findIndex((one) => one.textContent === "Source");
        headings[place].querySelector("button").click();
        return [...table.tBodies[0].rows].map((row) => row.cells[place].textContent);
    """)
    assert seen == sorted(seen)
    assert len(set(seen)) == 2


def test_theme__button_turns_the_page_over(act: Callable[..., Any]) -> None:
    script = """
        const ground = () => getComputedStyle(document.body).backgroundColor;
        const button = document.querySelector("[data-control=theme]");
        const seen = [[button.getAttribute("aria-pressed"), ground()]];
        button.click();
        seen.push([button.getAttribute("aria-pressed"), ground()]);
        return seen;
    """
    light, dark = act(script), act(script, dark=True)
    assert [state[0] for state in light] == ["false", "true"]
    assert dark == light[::-1]
    assert light[0][1] != light[1][1]


def test_phone__nothing_sticks_out(act: Callable[..., Any]) -> None:
    seen = act(
        """
        const out = [...document.querySelectorAll("*")]
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
          .filter((one) => !one.closest(".scroll, .bar ul, .skip, svg"));
        const names = out.map((one) => one.outerHTML.slice(0, 80));
        return [innerWidth, document.documentElement.scrollWidth, names];
        """,
        width=390,
    )
    assert seen == [390, 390, []]


def test_scripts_off__everything_is_there_and_no_control_is(act: Callable[..., Any]) -> None:
    seen = act(
        """
        const entry = document.querySelector("#gallery .entry");
        const drawn = [...document.querySelectorAll(
          "#gallery input, #gallery select, #gallery button, .bar button")]
          .filter((one) => one.checkVisibility());
        return [shown(entry), drawn.length];
        """,
        own_script=False,
    )
    assert seen == [["picture", "truth", "errors-0", "errors-1", "errors-2"], 0]


def test_gallery__a_link_brings_a_hidden_picture_back(visit: Visit, crowded: Path) -> None:
    rows = gallery(load_study(crowded))
    hidden = next(row for row in rows if not row.chosen)
    seen = visit(
        crowded,
        f"""
        const before = order().length;
        const link = document.querySelector('#pictures a[href="#{hidden.anchor}"]');
        link.click();
        await new Promise((done) => setTimeout(done, 500));
        return [before, order().length, document.activeElement.id, control("which").value];
        """,
        library=HELPERS,
    )
    assert seen.errors == []
    chosen = sum(row.chosen for row in rows)
    assert seen.value == [chosen, len(rows), hidden.anchor, "all"]


def test_gallery__shows_one_source_alone(visit: Visit, cross_validated: Path) -> None:
    study = load_study(cross_validated)
    source = study.sources[next(iter(study.finished[0].image_scores))]
    script = f"""
        if (control("which")) pick("which", "all");
        pick("source", {source!r});
        return order();
    """
    seen = cast(list[str], visit(cross_validated, script, library=HELPERS).value)
    wanted = {id_ for id_ in study.finished[0].image_scores if study.sources[id_] == source}
    assert set(seen) == wanted
    assert len(wanted) < len(study.image_scores)


@pytest.mark.parametrize("name", ["finished", "unfinished", "evaluated", "cross_validated"])
def test_report__alone_runs_its_script(
    visit: Visit, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Away from its folder: nothing beside it can be read."""
    shutil.copy(request.getfixturevalue(name) / "report.html", tmp_path)
    seen = visit(
        tmp_path,
        """
        const count = (query) => document.querySelectorAll(query).length;
        return [document.documentElement.className, count(".entry"), count(".entry.live")];
        """,
    )
    assert seen.errors == []
    name, entries, live = cast(tuple[str, int, int], seen.value)
    assert name == "script"
    assert entries == live > 0
