"""What stands on the page below the answer, in the order in which readers ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from humanseg.report.charts import score_charts
from humanseg.report.charts.cost_charts import cost_plots
from humanseg.report.charts.learning_curves import Curves, learning_curves
from humanseg.report.charts.robustness_charts import robustness_curves
from humanseg.report.gallery.thumbnails import Finding, leak_findings, suspect_findings
from humanseg.report.study import Study
from humanseg.report.tables import (
    check_tables,
    cost_tables,
    difference_tables,
    generalisation_tables,
    score_tables,
)
from humanseg.report.tables.table import Table
from humanseg.report.text.definitions import PUBLISHED_NOTE
from humanseg.report.text.protocol_text import protocol


@dataclass(frozen=True)
class TablePart:
    """A table."""

    kind: ClassVar[str] = "table"
    table: Table
    name: str


@dataclass(frozen=True)
class ChartsPart:
    """Charts side by side, each with its caption; `style` says how many."""

    kind: ClassVar[str] = "charts"
    figures: tuple[tuple[Markup, str], ...]
    style: str = ""
    legend: bool = False


@dataclass(frozen=True)
class CurvesPart:
    """Learning curves, one column per network."""

    kind: ClassVar[str] = "curves"
    curves: tuple[Curves, ...]


@dataclass(frozen=True)
class NotesPart:
    """Short remarks."""

    kind: ClassVar[str] = "notes"
    texts: tuple[str, ...]


@dataclass(frozen=True)
class FindingsPart:
    """Findings with small images."""

    kind: ClassVar[str] = "findings"
    title: str
    findings: tuple[Finding, ...]


Part = TablePart | ChartsPart | CurvesPart | NotesPart | FindingsPart


@dataclass(frozen=True)
class Section:
    """A heading with what stands beneath it."""

    id: str
    title: str
    lead: str
    parts: tuple[Part, ...]
    link: str = ""
    """What leads to it, where its title is too long for that."""


def sections(study: Study, anchors: Mapping[str, str]) -> tuple[Section, ...]:
    """Every section that has something to show."""
    every = (
        _accuracy(study),
        _differences(study),
        _generalisation(study),
        _calibration(study),
        _cost(study),
        _published(study),
        _curves(study),
        _checks(study, anchors),
    )
    return tuple(each for each in every if any(part.kind != "notes" for part in each.parts))


def _tables(**named: Table | None) -> tuple[TablePart, ...]:
    return tuple(
        TablePart(table, name) for name, table in named.items() if table is not None and table.rows
    )


def _charts(
    *figures: tuple[Markup, str], style: str = "", legend: bool = False
) -> tuple[ChartsPart, ...]:
    drawn = tuple(figure for figure in figures if figure[0])
    return (ChartsPart(drawn, style, legend),) if drawn else ()


def _notes(*texts: str) -> tuple[NotesPart, ...]:
    given = tuple(text for text in texts if text)
    return (NotesPart(given),) if given else ()


def _accuracy(study: Study) -> Section:
    strip = (score_charts.strip_plot(study), "Per-image IoU by network; the line marks the median.")
    share = (
        score_charts.share_plot(study),
        "Per-image IoU against how much of the picture is person.",
    )
    return Section(
        "scores",
        "Accuracy",
        "A mean hides single failures. Each mark in the charts is one test picture; point at it to "
        "see its name.",
        (
            *_tables(overlap=score_tables.overlap_table(study)),
            *_notes(*protocol(study)),
            *_charts(strip, share, legend=True),
            *_tables(
                contour=score_tables.contour_table(study),
                pixels=score_tables.pixel_table(study),
                strata=score_tables.strata_table(study),
                attributes=score_tables.attribute_table(study),
                folds=score_tables.fold_table(study),
            ),
        ),
    )


def _differences(study: Study) -> Section:
    overlap = (score_charts.interval_plot(study, "iou"), "Per-image IoU.")
    contour = (score_charts.interval_plot(study, "boundary_iou"), "Boundary IoU.")
    return Section(
        "differences",
        "Differences between networks",
        "Every pair of networks on the same pictures. A difference is claimed only where no test "
        "speaks against it.",
        (*_charts(overlap, contour), *_tables(pairs=difference_tables.pair_table(study))),
        "Differences",
    )


def _generalisation(study: Study) -> Section:
    return Section(
        "generalisation",
        "Generalisation",
        "How much the networks overfit, and how well they do on sources, data sets and corruptions "
        "that they were not trained on.",
        (
            *_tables(
                gap=generalisation_tables.gap_table(study),
                sources=generalisation_tables.source_table(study),
                external=generalisation_tables.external_table(study),
                alarms=generalisation_tables.alarm_table(study),
                robustness=generalisation_tables.robustness_table(study),
            ),
            *_charts(
                *((each, "") for each in robustness_curves(study)), style="small", legend=True
            ),
        ),
    )


def _calibration(study: Study) -> Section:
    captions = ("All pixels.", "Pixels near the true contour.")
    drawn = zip(score_charts.reliability_plots(study), captions, strict=False)
    return Section(
        "calibration",
        "Calibration",
        "Of the pixels to which a network gives probability 0.8, eight in ten should be person. "
        "Perfect calibration lies on the diagonal.",
        _charts(*drawn, legend=True),
    )


def _cost(study: Study) -> Section:
    drawn = ((drawing, "") for drawing in cost_plots(study))
    return Section(
        "cost",
        "Cost",
        "Size, speed and training time of each network. In the charts, better is up and left.",
        (*_tables(costs=cost_tables.cost_table(study)), *_charts(*drawn)),
    )


def _published(study: Study) -> Section:
    return Section(
        "published",
        "Comparison with the published figures",
        "Only these columns follow the published convention: batches of 16 on the network's grid.",
        (*_tables(published=cost_tables.published_table(study)), *_notes(PUBLISHED_NOTE)),
        "Published",
    )


def _curves(study: Study) -> Section:
    curves = learning_curves(study)
    scored = any(run.split.validation_is_test for run in study.runs)
    shown = " (the pictures that are scored)" if scored else ""
    return Section(
        "curves",
        "Learning curves",
        f"Solid lines are validation{shown}, dashed lines training with augmentation, both on the "
        "network's grid. The mark and the vertical line show the epoch whose weights were scored. "
        "All networks share axes; losses beyond the axis are drawn at its end.",
        (CurvesPart(curves),) if curves else (),
    )


def _checks(study: Study, anchors: Mapping[str, str]) -> Section:
    leaks, suspects = leak_findings(study, anchors), suspect_findings(study, anchors)
    parts: list[Part] = []
    if leaks:
        parts.append(FindingsPart("Pictures that show the same", leaks))
        parts += _tables(leaks=check_tables.leak_table(study))
    if suspects:
        parts.append(FindingsPart("True masks to check", suspects))
        parts += _tables(suspects=check_tables.suspect_table(study, anchors))
    return Section(
        "checks",
        "Checks of the data",
        "Duplicate pictures in training and test, and wrong true masks, distort scores. These were "
        "found automatically: look at them before you trust or dismiss them.",
        tuple(parts),
        "Checks",
    )
