"""The report for machines and for plain text: CSV and Markdown."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from humanseg.report import check_tables, cost_tables, generalisation_tables, reproduction, tables
from humanseg.report.definitions import DEFINITIONS, PUBLISHED_NOTE
from humanseg.report.difference_tables import pair_table
from humanseg.report.gallery import GalleryRow, rule
from humanseg.report.study import Scored, Study
from humanseg.report.summary_text import Answer, basis, problems, protocol
from humanseg.report.tables import Table
from humanseg.results import RunResult

_ABOUT = (
    "network",
    "run",
    "arch",
    "seed",
    "protocol",
    "split_seed",
    "fold",
    "held_out",
    "source",
    "id",
)
_COUNTS = (
    "height",
    "width",
    "tp",
    "fp",
    "fn",
    "tn",
    "boundary_intersection",
    "boundary_union",
    "contour_true",
    "contour_predicted",
    "contour_near_05",
    "contour_near_10",
)
_SHARES = (
    "distance_sum",
    "distance_p95",
    "iou",
    "dice",
    "boundary_iou",
    "surface_dice_05",
    "surface_dice_10",
    "assd",
    "hd95",
    "precision",
    "recall",
    "pixel_accuracy",
    "foreground_share",
)
CSV_COLUMNS = (*_ABOUT, *_COUNTS, *_SHARES)
"""Columns of scores.csv: what was scored, pixel counts, and what follows from them."""


def scores_csv(study: Study) -> str:
    """One row per network, run and picture; a number that is undefined or unknown is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for network, one in _every_score(study):
        about = _about(network, one)
        for image in one.scores:
            counts = (getattr(image, name) for name in _COUNTS)
            shares = (getattr(image, name) for name in _SHARES)
            written = ("" if value is None else f"{value:.6f}" for value in shares)
            source = study.sources.get(image.id, "")
            writer.writerow((*about, source, image.id, *counts, *written))
    return stream.getvalue()


def _every_score(study: Study) -> Iterator[tuple[str, Scored]]:
    """Everything that was scored, those that left a source out too, with the network's name."""
    for network in study.networks:
        for one in network.scored:
            yield network.name, one
    for run in study.result.runs if study.result else ():
        if run.config.split.protocol == "source":
            yield run.config.model.arch, run


def _about(network: str, one: Scored) -> tuple[object, ...]:
    if not isinstance(one, RunResult):
        return (network, one.model, one.arch, *[""] * 5)
    split = one.config.split
    fold = split.fold if split.protocol == "folds" else ""
    return (
        network,
        one.name,
        one.config.model.arch,
        one.config.training.seed,
        split.protocol,
        split.seed,
        fold,
        split.held_out or "",
    )


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


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _first_screen(study: Study, said: Answer) -> list[str]:
    parts = [f"# {escape(said.headline)}", f"{escape(study.title)}: {basis(study)}."]
    gaps = [f"{one.name} ({one.state}): {one.detail}" for one in problems(study)]
    if gaps:
        parts += ["**Runs without a result:**", _bullets(gaps)]
    if said.warnings:
        parts += ["**Warnings:**", _bullets(said.warnings)]
    parts += [escape(text) for text in said.findings]
    parts += [escape(said.limits), escape(said.cost)]
    if said.cautions:
        parts += ["Before you rely on this:", _bullets(said.cautions)]
    return parts


def _section(title: str, *parts: Table | str | None) -> list[str]:
    """A heading with its tables and texts; nothing if all are empty."""
    shown = [markdown_table(part) if isinstance(part, Table) else part for part in parts if part]
    return [f"## {title}", *shown] if shown else []


def _score_parts(study: Study, said: Answer) -> list[str]:
    published = cost_tables.published_table(study)
    return [
        *_section(
            "Scores",
            tables.overlap_table(study),
            _bullets(protocol(study)),
            tables.contour_table(study),
            tables.pixel_table(study),
            tables.strata_table(study),
            tables.fold_table(study),
        ),
        *_section("Differences between networks", pair_table(study)),
        *_section(
            "Beyond these pictures",
            _bullets(said.generalisation),
            generalisation_tables.gap_table(study),
            generalisation_tables.source_table(study),
            generalisation_tables.external_table(study),
            generalisation_tables.alarm_table(study),
            generalisation_tables.robustness_table(study),
        ),
        *_section("Cost", cost_tables.cost_table(study)),
        *_section("Beside the published figures", published, published and PUBLISHED_NOTE),
        *_section(
            "Checks of the data", check_tables.leak_table(study), check_tables.suspect_table(study)
        ),
    ]


def _origin_parts(study: Study) -> list[str]:
    settings = reproduction.settings(study)
    parts = _section(
        "How this was made",
        reproduction.run_table(study),
        settings.full if settings else None,
        reproduction.environment_table(study),
    )
    for division in reproduction.split_lists(study):
        named = [f"{name} ({len(ids)}): {', '.join(ids) or 'none'}" for name, ids in division.parts]
        parts += [f"**Pictures of {escape(', '.join(division.runs))}:**", _bullets(named)]
    return parts


def markdown(study: Study, said: Answer, rows: Sequence[GalleryRow]) -> str:
    """The report without pictures.

    Args:
        study: what is reported.
        said: its sentences.
        rows: pictures that the gallery's rule chose.
    """
    chosen = [f"{row.id}: {row.reason}" for row in rows]
    parts = [
        *_first_screen(study, said),
        *_score_parts(study, said),
        *(_section("Gallery", rule(study.split_seed), _bullets(chosen)) if chosen else []),
        *_origin_parts(study),
        "## What the numbers mean",
        _bullets([f"{name}: {text}" for name, text in DEFINITIONS.items()]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
