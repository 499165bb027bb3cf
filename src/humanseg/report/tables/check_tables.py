"""Tables of what may be wrong with the data: duplicate images, and doubtful true masks."""

from __future__ import annotations

from collections.abc import Mapping

from humanseg.report.formatting import counted, percent, score
from humanseg.report.study import Study
from humanseg.report.tables.table import Column, Row, Table, words
from humanseg.results import SuspectLabel

LEAK_KINDS = {
    "exact": "Same pixels",
    "near": "Near-duplicate",
    "mirrored": "Mirrored duplicate",
    "turned": "Turned duplicate",
    "group": "Same group",
    "scene": "Possibly the same scene",
}

REASONS = {
    "holes": "Holes in the person",
    "specks": "Specks around the person",
    "disagreement": "All networks disagree with it",
}


def leak_table(study: Study) -> Table:
    """Pairs of images that show the same, those that matter first."""
    rows = []
    for leak in sorted(study.analysis.leaks, key=lambda each: not each.divided):
        pair, similarity = f"{leak.first} and {leak.second}", score(leak.similarity, 2)
        cells = (pair, LEAK_KINDS[leak.kind], similarity, "yes" if leak.divided else "no")
        rows.append(Row(cells, "problem" if leak.divided and leak.kind != "scene" else "plain"))
    divided = words("One tested by a network trained on the other")
    columns = (*words("Pictures", "Kind"), Column("Similarity"), *divided)
    caption = "Pictures that show the same. Scenes are guesses from similar features: look at them."
    return Table("leaks", caption, columns, rows)


def suspect_table(study: Study, anchors: Mapping[str, str]) -> Table:
    """True masks that may be wrong, most suspicious first within each reason."""
    rows = [
        Row((own.id, REASONS[own.reason], suspect_detail(own)), anchor=anchors.get(own.id, ""))
        for own in study.analysis.suspects
    ]
    caption = "True masks that may be wrong. They were scored as they are."
    return Table("suspects", caption, words("Picture", "Reason", "Detail"), rows)


def suspect_detail(label: SuspectLabel) -> str:
    """How much of a true mask is suspicious."""
    if label.reason == "disagreement":
        return f"the best network reaches IoU {score(1 - label.value)}"
    size = f"{percent(label.value)} of the person's pixels"
    return f"{counted(label.count, label.reason.removesuffix('s'))}, {size}"
