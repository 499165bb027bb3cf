"""Tables of what may be wrong with the data: pictures twice, and doubtful truth."""

from __future__ import annotations

from humanseg.report.formatting import UNKNOWN, percent, score
from humanseg.report.study import Study
from humanseg.report.tables import Column, Row, Table
from humanseg.results import SuspectLabel

LEAK_KINDS = {
    "exact": "The same pixels",
    "near": "The same picture, changed",
    "mirrored": "The same picture, mirrored",
    "scene": "Perhaps the same scene",
}

REASONS = {
    "holes": "Holes in the person",
    "specks": "Specks beside the person",
    "disagreement": "All networks disagree with it",
}


def leak_table(study: Study) -> Table | None:
    """Pairs of pictures that show the same, those that matter first; None without any."""
    found = study.analysis.leaks if study.analysis else ()
    if not found:
        return None
    rows = [
        Row(
            (
                f"{leak.first} and {leak.second}",
                LEAK_KINDS[leak.kind],
                score(leak.similarity, 2),
                "yes" if leak.divided else "no",
            ),
            "problem" if leak.divided and leak.kind != "scene" else "plain",
        )
        for leak in sorted(found, key=lambda one: not one.divided)
    ]
    columns = (
        Column("Pictures", numeric=False),
        Column("Likeness", numeric=False),
        Column("Similarity"),
        Column("One tested by a network that trained on the other", numeric=False),
    )
    caption = "Pictures that show the same. Scenes were found by likeness alone: look at them."
    return Table(caption, columns, tuple(rows))


def suspect_table(study: Study, anchors: dict[str, str] | None = None) -> Table | None:
    """Truth masks that may be wrong, most suspicious first within each reason; None without any.

    Args:
        study: what the page is about.
        anchors: place on the page by picture; a picture without one is not linked.
    """
    found = study.analysis.suspects if study.analysis else ()
    if not found:
        return None
    places = anchors or {}
    rows = [
        Row((one.id, REASONS[one.reason], _detail(one)), anchor=places.get(one.id, ""))
        for one in found
    ]
    columns = (
        Column("Picture", numeric=False),
        Column("Reason", numeric=False),
        Column("Detail", numeric=False),
    )
    caption = "Truth masks that may be wrong. They were scored as they are."
    return Table(caption, columns, tuple(rows))


def _detail(one: SuspectLabel) -> str:
    if one.reason == "disagreement":
        return f"the best network loses {percent(one.value)} of IoU"
    number = f"{one.count} {one.reason}" if one.count else UNKNOWN
    return f"{number}, {percent(one.value)} of the person's pixels"
