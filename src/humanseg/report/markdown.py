"""The report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from humanseg.report import reproduction
from humanseg.report.gallery.gallery_rows import GalleryRow
from humanseg.report.gallery.image_choice import rule
from humanseg.report.sections import Notes, Section
from humanseg.report.study import Study
from humanseg.report.study_plan import lacking_runs, split_seed, title
from humanseg.report.tables.table import Table
from humanseg.report.text.definitions import DEFINITIONS
from humanseg.report.text.summary_text import Answer, basis


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|&~])", r"\\\1", " ".join(text.split()))


def markdown_table(table: Table) -> str:
    """A table as GitHub Markdown, its caption above."""
    heads = [
        f"{column.label} ({column.group})"
        if column.aside
        else f"{column.group}: {column.label}".removeprefix(": ")
        for column in table.columns
    ]
    lines = [[escape(head) for head in heads]]
    lines.append(["--:" if column.numeric else ":--" for column in table.columns])
    for row in table.rows:
        first = f"{row.cells[0]} (changed)" if row.kind == "changed" else row.cells[0]
        lines.append([escape(cell) for cell in (first, *row.cells[1:])])
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"*{escape(table.caption)}*\n\n{drawn}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _first_screen(study: Study, summary: Answer) -> list[str]:
    parts = [f"# {escape(summary.headline)}", f"{escape(title(study))}: {basis(study)}."]
    lacking = [f"{run.name} ({run.state}): {run.detail}" for run in lacking_runs(study)]
    if lacking:
        parts += ["**Runs without a result:**", _bullets(lacking)]
    if summary.warnings:
        parts += ["**Warnings:**", _bullets(summary.warnings)]
    parts += [escape(text) for text in (*summary.findings, summary.limits, summary.cost)]
    if summary.cautions:
        parts += ["Before you rely on this:", _bullets(summary.cautions)]
    return parts


def _heading(title: str, *parts: Table | str) -> list[str]:
    """A heading with its tables and texts; nothing if all are empty."""
    shown = [markdown_table(part) if isinstance(part, Table) else part for part in parts if part]
    return [f"## {title}", *shown] if shown else []


def _section(section: Section, text: str) -> list[str]:
    """A text, and the tables and remarks of a section; its pictures are on the page alone."""
    shown = [
        _bullets(part.texts) if isinstance(part, Notes) else part
        for part in section.parts
        if isinstance(part, Table | Notes)
    ]
    return _heading(section.title, text, *shown)


def _origin_parts(study: Study) -> list[str]:
    parts = _heading(
        "How this was made",
        reproduction.run_table(study),
        reproduction.settings_table(study),
        reproduction.environment_table(study),
    )
    for users, split in reproduction.split_lists(study).items():
        named = (f"{name} ({len(ids)}): {', '.join(ids) or 'none'}" for name, ids in split.items())
        parts += [f"**Pictures of {escape(users)}:**", _bullets(named)]
    return parts


def markdown(
    study: Study, summary: Answer, rows: Sequence[GalleryRow], sections: Sequence[Section]
) -> str:
    """The report without images."""
    chosen = _bullets(f"{row.id}: {row.reason}" for row in rows)
    said = {"generalisation": _bullets(summary.generalisation)}
    parts = [
        *_first_screen(study, summary),
        *(line for section in sections for line in _section(section, said.get(section.id, ""))),
        *(_heading("Gallery", rule(split_seed(study)), chosen) if chosen else []),
        *_origin_parts(study),
        "## What the numbers mean",
        _bullets(f"{name}: {text}" for name, text in DEFINITIONS.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
