"""Sentences on how far scores carry, and on what bounds them."""

from __future__ import annotations

from collections.abc import Iterator

from humanseg.report.formatting import bounded, counted, gap, listed, percent, score
from humanseg.report.study import Study, grouped
from humanseg.report.tables.generalisation_tables import corruption_name, mean_retention
from humanseg.results import SourceAnalysis


def generalisation(study: Study) -> Iterator[str]:
    """One sentence per kind of test that was made."""
    yield from _on_training_images(study)
    yield from _on_left_out_sources(study)
    yield from _on_external_data(study)
    yield from _on_corrupted_images(study)


def _on_training_images(study: Study) -> Iterator[str]:
    gaps = []
    for network in study.finished:
        analysed = study.analysed(network)
        if analysed and analysed.gap is not None:
            side = "higher" if analysed.gap >= 0 else "lower"
            gaps.append(f"{gap(analysed.gap)} {side} for {network.label}")
    if gaps:
        yield f"On training pictures, per-image IoU is {listed(gaps)} than on held-out pictures."


def _on_left_out_sources(study: Study) -> Iterator[str]:
    by_source = grouped((record.source, record) for record in study.analysis.sources)
    for source, records in by_source.items():
        each = [_left_out(study, record) for record in records]
        yield (
            f"On {counted(records[0].images, 'picture')} of source {source}, networks trained "
            f"without that source reach {listed(each)}."
        )


def _left_out(study: Study, record: SourceAnalysis) -> str:
    text = f"{bounded(record.unseen)} with {study.network(record.network).label}"
    if record.gap is None:
        return text
    side = "lower" if record.gap.estimate >= 0 else "higher"
    return f"{text} ({gap(record.gap.estimate)} {side} than when trained with it)"


def _on_external_data(study: Study) -> Iterator[str]:
    by_data = grouped((record.data, record) for record in study.analysis.external)
    for data, records in by_data.items():
        each = [
            f"{bounded(record.metrics.get('iou'))} with {study.network(record.network).label}"
            for record in records
        ]
        images, undefined = records[0].images, records[0].undefined
        some = f", {images - undefined:,} with people" if undefined else ""
        yield (
            f"On the external data set {data} ({counted(images, 'picture')}{some}), per-image IoU "
            f"is {listed(each)}."
        )


def _on_corrupted_images(study: Study) -> Iterator[str]:
    records = study.analysis.robustness
    if not records:
        return
    retained = [
        f"{percent(mean_retention(study, name))} with {study.network(name).label}"
        for name in dict.fromkeys(record.network for record in records)
    ]
    lowest = min(records, key=lambda record: record.retention.estimate)
    yield (
        f"On corrupted pictures, the IoU retained is {listed(retained)}, averaged over "
        f"{counted(len({record.corruption for record in records}), 'corruption')}; it is lowest "
        f"with {study.network(lowest.network).label} under "
        f"{corruption_name(lowest.corruption).lower()} ({percent(lowest.retention.estimate)})."
    )


_BOUNDS = {  # not all background: 0 by definition wherever there is a person
    "mean_mask": "the mean training mask, the same answer to every picture",
    "output_grid": "the true mask after a round trip through the {grid}output grid{whose}",
    "label_agreement": "one true mask against another of the same photograph{images}",
}


def limits(study: Study) -> str:
    """Baselines and upper bounds of per-image IoU in one sentence; empty where there is none."""
    parts = []
    for bound in study.analysis.bounds:
        if bound.iou is None or bound.name not in _BOUNDS:
            continue
        labels = listed([study.network(name).label for name in bound.networks])
        text = _BOUNDS[bound.name].format(
            grid=f"{bound.detail.replace('x', '×')} " if bound.detail else "",
            whose=f" of {labels}" if labels else "",
            images=f" (pictures {bound.detail})" if bound.detail else "",
        )
        parts.append(f"{text}: {score(bound.iou)}")
    return f"For scale, per-image IoU of {'; of '.join(parts)}." if parts else ""
