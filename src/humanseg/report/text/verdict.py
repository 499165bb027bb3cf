"""The headline: which network to use, or why the scores cannot say."""

from __future__ import annotations

from collections.abc import Sequence

from humanseg.report.formatting import (
    bounded,
    bounds,
    counted,
    duration,
    gap,
    large,
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
from humanseg.report.study_plan import folds, is_cross_validated
from humanseg.report.tables.difference_tables import MARGIN, doubts
from humanseg.report.text.caveats import comparable_times

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


def headline(study: Study) -> str:
    """Which network to use and how sure that is, in one or two sentences."""
    order = candidates(study)
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


def _verdict(study: Study, order: Sequence[Network]) -> str:
    if not study.finished:
        return "No run finished: there is nothing to compare."
    if not study.compared:
        return "No network finished all of its runs: there is nothing to compare yet."
    if not order:
        return _nothing_to_say(study)
    best = order[0]
    if len(order) == 1:
        return _alone(study, best)
    pairs = {network: pair_of(study, "iou", best, network) for network in order[1:]}
    analysed = [pair for pair in pairs.values() if pair is not None]
    if not analysed:
        mean = value_of(study, best, "iou")
        return (
            f"{best.label} has the highest per-image IoU, {mean}, but no picture was scored by "
            "several networks: no difference can be tested."
        )
    nearest = min(analysed, key=lambda pair: pair.difference.estimate)
    if any("training" in pair.record.doubts for pair in analysed):
        return _single_trainings(study, best, nearest)
    level = [network for network, pair in pairs.items() if pair is None or not pair.above]
    if not level:
        return f"Use {best.label}: per-image IoU {value_of(study, best, 'iou')}, {_above(nearest)}."
    behind = [network for network in pairs if network not in level]
    apart = [pairs[network] for network in level]
    undecided = [pair for pair in apart if pair is None or not pair.record.equivalent]
    if undecided:
        return _undecided(study, best, level, behind, undecided)
    return _equal(study, [best, *level], behind)


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
    if weak:
        end = (
            f"; there is no verdict on {labels(weak)}, no better than the mean training mask, the "
            "same answer to every picture"
        )
    else:
        end = "" if study.kind in ("evaluation", "run") else "; no other network was scored"
    return f"{network.label} reaches {value_of(study, network, 'iou')} per-image IoU{end}."


def _above(pair: Pair) -> str:
    return f"{gap(pair.difference.estimate)} above {pair.second.label}{interval_of(pair)}"


def _single_trainings(study: Study, best: Network, nearest: Pair) -> str:
    return (
        f"{best.label} scored highest here: per-image IoU {value_of(study, best, 'iou')}, "
        f"{_above(nearest)}. One training of each cannot tell whether another one would come out "
        "the same; five folds or more can."
    )


def _undecided(
    study: Study,
    best: Network,
    level: Sequence[Network],
    behind: Sequence[Network],
    pairs: Sequence[Pair | None],
) -> str:
    """No network is ahead, and it is not known that they are equal."""
    analysed = [pair for pair in pairs if pair is not None]
    text = f"Undecided between {labels([best, *level])} in per-image IoU"
    if behind:
        text += f" ({labels(behind)} scored lower)"
    more = [
        f"{gap(pair.difference.estimate)} higher than {pair.second.label}{interval_of(pair)}"
        for pair in analysed
    ]
    reason = ""
    if len(analysed) == 1:
        reason = f", but {listed(doubts(study, analysed[0]))}"
    scored = f": {best.label} scored {listed(more)}{reason}" if more else ""
    enough = is_cross_validated(study) and (folds(study) or 0) >= _ENOUGH_FOLDS
    way = "More pictures, or the folds repeated, may" if enough else "Five folds or more can"
    return f"{text}{scored}. {way} decide."


def _equal(study: Study, level: Sequence[Network], behind: Sequence[Network]) -> str:
    """What to use where networks are equal: what sees nobody where nobody is, contours, cost."""
    text = f"{labels(level)} are equal within {MARGIN} of per-image IoU"
    if behind:
        text += f" ({labels(behind)} scored lower)"
    # Too uncertain to be called lower is no reason to use what did worse than those that are.
    order = candidates(study)
    worst = min((order.index(network) for network in behind), default=len(order))
    able = [network for network in level if order.index(network) < worst]
    if len(able) == 1:
        return f"{text}: use {able[0].label}, which has the highest mean."
    able = _quiet(study, able) or able
    if len(able) == 1:
        return f"{text}: use {able[0].label}, which marks less where nobody is."
    cheapest, why = _cheapest(study, able)
    sharpest, ahead = _sharpest(study, able, cheapest)
    reasons: dict[Network, list[str]] = {}
    for network, reason in ((sharpest, ahead), (cheapest, why)):
        if network is not None:
            reasons.setdefault(network, []).append(reason)
    if not reasons:
        return f"{text}: choose by other criteria."
    uses = (f"{network.label}, which {' and '.join(own)}" for network, own in reasons.items())
    return f"{text}: use {', or '.join(uses)}."


def _quiet(study: Study, networks: Sequence[Network]) -> list[Network]:
    """Those that mark not clearly more than any other where nobody is."""
    louder = set()
    for pair in clear_alarms(study, networks):
        difference = pair.area.estimate or pair.marked.estimate
        louder.add(pair.first if difference > 0 else pair.second)
    return [network for network in networks if network.name not in louder]


def _cheapest(study: Study, level: Sequence[Network]) -> tuple[Network | None, str]:
    """The network of least cost and what it needs; by time only where times compare."""
    if any(not network.runs for network in level):
        return None, ""
    macs = {network: network.cost("macs").mean or 0.0 for network in level}
    cheapest = min(level, key=lambda network: macs[network])
    if list(macs.values()).count(macs[cheapest]) == 1:
        return cheapest, f"needs the fewest MACs ({large(macs[cheapest])} per picture)"
    if not comparable_times(study):
        return None, ""
    seconds = {network: network.cost("train_seconds").mean or 0.0 for network in level}
    cheapest = min(level, key=lambda network: seconds[network])
    return cheapest, f"trains fastest ({duration(seconds[cheapest])})"


def _sharpest(
    study: Study, level: Sequence[Network], cheapest: Network | None
) -> tuple[Network | None, str]:
    """The network of better contours, where there is evidence for it.

    Against the cheapest network if there is one, so that the higher price buys something; else
    against all.
    """
    order = [network for network in ranked(study, "boundary_iou") if network in level]
    if not order:
        return None, ""
    best = order[0]
    rivals = [network for network in level if network is not best]
    if cheapest is not None and best is not cheapest:
        rivals = [cheapest]
    pairs = [pair_of(study, "boundary_iou", best, rival) for rival in rivals]
    ahead = [pair for pair in pairs if pair is not None and pair.above]
    if not ahead or len(ahead) < len(pairs):
        return None, ""
    nearest = min(ahead, key=lambda pair: pair.difference.estimate)
    higher = f"{gap(nearest.difference.estimate)} above {nearest.second.label}"
    return best, f"has the better contours (Boundary IoU {higher})"
