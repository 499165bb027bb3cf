"""The report for machines and for plain text: CSV and Markdown."""

from __future__ import annotations

import csv
import io
import re

from humanseg.report.definitions import DEFINITIONS, PUBLISHED_NOTE
from humanseg.report.gallery import GalleryRow, rule
from humanseg.report.provenance import configuration_table, environment_table, run_table
from humanseg.report.summary import Study
from humanseg.report.tables import (
    Table,
    cost_table,
    difference_table,
    published_table,
    score_table,
)
from humanseg.report.words import Answer, basis, problems, protocol

CSV_COLUMNS = (
    "run",
    "arch",
    "seed",
    "id",
    "height",
    "width",
    "tp",
    "fp",
    "fn",
    "tn",
    "iou",
    "dice",
    "boundary_iou",
    "pixel_accuracy",
    "foreground_share",
)


def scores_csv(study: Study) -> str:
    """One row per run and picture; a score that is undefined is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for run in study.runs:
        for image in run.scores:
            counts = (image.height, image.width, image.tp, image.fp, image.fn, image.tn)
            shares = (
                image.iou,
                image.dice,
                image.boundary_iou,
                image.pixel_accuracy,
                image.foreground_share,
            )
            written = ("" if value is None else f"{value:.6f}" for value in shares)
            about = (run.name, run.config.model.arch, run.config.training.seed, image.id)
            writer.writerow((*about, *counts, *written))
    return stream.getvalue()


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|&~])", r"\\\1", " ".join(text.split()))


def markdown_table(table: Table) -> str:
    """A table as GitHub Markdown, its caption above."""
    heads = [
        f"{column.label} ({column.group})" if column.aside else column.label
        for column in table.columns
    ]
    if table.groups:
        heads = [
            f"{column.group}: {head}" if column.group and not column.aside else head
            for column, head in zip(table.columns, heads, strict=True)
        ]
    lines = [
        f"*{escape(table.caption)}*",
        "",
        _line(heads),
        _line(["--:" if column.numeric else ":--" for column in table.columns], raw=True),
    ]
    for row in table.rows:
        first = f"{row.cells[0]} (changed)" if row.kind == "changed" else row.cells[0]
        lines.append(_line([first, *row.cells[1:]]))
    return "\n".join(lines)


def _line(cells: list[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cells if raw else [escape(cell) for cell in cells])} |"


def _bullets(lines: list[str] | tuple[str, ...]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _first_screen(study: Study, said: Answer) -> list[str]:
    parts = [f"# {escape(said.headline)}", f"{basis(study)}."]
    gaps = [f"{one.name} ({one.state}): {one.detail}" for one in problems(study)]
    if gaps:
        parts += ["**Runs without a result:**", _bullets(gaps)]
    if said.warnings:
        parts += ["**Warnings:**", _bullets(said.warnings)]
    parts += [escape(text) for text in said.findings]
    parts.append(escape(said.cost))
    if said.cautions:
        parts += ["Before you rely on this:", _bullets(said.cautions)]
    return parts


def _split_parts(study: Study) -> list[str]:
    if study.first is None:
        return []
    split = study.first.split
    named = {"Training": split.train, "Validation": split.validation, "Test": split.test}
    return [
        f"**{name} ({len(ids)}):** {escape(', '.join(ids)) or 'none'}"
        for name, ids in named.items()
    ]


def markdown(study: Study, said: Answer, rows: tuple[GalleryRow, ...]) -> str:
    """The report without pictures."""
    parts = _first_screen(study, said)
    parts += ["## Scores", markdown_table(score_table(study)), _bullets(protocol(study))]
    differences = difference_table(study)
    if differences.rows:
        parts.append(markdown_table(differences))
    published = published_table(study)
    if published:
        parts += ["## Beside the published figures", markdown_table(published), PUBLISHED_NOTE]
    parts += ["## Cost", markdown_table(cost_table(study))]
    parts += ["## Gallery", rule(study.result.config.split.seed)]
    parts.append(_bullets([f"{row.id}: {row.reason}" for row in rows]))
    parts += ["## How this was made", markdown_table(run_table(study))]
    parts.append(markdown_table(configuration_table(study.result.config)))
    parts += [markdown_table(environment_table(study)), *_split_parts(study)]
    parts += ["## What the numbers mean"]
    parts.append(_bullets([f"{name}: {text}" for name, text in DEFINITIONS.items()]))
    return "\n\n".join(part for part in parts if part) + "\n"
