"""Assembles the report: what is known of a folder, as a page, as Markdown, as CSV and as JSON."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from humanseg.report import reproduction
from humanseg.report.charts.svg import key
from humanseg.report.formatting import bounds, duration, large, milliseconds, score
from humanseg.report.gallery.gallery_rows import GalleryRow, gallery
from humanseg.report.gallery.image_choice import rule
from humanseg.report.load_study import load_study
from humanseg.report.markdown import markdown
from humanseg.report.ranking import METRIC_NAMES, metric_of, ranked
from humanseg.report.scores_csv import scores_csv
from humanseg.report.sections import Section, sections
from humanseg.report.study import Study
from humanseg.report.study_plan import has_several_seeds, lacking_runs, repeats, split_seed, title
from humanseg.report.tables.image_tables import image_table
from humanseg.report.text.definitions import DEFINITIONS
from humanseg.report.text.summary_text import Answer, answer, basis
from humanseg.results import Record, write_record, write_text


@dataclass(frozen=True)
class ReportFiles:
    """What `write_report` wrote."""

    headline: str
    """The answer in one sentence."""
    warnings: tuple[str, ...]
    """What makes the scores untrustworthy."""
    cautions: int
    """How many remarks on the page limit how far the scores reach."""
    html: Path
    markdown: Path
    csv: Path
    json: Path
    """The record that everything was drawn from."""


def write_report(
    folder: Path, *, study: Study | None = None, output: Path | None = None
) -> ReportFiles:
    """Write report.html, report.md and scores.csv, with the record that they were drawn from.

    The same folder gives the same bytes. Images and masks that are gone are named on the page.
    `study` is what to report, if it is not just what `folder` holds; the record is written to
    another `output` only.

    Raises:
        DataError: the folder's record is missing or damaged.
    """
    study = load_study(folder) if study is None else study
    target = folder if output is None else output
    rows = gallery(study)
    summary = answer(study)
    chosen = [row for row in rows if row.chosen]
    parts = sections(study, {row.id: row.anchor for row in rows})
    name, record = _record(study)
    if study.kind == "several" or target.resolve() != folder.resolve():
        write_record(target / name, record)
    written = ReportFiles(
        summary.headline,
        summary.warnings,
        len(summary.cautions),
        *(target / file for file in ("report.html", "report.md", "scores.csv", name)),
    )
    write_text(written.csv, scores_csv(study))
    write_text(written.markdown, markdown(study, summary, chosen, parts))
    write_text(written.html, html(study, summary, rows, parts))
    return written


def _record(study: Study) -> tuple[str, Record]:
    if study.result is not None:
        return "results.json", study.result
    if study.kind == "several":
        return "analysis.json", study.analysis
    if study.evaluations:
        return "evaluation.json", study.evaluations[0]
    return "result.json", study.runs[0]


def html(
    study: Study, summary: Answer, rows: Sequence[GalleryRow], parts: Sequence[Section]
) -> str:
    """The page."""
    settings = reproduction.settings_table(study)
    return render(
        "report.html",
        ("theme.js", "page.js", "viewer.js"),
        study=study,
        basis=basis(study),
        title=title(study),
        summary=summary,
        averaged=has_several_seeds(study) or repeats(study) > 1,
        best=next(iter(ranked(study, "iou")), None),
        metrics=METRIC_NAMES,
        lacking=lacking_runs(study),
        sections=parts,
        preview=preview(rows),
        chosen=[row for row in rows if row.chosen],
        others=[row for row in rows if not row.chosen],
        origins=sorted({row.source for row in rows if row.source}),
        rule=rule(split_seed(study)),
        every_image=image_table(study, {row.id: row.anchor for row in rows}),
        runs=reproduction.run_table(study),
        settings=settings,
        changed=reproduction.changed_settings(settings),
        environment=reproduction.environment_table(study),
        splits=reproduction.split_lists(study),
        definitions=DEFINITIONS,
    )


def preview(rows: Sequence[GalleryRow]) -> dict[str, GalleryRow]:
    """The best, a median and the worst image, for the first screen."""
    names = {"Best": "One of the best", "Median": "Around the median", "Worst": "The worst"}
    shown: dict[str, GalleryRow] = {}
    for row in rows:
        for reason in row.reasons:
            kind = reason.split(":")[0]
            if kind in names and row not in shown.values():
                shown.setdefault(names[kind], row)
    return shown


def render(name: str, scripts: Sequence[str], **values: object) -> str:
    """A page of this package with its style and scripts in it; what is filled in is escaped."""
    script = "".join(map(_file, scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment = Environment(
        loader=PackageLoader("humanseg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["whole"] = whole
    for function in (bounds, duration, key, large, metric_of, milliseconds, score):
        environment.globals[function.__name__] = function
    page = environment.get_template(name).render(
        values,
        script=Markup(script),
        script_hash=f"sha256-{digest}",  # what the content security policy allows to run
        style=Markup(_file("style.css")),
    )
    return f"{page}\n"


def _file(name: str) -> str:
    return package_files("humanseg.report").joinpath(f"templates/{name}").read_text("utf-8")


def whole(text: str) -> Markup:
    """A sentence whose hyphenated words, such as U-Net, stay on one line."""
    joined = re.compile(r"(\w+(?:-\w+)+)")
    parts = (
        Markup('<span class="whole">{}</span>').format(part) if joined.fullmatch(part) else part
        for part in joined.split(text)
    )
    return Markup("").join(parts)
