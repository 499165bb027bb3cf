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
from humanseg.report.definitions import DEFINITIONS
from humanseg.report.exports import markdown, scores_csv
from humanseg.report.formatting import UNKNOWN, duration, large, milliseconds, score
from humanseg.report.gallery import GalleryRow, gallery, rule
from humanseg.report.load_study import load_study
from humanseg.report.sections import sections
from humanseg.report.study import Metric, Network, Study
from humanseg.report.summary_text import Answer, answer, basis, problems
from humanseg.report.svg import key
from humanseg.report.tables import picture_table
from humanseg.results import Record, write_record, write_text


@dataclass(frozen=True)
class ReportFiles:
    """What `write_report` wrote."""

    html: Path
    markdown: Path
    csv: Path
    json: Path | None
    """The record behind it all; None for several folders without a joint analysis."""


def write_report(
    folder: Path, *, study: Study | None = None, output: Path | None = None
) -> ReportFiles:
    """Write report.html, report.md and scores.csv, with the record that they were drawn from.

    The same folder gives the same bytes. Pictures and masks that are gone are named on the page.

    Args:
        folder: a comparison, run or evaluation folder.
        study: what to report, if it is not just what `folder` holds; several folders, say.
        output: where to write; `folder` if unset. The record is written only there.

    Raises:
        DataError: the folder's record is missing or damaged.
    """
    study = load_study(folder) if study is None else study
    place = folder if output is None else output
    rows = gallery(study)
    said = answer(study)
    chosen = tuple(row for row in rows if row.chosen)
    written = ReportFiles(
        place / "report.html",
        place / "report.md",
        place / "scores.csv",
        _write_records(study, folder, place),
    )
    write_text(written.csv, scores_csv(study))
    write_text(written.markdown, markdown(study, said, chosen))
    write_text(written.html, html(study, said, rows))
    return written


def _write_records(study: Study, folder: Path, place: Path) -> Path | None:
    name, record = _record(study)
    if record is None:
        return None
    if study.kind == "several" or place.resolve() != folder.resolve():
        write_record(place / name, record)
    return place / name


def _record(study: Study) -> tuple[str, Record | None]:
    if study.kind == "several":
        return "analysis.json", study.analysis
    if study.kind == "comparison":
        return "results.json", study.result
    if study.kind == "run":
        return "result.json", study.first
    return "evaluation.json", study.evaluations[0]


@dataclass(frozen=True)
class Number:
    """A large number of a card."""

    value: str
    name: str
    bounds: str


@dataclass(frozen=True)
class Card:
    """One network's numbers on the first screen."""

    label: str
    slot: int
    numbers: tuple[Number, ...]
    facts: tuple[tuple[str, str], ...]


_NUMBERS: dict[Metric, str] = {"iou": "per-image IoU", "boundary_iou": "Boundary IoU"}


def _cards(study: Study) -> tuple[Card, ...]:
    return tuple(
        Card(
            network.label,
            network.slot,
            tuple(_number(study, network, metric) for metric in _NUMBERS),
            tuple((name, text) for name, text in _facts(network) if text != UNKNOWN),
        )
        for network in study.finished
    )


def _number(study: Study, network: Network, metric: Metric) -> Number:
    found = study.metric(network, metric)
    if found is None:
        return Number(UNKNOWN, _NUMBERS[metric], "")
    known = found.low is not None and found.high is not None
    bounds = f"{score(found.low)} to {score(found.high)}" if known else ""
    return Number(score(found.estimate), _NUMBERS[metric], bounds)


def _facts(network: Network) -> tuple[tuple[str, str], ...]:
    return (
        ("Training", duration(network.cost("train_seconds").mean)),
        ("Latency of one picture", milliseconds(network.cost("latency_seconds").mean)),
        ("Parameters", large(network.cost("parameters").mean)),
        ("MACs per picture", large(network.cost("macs").mean)),
    )


def html(study: Study, said: Answer, rows: Sequence[GalleryRow]) -> str:
    """The page.

    Args:
        study: what is reported.
        said: its sentences.
        rows: the gallery; those that the rule chose come first.
    """
    environment = Environment(
        loader=PackageLoader("humanseg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["whole"] = whole
    anchors = {row.id: row.anchor for row in rows}
    script = _template("page.js") + _template("viewer.js")
    slots = {network.slot for network in study.networks}
    return (
        environment.get_template("report.html").render(
            study=study,
            basis=basis(study),
            said=said,
            cards=_cards(study),
            problems=problems(study),
            sections=sections(study, anchors),
            preview=preview(rows),
            chosen=[row for row in rows if row.chosen],
            others=[row for row in rows if not row.chosen],
            origins=sorted({row.source for row in rows if row.source}),
            rule=rule(study.split_seed),
            pictures=picture_table(study, anchors),
            runs=reproduction.run_table(study),
            settings=reproduction.settings(study),
            environment=reproduction.environment_table(study),
            splits=reproduction.split_lists(study),
            keys={slot: key(slot) for slot in slots},
            definitions=DEFINITIONS,
            script=Markup(script),
            script_hash=_hash(script),
            style=Markup(_template("style.css")),
        )
        + "\n"
    )


def whole(text: str) -> Markup:
    """A sentence whose hyphenated words, such as U-Net, stay on one line."""
    joined = re.compile(r"(\w+(?:-\w+)+)")
    parts = (
        Markup('<span class="whole">{}</span>').format(part) if joined.fullmatch(part) else part
        for part in joined.split(text)
    )
    return Markup("").join(parts)


def preview(rows: Sequence[GalleryRow]) -> tuple[tuple[str, GalleryRow], ...]:
    """The best, a median and the worst picture, for the first screen."""
    wanted = {"Best": "One of the best", "Median": "Around the median", "Worst": "The worst"}
    found: dict[str, GalleryRow] = {}
    for row in rows:
        for reason in row.reasons:
            kind = reason.split(":")[0]
            if kind in wanted and row not in found.values():
                found.setdefault(wanted[kind], row)
    return tuple(found.items())


def _template(name: str) -> str:
    return package_files("humanseg.report").joinpath(f"templates/{name}").read_text("utf-8")


def _hash(text: str) -> str:
    """What the content security policy allows to run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
