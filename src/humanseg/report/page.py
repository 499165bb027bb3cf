"""Assembles the report: reads a comparison folder, writes three files into it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from humanseg.errors import DataError
from humanseg.report import charts
from humanseg.report.definitions import DEFINITIONS, PUBLISHED_NOTE
from humanseg.report.exports import markdown, scores_csv
from humanseg.report.formatting import duration, large, score
from humanseg.report.gallery import GalleryRow, gallery, rule
from humanseg.report.provenance import (
    changed_settings,
    configuration_table,
    environment_table,
    run_table,
)
from humanseg.report.summary import Study, load_study
from humanseg.report.svg import key
from humanseg.report.tables import (
    cost_table,
    difference_table,
    picture_table,
    published_table,
    score_table,
)
from humanseg.report.words import Answer, answer, basis, labels, problems, protocol
from humanseg.results import write_text


@dataclass(frozen=True)
class ReportFiles:
    """What `write_report` wrote."""

    html: Path
    markdown: Path
    csv: Path


def write_report(folder: Path) -> ReportFiles:
    """Write report.html, report.md and scores.csv into a comparison folder.

    The same folder gives the same bytes. Pictures and masks that are gone are named on the page.

    Args:
        folder: holds results.json, pictures.json, truth/ and runs/.

    Raises:
        DataError: results.json or pictures.json is damaged, or the former is missing.
    """
    study = load_study(folder)
    rows = gallery(study, read_pictures(folder / "pictures.json"))
    said = answer(study)
    files = ReportFiles(folder / "report.html", folder / "report.md", folder / "scores.csv")
    write_text(files.csv, scores_csv(study))
    write_text(files.markdown, markdown(study, said, rows))
    write_text(files.html, html(study, said, rows))
    return files


def read_pictures(path: Path) -> dict[str, Path]:
    """Where each test picture is; empty without the file.

    Raises:
        DataError: not a JSON object of texts.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not JSON; run the comparison again.") from error
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise DataError(f"{path}: must map each test picture to its file's path.")
    return {id_: Path(file) for id_, file in found.items()}


@dataclass(frozen=True)
class Card:
    """One network's numbers on the first screen."""

    label: str
    slot: int
    overlap: str
    contour: str
    facts: tuple[tuple[str, str], ...]


def _cards(study: Study) -> tuple[Card, ...]:
    return tuple(
        Card(
            network.label,
            network.slot,
            score(network.score("iou_mean").mean),
            score(network.score("boundary_iou_mean").mean),
            (
                ("Training", duration(network.cost("train_seconds").mean)),
                ("Parameters", large(network.cost("parameters").mean)),
                ("MACs", large(network.cost("macs").mean)),
            ),
        )
        for network in study.finished
    )


def html(study: Study, said: Answer, rows: tuple[GalleryRow, ...]) -> str:
    """The page."""
    environment = Environment(
        loader=PackageLoader("humanseg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    split = study.first.split if study.first else None
    return (
        environment.get_template("report.html").render(
            names=labels(study.networks),
            basis=basis(study),
            said=said,
            cards=_cards(study),
            problems=problems(study),
            tables=_tables(study, rows),
            protocol=protocol(study),
            published_note=PUBLISHED_NOTE,
            drawings=_drawings(study),
            legend=[(network.slot, network.label) for network in study.finished],
            keys={slot: key(slot) for slot in {network.slot for network in study.networks}},
            rule=rule(study.result.config.split.seed),
            first_seed=study.several_seeds,
            rows=rows,
            split=split,
            definitions=DEFINITIONS,
        )
        + "\n"
    )


def _tables(study: Study, rows: tuple[GalleryRow, ...]) -> dict[str, object]:
    configuration = configuration_table(study.result.config)
    return {
        "scores": score_table(study),
        "differences": difference_table(study),
        "published": published_table(study),
        "cost": cost_table(study),
        "pictures": picture_table(study, {row.id: row.anchor for row in rows}),
        "runs": run_table(study),
        "changed": changed_settings(configuration),
        "configuration": configuration,
        "environment": environment_table(study),
    }


def _drawings(study: Study) -> dict[str, object]:
    empty: tuple[Markup, ...] = ()
    scored = bool(study.ranked("iou"))
    return {
        "strip": charts.strip_plot(study) if scored else "",
        "share": charts.share_plot(study) if scored else "",
        "curves": charts.learning_curves(study),
        "cost": charts.cost_plots(study) if scored else empty,
    }
