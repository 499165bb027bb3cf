"""The headline: which network to use, or why the scores cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from humanseg.report.formatting import (
    bounded,
    bounds,
    capitalised,
    counted,
    gap,
    listed,
    percent,
    points,
)
from humanseg.report.ranking import (
    Metric,
    Pair,
    candidates,
    clear_alarms,
    is_weak,
    metric_of,
    pair_of,
    ranked,
)
from humanseg.report.study import Network, Study
from humanseg.report.study_plan import folds
from humanseg.report.tables.difference_tables import (
    MARGIN,
    doubts,
    is_same_model,
    the_same_model,
    untested,
)
from humanseg.report.text.contradictions import contradictions
from humanseg.report.text.equal_networks import advice

_NBSP = "\N{NO-BREAK SPACE}"
_ENOUGH_FOLDS = 5


def labels(networks: Sequence[Network]) -> str:
    """Networks as a sentence lists them."""
    return listed([network.label for network in networks])


def value_of(study: Study, network: Network, metric: Metric) -> str:
    """A score with its interval."""
    return bounded(metric_of(study, network, metric))


def interval_of(pair: Pair) -> str:
    """The interval of a difference in brackets; empty without one."""
    interval = bounds(pair.difference, points)
    return f" (95{_NBSP}%{_NBSP}interval {interval})" if interval else ""


def apart(pair: Pair, above: str, below: str) -> str:
    """How far a pair is apart, and on which side `first` or `second` is, with the interval."""
    side, shown = (above, pair) if pair.difference.estimate >= 0 else (below, pair.turned)
    return f"{gap(pair.difference.estimate)} {side}{interval_of(shown)}"


def headline(study: Study) -> str:
    """Which network to use and how sure that is, in one or two sentences."""
    order = candidates(study)
    if reason := _incomparable(study, order):
        return f"No verdict{reason}."
    said = _verdict(study, order)
    alarms = false_alarms(study, order)
    return f"{said} {alarms}" if alarms else said


def false_alarms(study: Study, networks: Sequence[Network]) -> str:
    """How networks do where nobody is, if any two of them differ clearly there; else empty."""
    clear = clear_alarms(study, networks)
    if not clear:
        return ""
    each = [
        f"{percent(marked.estimate, 0)} of them ({percent(area.estimate)} of the area) with "
        f"{network.label}"
        for network in networks
        if (marked := metric_of(study, network, "false_positive_images"))
        and (area := metric_of(study, network, "false_positive_area"))
    ]
    count = counted(max(pair.images for pair in clear), "picture")
    return f"In {count} without people they differ clearly: somebody is marked in {listed(each)}."


def _incomparable(study: Study, order: Sequence[Network]) -> str:
    """Why neither scores nor false alarms are held against each other; empty where they may be."""
    if any(contradictions(study)):
        return ": the records contradict themselves, as the warnings say"
    pictures = [network.image_scores.keys() for network in order]
    if all(own == pictures[0] for own in pictures):
        return ""
    counts = listed([f"{len(own):,}" for own in pictures])
    shared = set(pictures[0]).intersection(*pictures)
    return (
        f" between {labels(order)}: they were not tested on the same pictures ({counts}, of which "
        f"they share {len(shared):,})"
    )


def _verdict(study: Study, order: Sequence[Network]) -> str:
    if not study.finished:
        return "No run finished: there is nothing to compare."
    if not study.compared:
        return "No network finished all of its runs: there is nothing to compare yet."
    if not order:
        return _nothing_to_say(study)
    if len(order) == 1:
        return _alone(study, order[0])
    models: dict[Network, list[Network]] = {}
    for network in order:
        first = next((first for first in models if is_same_model(first, network)), network)
        models.setdefault(first, []).append(network)
    said = _one_model(study, order) if len(models) == 1 else _between(study, list(models))
    also = [own for own in models.values() if len(own) > 1 and len(models) > 1]
    return " ".join((said, *(f"{labels(own)} are {the_same_model(own)}." for own in also)))


def _between(study: Study, order: Sequence[Network]) -> str:
    """The verdict between networks that were tested on the same pictures, highest first."""
    best = order[0]
    pairs = [pair for other in order[1:] if (pair := pair_of(study, "iou", best, other))]
    if any("training" in pair.record.doubts for pair in pairs):
        return _untested(study, order, pairs)
    level, behind = _levels(study, order)
    if len(level) == 1:
        nearest = min(pairs, key=lambda pair: pair.difference.estimate)
        return (
            f"Use {best.label}{_scope(study)}: per-image IoU {value_of(study, best, 'iou')}, "
            f"{_above(nearest)}."
        )
    apart = [pair_of(study, "iou", *both) for both in combinations(level, 2)]
    undecided = [pair for pair in apart if pair is None or not pair.record.equivalent]
    lower = f" ({labels(behind)} scored lower)" if behind else ""
    if undecided:
        return _undecided(study, level, lower, [pair for pair in undecided if pair])
    return (
        f"{labels(level)} are equal within {MARGIN} of per-image IoU{_scope(study)}{lower}: "
        f"{advice(study, level, behind)}."
    )


def _levels(study: Study, order: Sequence[Network]) -> tuple[list[Network], list[Network]]:
    """Networks that none of the first ones clearly beats, and those that one of them does."""
    level: list[Network] = []
    behind: list[Network] = []
    for network in order:
        pairs = (pair_of(study, "iou", other, network) for other in level)
        (behind if any(pair and pair.above for pair in pairs) else level).append(network)
    return level, behind


def _scope(study: Study) -> str:
    """Seeds test the luck of the trainings, not that of the pictures that were trained on."""
    return "" if folds(study) else " on the evidence of one split"


def _nothing_to_say(study: Study) -> str:
    weak = ranked(study, "iou")
    if not weak:
        return "No test picture has a person in its true mask: IoU is not defined."
    scores = listed([f"{value_of(study, network, 'iou')} with {network.label}" for network in weak])
    what = "a network that is" if len(weak) == 1 else "networks that are"
    return (
        f"No verdict: per-image IoU is {scores}, and nothing is concluded from {what} no better "
        "than the mean training mask, the same answer to every picture."
    )


def _alone(study: Study, network: Network) -> str:
    weak = [other for other in ranked(study, "iou") if is_weak(study, other)]
    unfinished = [other for other in study.networks if not (other.complete and other.scored)]
    end = ""
    if weak:
        end = (
            f"; there is no verdict on {labels(weak)}, no better than the mean training mask, the "
            "same answer to every picture"
        )
    if unfinished:
        are = "is" if len(unfinished) == 1 else "are"
        end += f"; {labels(unfinished)} {are} unfinished and not compared"
    if not end and study.kind not in ("evaluation", "run"):
        end = "; no other network was scored"
    return f"{network.label} reaches {value_of(study, network, 'iou')} per-image IoU{end}."


def _one_model(study: Study, order: Sequence[Network]) -> str:
    """What a way of running costs, or that it costs nothing."""
    each = listed([f"{value_of(study, network, 'iou')} with {network.label}" for network in order])
    return (
        f"{labels(order)} are {the_same_model(order)}: per-image IoU is {each}. Nothing follows "
        "from it about networks or trainings."
    )


def _above(pair: Pair) -> str:
    return apart(pair, f"above {pair.second.label}", f"below {pair.second.label}")


def _untested(study: Study, order: Sequence[Network], pairs: Sequence[Pair]) -> str:
    """The luck of trainings could not be tested."""
    best = order[0]
    same = [pair.second for pair in pairs if pair.alike]
    rest = [pair for pair in pairs if not pair.alike]
    highest = "the same in every picture" if same else "highest here"
    nearest = min(rest, key=lambda pair: pair.difference.estimate, default=None)
    once = any(len(network.seeds) < 2 for network in order)
    way = "several seeds of each, or five folds or more, can" if once else "score all of them"
    return (
        f"{labels([best, *same])} scored {highest}: per-image IoU {value_of(study, best, 'iou')}"
        f"{f', {_above(nearest)}' if nearest else ''}. {capitalised(untested(order))}; {way}."
    )


def _undecided(study: Study, level: Sequence[Network], lower: str, pairs: Sequence[Pair]) -> str:
    """No network is ahead, and it is not known that they are equal."""
    text = f"Undecided between {labels(level)} in per-image IoU{lower}"
    scored = []
    for first in dict.fromkeys(pair.first for pair in pairs):
        own = (pair for pair in pairs if pair.first is first)
        more = [
            f"{gap(pair.difference.estimate)} higher than {pair.second.label}{interval_of(pair)}"
            for pair in own
        ]
        scored.append(f"{first.label} scored {listed(more)}")
    if scored:
        text += f": {listed(scored)}"
    if len(pairs) == 1 and (why := doubts(study, pairs[0])):
        text += f", but {listed(why)}"
    enough = folds(study) >= _ENOUGH_FOLDS
    way = "More pictures, or the folds repeated, may" if enough else "Five folds or more can"
    if any("folds" in pair.record.doubts and pair.p("corrected") is None for pair in pairs):
        way = "A test of all of them on the same folds can"
    return f"{text}. {way} decide."
