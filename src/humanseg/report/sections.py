"""What stands on the page below the answer, in the order in which readers ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from humanseg.report.charts import score_charts as charts
from humanseg.report.charts.cost_charts import cost_plots
from humanseg.report.charts.curves import learning_curves, robustness_curves
from humanseg.report.gallery.thumbnails import Finding, leak_findings, suspect_findings
from humanseg.report.study import Network, Study
from humanseg.report.tables import (
    cost_tables,
    difference_tables,
    generalisation_tables,
    image_tables,
    score_tables,
)
from humanseg.report.tables.table import Table
from humanseg.report.text.definitions import PUBLISHED_NOTE
from humanseg.report.text.protocol_text import protocol


@dataclass(frozen=True)
class Charts:
    """Charts side by side, each with its caption; `style` says how many."""

    kind: ClassVar[str] = "charts"
    figures: Sequence[tuple[Markup, str]]
    style: str = ""
    legend: bool = False


@dataclass(frozen=True)
class CurvesByNetwork:
    """Learning curves of loss and IoU, one column per network."""

    kind: ClassVar[str] = "curves"
    curves: Sequence[tuple[Network, Markup, Markup]]


@dataclass(frozen=True)
class Notes:
    """Short remarks."""

    kind: ClassVar[str] = "notes"
    texts: Sequence[str]


@dataclass(frozen=True)
class Findings:
    """Findings with small images."""

    kind: ClassVar[str] = "findings"
    title: str
    findings: Sequence[Finding]


Part = Table | Charts | CurvesByNetwork | Notes | Findings


@dataclass(frozen=True)
class Section:
    """A heading with what stands beneath it."""

    id: str
    title: str
    lead: str
    parts: Sequence[Part]
    link: str = ""
    """What leads to it, where its title is too long for that."""


def sections(study: Study, anchors: Mapping[str, str]) -> list[Section]:
    """Every section that has something to show."""
    every = (*_of_scores(study), *_of_trainings(study), _checks(study, anchors))
    return [each for each in every if any(part.kind != "notes" for part in each.parts)]


def _section(id_: str, title: str, lead: str, *parts: Part | None, link: str = "") -> Section:
    return Section(id_, title, lead, [part for part in parts if part], link)


def _charts(*figures: tuple[Markup, str], style: str = "", legend: bool = False) -> Charts | None:
    drawn = [figure for figure in figures if figure[0]]
    return Charts(drawn, style, legend) if drawn else None


def _of_scores(study: Study) -> Iterator[Section]:
    notes = protocol(study)
    yield _section(
        "scores",
        "Accuracy",
        "A mean hides single failures. Each mark in the charts is one test picture; point at it to "
        "see its name.",
        score_tables.overlap_table(study),
        Notes(notes) if notes else None,
        _charts(
            (charts.strip_plot(study), "Per-image IoU by network; the line marks the median."),
            (charts.share_plot(study), "Per-image IoU against how much of the picture is person."),
            legend=True,
        ),
        score_tables.contour_table(study),
        score_tables.pixel_table(study),
        score_tables.strata_table(study),
        score_tables.attribute_table(study),
        score_tables.fold_table(study),
    )
    yield _section(
        "differences",
        "Differences between networks",
        "Every pair of networks on the same pictures. A difference is claimed only where no test "
        "speaks against it.",
        _charts(
            (charts.interval_plot(study, "iou"), "Per-image IoU."),
            (charts.interval_plot(study, "boundary_iou"), "Boundary IoU."),
        ),
        difference_tables.pair_table(study),
        link="Differences",
    )
    yield _section(
        "generalisation",
        "Generalisation",
        "How much the networks overfit, and how well they do on sources, data sets and corruptions "
        "that they were not trained on.",
        generalisation_tables.gap_table(study),
        generalisation_tables.source_table(study),
        generalisation_tables.external_table(study),
        generalisation_tables.alarm_table(study),
        generalisation_tables.robustness_table(study),
        _charts(
            *((drawing, "") for drawing in robustness_curves(study)), style="small", legend=True
        ),
    )
    yield _section(
        "calibration",
        "Calibration",
        "Of the pixels to which a network gives probability 0.8, eight in ten should be person. "
        "Perfect calibration lies on the diagonal.",
        _charts(
            (charts.reliability_plot(study, "calibration"), "All pixels."),
            (charts.reliability_plot(study, "band_calibration"), "Pixels near the true contour."),
            legend=True,
        ),
    )


def _of_trainings(study: Study) -> Iterator[Section]:
    yield _section(
        "cost",
        "Cost",
        "Size, speed and training time of each network. In the charts, better is up and left.",
        cost_tables.cost_table(study),
        _charts(*((drawing, "") for drawing in cost_plots(study))),
    )
    yield _section(
        "published",
        "Comparison with the published figures",
        "Only these columns follow the published convention: batches of 16 on the network's grid.",
        cost_tables.published_table(study),
        Notes([PUBLISHED_NOTE]),
        link="Published",
    )
    curves = learning_curves(study)
    scored = any(run.split.validation_is_test for run in study.runs)
    shown = " (the pictures that are scored)" if scored else ""
    yield _section(
        "curves",
        "Learning curves",
        f"Solid lines are validation{shown}, dashed lines training with augmentation, both on the "
        "network's grid. The mark and the vertical line show the epoch whose weights were scored. "
        "All networks share axes; losses beyond the axis are drawn at its end.",
        CurvesByNetwork(curves) if curves else None,
    )


def _checks(study: Study, anchors: Mapping[str, str]) -> Section:
    leaks, suspects = leak_findings(study, anchors), suspect_findings(study, anchors)
    return _section(
        "checks",
        "Checks of the data",
        "Duplicate pictures in training and test, and wrong true masks, distort scores. These were "
        "found automatically: look at them before you trust or dismiss them.",
        Findings("Pictures that show the same", leaks) if leaks else None,
        image_tables.leak_table(study),
        Findings("True masks to check", suspects) if suspects else None,
        image_tables.suspect_table(study, anchors),
        link="Checks",
    )
