"""Which of several equal networks to use: what sees nobody where nobody is, contours, cost."""

from __future__ import annotations

from collections.abc import Sequence

from humanseg.report.formatting import duration, gap, large
from humanseg.report.ranking import candidates, clear_alarms, pair_of, ranked
from humanseg.report.study import Network, Study, grouped
from humanseg.report.text.caveats import comparable_times
from humanseg.results import FalseAlarms

_QUIET = {
    frozenset({"marked"}): "marks fewer pictures where nobody is",
    frozenset({"area"}): "marks less area where nobody is",
    frozenset({"marked", "area"}): "marks fewer pictures and less area where nobody is",
}


def advice(study: Study, level: Sequence[Network], behind: Sequence[Network]) -> str:
    """Which of networks that are equal by IoU to use, and why; not worse than those behind."""
    # Too uncertain to be called lower is no reason to use what did worse than those that are.
    order = candidates(study)
    worst = min((order.index(network) for network in behind), default=len(order))
    able = [network for network in level if order.index(network) < worst]
    if len(able) == 1:
        return f"use {able[0].label}, which has the highest mean"
    quiet, why_quiet = _quiet(study, able)
    able = quiet or able
    if len(able) == 1:
        return f"use {able[0].label}, which {why_quiet}"
    cheapest, why = _cheapest(study, able)
    sharpest, ahead = _sharpest(study, able, cheapest)
    either = ((sharpest, ahead), (cheapest, why))
    reasons = grouped((network, reason) for network, reason in either if network is not None)
    if not reasons:
        return "choose by other criteria"
    uses = (f"{network.label}, which {' and '.join(own)}" for network, own in reasons.items())
    return f"use {', or '.join(uses)}"


def _quiet(study: Study, networks: Sequence[Network]) -> tuple[list[Network], str]:
    """Those that mark not clearly more than any other where nobody is, and what of it is clear."""
    louder: set[str] = set()
    measures: set[str] = set()
    for pair in clear_alarms(study, networks):
        name, own = _louder(pair)
        louder |= {name} if own else set()
        measures |= own
    quiet = [network for network in networks if network.name not in louder]
    return quiet, _QUIET.get(frozenset(measures), "")


def _louder(pair: FalseAlarms) -> tuple[str, set[str]]:
    """Which of two networks marks more, and by which measures that is clear.

    By none where one network surely marks more pictures and the other one more area.
    """
    more: dict[str, bool] = {}
    for measure in ("marked", "area"):
        low, high = getattr(pair, measure).low, getattr(pair, measure).high
        if low is not None and high is not None and not low <= 0 <= high:
            more[measure] = low > 0
    if len(set(more.values())) > 1:
        return "", set()
    clear = {measure for measure in more if getattr(pair, f"{measure}_clear")}
    return pair.first if any(more.values()) else pair.second, clear


def _cheapest(study: Study, level: Sequence[Network]) -> tuple[Network | None, str]:
    """The network of least cost and what it needs; by time only where times compare."""
    if any(not network.runs for network in level):
        return None, ""
    macs = {network: network.cost("macs") or 0.0 for network in level}
    cheapest = min(level, key=lambda network: macs[network])
    if list(macs.values()).count(macs[cheapest]) == 1:
        return cheapest, f"needs the fewest MACs ({large(macs[cheapest])} per picture)"
    if not comparable_times(study):
        return None, ""
    quickest = min(level, key=lambda network: network.cost("train_seconds") or 0.0)
    return quickest, f"trains fastest ({duration(quickest.cost('train_seconds'))})"


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
