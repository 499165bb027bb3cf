"""What stands on the page below the answer, in the order in which readers ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from humanseg.report import (
    charts,
    check_tables,
    cost_tables,
    difference_tables,
    generalisation_tables,
    tables,
)
from humanseg.report.cost_charts import cost_plots
from humanseg.report.curves import Curves, learning_curves
from humanseg.report.definitions import PUBLISHED_NOTE
from humanseg.report.robustness import robustness_curves
from humanseg.report.study import Study
from humanseg.report.summary_text import protocol
from humanseg.report.tables import Table
from humanseg.report.thumbnails import Finding, leak_findings, suspect_findings


@dataclass(frozen=True)
class TablePart:
    """A table; `style` says how it is drawn."""

    kind: ClassVar[str] = "table"
    table: Table
    name: str
    style: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart and its caption."""

    drawing: Markup
    caption: str = ""


@dataclass(frozen=True)
class ChartsPart:
    """Charts side by side; `style` says how many."""

    kind: ClassVar[str] = "charts"
    figures: tuple[Figure, ...]
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
    """Findings with small pictures."""

    kind: ClassVar[str] = "findings"
    title: str
    findings: tuple[Finding, ...]


Part = TablePart | ChartsPart | CurvesPart | NotesPart | FindingsPart


@dataclass(frozen=True)
class Section:
    """A heading with what stands beneath it."""

    id: str
    link: str
    """What leads to it."""
    title: str
    lead: str
    parts: tuple[Part, ...]


def sections(study: Study, anchors: Mapping[str, str]) -> tuple[Section, ...]:
    """Every section that has something to show.

    Args:
        study: what is reported.
        anchors: places of the pictures in the gallery.
    """
    found = (
        _accuracy(study),
        _differences(study),
        _generalisation(study),
        _calibration(study),
        _cost(study),
        _published(study),
        _curves(study),
        _checks(study, anchors),
    )
    return tuple(one for one in found if any(part.kind != "notes" for part in one.parts))


def _tables(**named: Table | None) -> tuple[TablePart, ...]:
    return tuple(
        TablePart(table, name) for name, table in named.items() if table is not None and table.rows
    )


def _charts(
    *figures: tuple[Markup, str], style: str = "", legend: bool = False
) -> tuple[ChartsPart, ...]:
    drawn = tuple(Figure(drawing, caption) for drawing, caption in figures if drawing)
    return (ChartsPart(drawn, style, legend),) if drawn else ()


def _notes(*texts: str) -> tuple[NotesPart, ...]:
    known = tuple(text for text in texts if text)
    return (NotesPart(known),) if known else ()


def _accuracy(study: Study) -> Section:
    strip = (charts.strip_plot(study), "Per-image IoU by network; the line marks the median.")
    share = (charts.share_plot(study), "Per-image IoU against how much of the picture is person.")
    return Section(
        "scores",
        "Accuracy",
        "Accuracy",
        "A mean hides its failures: each mark in the charts is one test picture, and pointing at "
        "it shows its name.",
        (
            *_tables(overlap=tables.overlap_table(study)),
            *_notes(*protocol(study)),
            *_charts(strip, share, legend=True),
            *_tables(
                contour=tables.contour_table(study),
                pixels=tables.pixel_table(study),
                strata=tables.strata_table(study),
                folds=tables.fold_table(study),
            ),
        ),
    )


def _differences(study: Study) -> Section:
    overlap = (charts.interval_plot(study, "iou"), "Per-image IoU.")
    contour = (charts.interval_plot(study, "boundary_iou"), "Boundary IoU.")
    return Section(
        "differences",
        "Differences",
        "Differences between networks",
        "Every pair on the same pictures. A difference is called one only where nothing speaks "
        "against it.",
        (*_charts(overlap, contour), *_tables(pairs=difference_tables.pair_table(study))),
    )


def _generalisation(study: Study) -> Section:
    panels = [(drawing, "") for drawing in robustness_curves(study)]
    return Section(
        "generalisation",
        "Generalisation",
        "Beyond these pictures",
        "What was learned by heart, and how the networks fare on sources, data sets and "
        "corruptions that they have not seen.",
        (
            *_tables(
                gap=generalisation_tables.gap_table(study),
                sources=generalisation_tables.source_table(study),
                external=generalisation_tables.external_table(study),
                alarms=generalisation_tables.alarm_table(study),
                robustness=generalisation_tables.robustness_table(study),
            ),
            *_charts(*panels, style="small", legend=True),
        ),
    )


def _calibration(study: Study) -> Section:
    captions = ("All pixels.", "Pixels near the true contour.")
    drawn = zip(charts.reliability_plots(study), captions, strict=False)
    return Section(
        "calibration",
        "Calibration",
        "Calibration",
        "Whether a probability means what it says: of the pixels called person with probability "
        "0.8, eight in ten should be person. The diagonal is perfect.",
        _charts(*drawn, legend=True),
    )


def _cost(study: Study) -> Section:
    drawn = [(drawing, "") for drawing in cost_plots(study)]
    return Section(
        "cost",
        "Cost",
        "Cost",
        "What a network weighs and what its training took. Better is up and to the left.",
        (*_tables(costs=cost_tables.cost_table(study)), *_charts(*drawn)),
    )


def _published(study: Study) -> Section:
    return Section(
        "published",
        "Published",
        "Beside the published figures",
        "Only these columns follow the published convention: batches of 16 on the network's grid.",
        (*_tables(published=cost_tables.published_table(study)), *_notes(PUBLISHED_NOTE)),
    )


def _curves(study: Study) -> Section:
    curves = learning_curves(study)
    scored = any(run.split.validation_is_test for run in study.runs)
    shown = " (the pictures that are scored)" if scored else ""
    return Section(
        "curves",
        "Learning curves",
        "Learning curves",
        f"Solid lines are validation{shown}, dashed lines training with augmentation, both on the "
        "network's grid. The mark and the upright line show the epoch whose weights were kept. All "
        "networks share axes; losses beyond the axis are drawn at its end.",
        (CurvesPart(curves),) if curves else (),
    )


def _checks(study: Study, anchors: Mapping[str, str]) -> Section:
    leaks, suspects = leak_findings(study, anchors), suspect_findings(study, anchors)
    parts: list[Part] = []
    if leaks:
        parts.append(FindingsPart("Pictures that show the same", leaks))
        parts += _tables(leaks=check_tables.leak_table(study))
    if suspects:
        parts.append(FindingsPart("Truth masks to look at", suspects))
        parts += _tables(suspects=check_tables.suspect_table(study, dict(anchors)))
    return Section(
        "checks",
        "Checks",
        "Checks of the data",
        "Pictures in more than one part and wrong masks make scores untrue. These were found by "
        "rule; only eyes can judge them.",
        tuple(parts),
    )
