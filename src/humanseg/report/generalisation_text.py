"""Sentences on how far scores carry, and on what bounds them."""

from __future__ import annotations

from collections.abc import Iterator

from humanseg.report.formatting import bounded, counted, gap, listed, percent, score
from humanseg.report.generalisation_tables import by_corruption, corruption_name, kept_on_average
from humanseg.report.study import Study
from humanseg.report.tables import network_labels
from humanseg.results import Bound, ExternalAnalysis, SourceAnalysis


def generalisation(study: Study) -> Iterator[str]:
    """One sentence per kind of test that was made."""
    if study.analysis is None:
        return
    yield from _learned_by_heart(study)
    yield from _left_out(study)
    yield from _elsewhere(study)
    yield from _corrupted(study)


def _label(study: Study, name: str) -> str:
    return network_labels(study, (name,))[0]


def _learned_by_heart(study: Study) -> Iterator[str]:
    gaps = []
    for network in study.finished:
        found = study.analysed(network)
        if found and found.gap is not None:
            side = "higher" if found.gap >= 0 else "lower"
            gaps.append(f"{gap(found.gap)} {side} with {network.label}")
    if gaps:
        yield (
            "Per-image IoU on the pictures that a network trained on is "
            f"{listed(gaps)} than on held-out ones."
        )


def _left_out(study: Study) -> Iterator[str]:
    by_source: dict[str, list[SourceAnalysis]] = {}
    for one in study.analysis.sources if study.analysis else ():
        by_source.setdefault(one.source, []).append(one)
    for source, found in by_source.items():
        each = [_lost(study, one) for one in found]
        yield (
            f"On {counted(found[0].images, 'picture')} of source {source}, networks that saw no "
            f"picture of it reach {listed(each)}."
        )


def _lost(study: Study, one: SourceAnalysis) -> str:
    text = f"{bounded(one.unseen)} with {_label(study, one.network)}"
    if one.gap is None:
        return text
    side = "lower" if one.gap.estimate >= 0 else "higher"
    return f"{text} ({gap(one.gap.estimate)} {side} than with it in training)"


def _elsewhere(study: Study) -> Iterator[str]:
    by_data: dict[str, list[ExternalAnalysis]] = {}
    for one in study.analysis.external if study.analysis else ():
        by_data.setdefault(one.data, []).append(one)
    for data, found in by_data.items():
        each = [
            f"{bounded(one.metrics.get('iou'))} with {_label(study, one.network)}" for one in found
        ]
        yield (
            f"On {data} ({counted(found[0].images, 'picture')}), which no network was trained on, "
            f"per-image IoU is {listed(each)}."
        )


def _corrupted(study: Study) -> Iterator[str]:
    found = by_corruption(study)
    if not found:
        return
    names = dict.fromkeys(name for one in found.values() for name in one)
    kept = [f"{percent(kept_on_average(found, name))} with {_label(study, name)}" for name in names]
    every = [one for several in found.values() for one in several.values()]
    lowest = min(every, key=lambda one: one.retention.estimate)
    yield (
        f"Of the IoU of clean pictures, corrupted ones keep {listed(kept)}, on average over "
        f"{counted(len(found), 'corruption')}; the least is kept with "
        f"{_label(study, lowest.network)} under {corruption_name(lowest.corruption).lower()} "
        f"({percent(lowest.retention.estimate)})."
    )


def limits(study: Study) -> str:
    """Floors and ceilings of per-image IoU in one sentence; empty where none is known."""
    parts = [text for bound in study.bounds if (text := _bound(study, bound))]
    if not parts:
        return ""
    text = "; ".join(parts)
    return f"For scale, in per-image IoU: {text}."


def _bound(study: Study, bound: Bound) -> str:
    if bound.iou is None:
        return ""
    value = score(bound.iou)
    if bound.name == "mean_mask":
        return f"the mean of the training masks, which looks at no picture, reaches {value}"
    if bound.name == "all_background":
        return ""  # 0 by definition wherever somebody is there
    if bound.name == "output_grid":
        grid = f" of {bound.detail.replace('x', '×')}" if bound.detail else ""
        whose = listed([f"{one}'s" for one in network_labels(study, bound.networks)])
        return f"the best possible on {whose or 'the'} output grid{grid} is {value}"
    pictures = f" (pictures {bound.detail})" if bound.detail else ""
    return f"the label source agrees with itself to {value} on the same photograph{pictures}"
