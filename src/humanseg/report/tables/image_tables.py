"""Tables of single images: all that were scored, duplicates, and doubtful true masks."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from humanseg.report.formatting import UNKNOWN, counted, percent, points, score
from humanseg.report.study import Study, scores_by_image
from humanseg.report.tables.table import Column, Row, Table, Value, numbers, words
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
    "holes": "Holes that all networks fill",
    "specks": "Specks that no network sees",
    "disagreement": "All networks are sure of something else",
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


_IMAGE_METRICS = {
    "iou": "Per-image IoU",
    "boundary_iou": "Boundary IoU",
    "surface_dice_10": "NSD at 1 %",
}


def image_table(study: Study, anchors: Mapping[str, str]) -> Table:
    """Every image, the hardest first."""
    by_metric = {
        name: {network.name: network.by_image(name) for network in study.finished}
        for name in _IMAGE_METRICS
    }
    measured = [name for name, by_network in by_metric.items() if any(by_network.values())]
    ious = scores_by_image(by_metric["iou"])
    means = {id_: statistics.fmean(values) for id_, values in ious.items()}
    images = study.image_scores
    rows = []
    for id_ in sorted(images, key=lambda id_: (means.get(id_, 2.0), id_)):
        image, source = images[id_], study.sources.get(id_, "")
        scores = [by_metric[name][net.name].get(id_) for name in measured for net in study.finished]
        own = ious.get(id_, [0.0])
        apart, mean = max(own) - min(own), means.get(id_)
        shown: list[tuple[str, Value]] = [
            (id_, id_),
            (f"{image.width}×{image.height}", image.width * image.height),
            (percent(image.foreground_share), image.foreground_share),
            *([(source or UNKNOWN, source)] if study.sources else []),
            *((score(value), value) for value in (*scores, mean)),
            (points(apart), apart),
        ]
        cells, values = zip(*shown, strict=True)
        rows.append(Row(cells, anchor=anchors.get(id_, ""), values=values))
    caption = "Every scored picture, lowest mean first"
    if any(len(network.scored) > 1 for network in study.finished):
        caption += "; scores are means over the runs that tested it"
    columns = [*words("Picture"), *numbers("Size", "Foreground")]
    columns += words("Source") if study.sources else []
    for name in measured:
        columns += numbers(*(net.label for net in study.finished), group=_IMAGE_METRICS[name])
    columns += numbers("Mean IoU", "Largest gap (points)")
    return Table("every", f"{caption}.", columns, rows)
