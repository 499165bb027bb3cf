"""Which images the gallery shows first: by rule, never by eye."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Mapping

from humanseg.report.formatting import percent, score
from humanseg.report.study import Study, grouped, scores_by_image
from humanseg.report.study_plan import split_seed
from humanseg.report.tables.image_tables import REASONS
from humanseg.results import SuspectLabel

MOST_OTHERS = 400
"""So many others are shown at most: the page of three networks then has up to 20 MB."""

_BEST, _MEDIAN, _WORST, _APART, _RANDOM, _SUSPECT, _SOURCES = 3, 3, 3, 4, 2, 8, 12


def rule(seed: int) -> str:
    """The rule in words."""
    return (
        f"Pictures are chosen by rule, by the mean per-image IoU over networks: the {_BEST} best, "
        f"the {_MEDIAN} around the median and the {_WORST} worst; the {_WORST} worst of each "
        f"network; the {_APART} on which networks differ most; {_RANDOM} of each source drawn at "
        f"random with seed {seed}; the {_WORST} without a person in which a network marks most; "
        "and those whose true mask may be wrong."
    )


def choose(
    scores: Mapping[str, Mapping[str, float]],
    seed: int,
    *,
    sources: Mapping[str, str] | None = None,
    suspects: Iterable[SuspectLabel] = (),
    alarms: Mapping[str, float] | None = None,
) -> dict[str, list[str]]:
    """Choose the gallery's images: every reason for each.

    By network label and image, `scores` are IoUs; by image, `alarms` are the largest share of
    pixels that a network marks where nobody is. Suspects come most suspicious first.
    """
    values = scores_by_image(scores)
    means = {id_: statistics.fmean(each) for id_, each in values.items()}
    gaps = {id_: max(each) - min(each) for id_, each in values.items()}
    order = _descending(means)
    ranks = {id_: rank for rank, id_ in enumerate(order)}
    central = sorted(order, key=lambda id_: abs(ranks[id_] - (len(order) - 1) / 2))
    named: list[tuple[str, str]] = []
    named += ((id_, f"Best: mean IoU {score(means[id_])}") for id_ in order[:_BEST])
    named += ((id_, f"Median: mean IoU {score(means[id_])}") for id_ in central[:_MEDIAN])
    named += ((id_, f"Worst: mean IoU {score(means[id_])}") for id_ in order[::-1][:_WORST])
    if len(scores) > 1:
        for label, own in scores.items():
            lowest = _descending(own)[::-1][:_WORST]
            named += ((id_, f"Worst of {label}: IoU {score(own[id_])}") for id_ in lowest)
    apart = [id_ for id_ in _descending(gaps) if gaps[id_] > 0][:_APART]
    named += ((id_, f"Networks disagree: IoU differs by {score(gaps[id_])}") for id_ in apart)
    for source, ids in _drawn(order, sources or {}, seed).items():
        named += ((id_, f"Drawn at random{f' from {source}' if source else ''}") for id_ in ids)
    marked = {id_: share for id_, share in (alarms or {}).items() if share > 0}
    named += (
        (id_, f"Marked though nobody is there: {percent(marked[id_])} of it")
        for id_ in _descending(marked)[:_WORST]
    )
    wrong = list(suspects)[:_SUSPECT]
    words = {reason: text[:1].lower() + text[1:] for reason, text in REASONS.items()}
    named += ((label.id, f"True mask to check: {words[label.reason]}") for label in wrong)
    return grouped(named)


def _descending(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda id_: (-values[id_], id_))


def _drawn(ids: Iterable[str], sources: Mapping[str, str], seed: int) -> dict[str, list[str]]:
    """Random images of each source; of the largest only, where there are very many."""
    pools = grouped((sources.get(id_, ""), id_) for id_ in sorted(ids))
    largest = sorted(pools, key=lambda source: (-len(pools[source]), source))[:_SOURCES]
    generator = random.Random(seed)
    drawn = {}
    for source in sorted(largest):
        generator.shuffle(pools[source])
        drawn[source] = pools[source][:_RANDOM]
    return drawn


def choose_images(study: Study) -> dict[str, list[str]]:
    """The gallery's images: those of the rule with every reason, then the others, hardest first."""
    scores = {network.label: network.by_image("iou") for network in study.finished}
    images = study.image_scores
    alarms: dict[str, float] = {}  # the largest share of pixels that any network marks
    for network in study.finished:
        for id_, image in network.image_scores.items():
            if image.person_free:
                share = image.fp / (image.height * image.width)
                alarms[id_] = max(alarms.get(id_, 0.0), share)
    chosen = choose(
        scores,
        split_seed(study),
        sources=study.sources,
        suspects=(label for label in study.analysis.suspects if label.id in images),
        alarms=alarms,
    )
    means = {id_: statistics.fmean(each) for id_, each in scores_by_image(scores).items()}
    others = sorted((id_ for id_ in images if id_ not in chosen), key=lambda id_: means.get(id_, 2))
    # At most so many, evenly through the list.
    step = max(1.0, len(others) / MOST_OTHERS)
    shown = (others[int(index * step)] for index in range(min(len(others), MOST_OTHERS)))
    return chosen | {id_: [] for id_ in shown}
