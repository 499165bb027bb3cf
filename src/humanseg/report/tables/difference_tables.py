"""Networks two by two: what speaks for a difference and what against it."""

from __future__ import annotations

from collections.abc import Sequence

from humanseg.evaluation.statistics import EQUAL_MARGIN
from humanseg.report.formatting import (
    UNKNOWN,
    bounded,
    bounds,
    capitalised,
    listed,
    p_value,
    probability,
    score,
    signed,
)
from humanseg.report.ranking import METRIC_NAMES, Metric, Pair, is_weak, pairs_of
from humanseg.report.study import Network, Study, different_ways
from humanseg.report.tables.table import Column, Row, Table, numbers, words
from humanseg.results import Doubt

MARGIN = f"{100 * EQUAL_MARGIN:g} points"
"""Within so much networks may be called equal, in words."""


def doubts(study: Study, pair: Pair) -> list[str]:
    """Why a pair is no evidence of a difference, in words."""
    ranks_p, folds_p = pair.p("wilcoxon"), pair.p("corrected")
    weak = [network.label for network in (pair.first, pair.second) if is_weak(study, network)]
    reasons: dict[Doubt, str] = {
        "pictures": "the networks were not tested on the same pictures",
        "weak": (
            f"{listed(weak)} {'is' if len(weak) == 1 else 'are'} no better than the mean training "
            "mask"
        ),
        "training": untested((pair.first, pair.second)),
        "small": "it is below one point",
        "few": "rare failures that so few pictures do not show could undo it",
        "interval": "its interval includes zero",
        "wilcoxon": (
            "every picture has the same score"
            if ranks_p is None
            else f"the signed-rank test over pictures is not significant ({p_value(ranks_p)})"
        ),
        "direction": _direction(pair),
        "folds": (
            "the networks were not tested on the same folds"
            if folds_p is None
            else f"the corrected t-test over folds is not significant ({p_value(folds_p)})"
        ),
        "seeds": f"the t-test over seeds is not significant ({p_value(pair.p('seeds') or 0.0)})",
    }
    return [text for doubt, text in reasons.items() if doubt in pair.record.doubts]


def untested(networks: Sequence[Network]) -> str:
    """Why nothing is known of the luck of these networks' trainings, in words."""
    first, second, *_ = networks
    if len(networks) == 2 and is_same_model(first, second):
        return f"both are {the_same_model(networks)}"
    once = [network.label for network in networks if len(network.seeds) < 2]
    if not once:
        return "not every training was tested on all of the pictures"
    whose = "each" if len(once) == len(networks) else listed(once)
    return f"one training of {whose} cannot tell whether another one would come out the same"


def is_same_model(first: Network, second: Network) -> bool:
    """Whether two evaluations are of the same weights."""
    return first.weights is not None and first.weights == second.weights


def the_same_model(networks: Sequence[Network]) -> str:
    """What several evaluations of the same weights are, and in what they differ."""
    ways = different_ways(record for network in networks for record in network.scored)
    return f"the same model, run differently ({listed(ways)})" if ways else "the same model"


def _direction(pair: Pair) -> str:
    """The mean says one thing and the signed ranks another."""
    mean = pair.difference.estimate
    if pair.record.median * mean < 0:
        higher, lower = ("higher", "lower") if mean > 0 else ("lower", "higher")
        return f"{pair.first.label} is {higher} on average, but {lower} on most pictures"
    return "the signed-rank test over pictures points the other way"


def reading(study: Study, pair: Pair, because: str = ", because ") -> str:
    """What may be said of a pair, in words."""
    if pair.record.evidence:
        return "a clear difference"
    if pair.record.equivalent:
        return f"equal within {MARGIN}"
    none = {"weak", "pictures"} & set(pair.record.doubts)
    verdict = "no verdict" if none else "undecided"
    return f"{verdict}{because}{listed(doubts(study, pair))}"


def pair_table(study: Study) -> Table:
    """Every pair of networks by every compared metric."""
    pairs = [(metric, pair) for metric in METRIC_NAMES for pair in pairs_of(study, metric)]
    tested = any(pair.record.trainings is not None for _, pair in pairs)
    columns = [
        *words("Pair", "Metric"),
        *numbers("Mean [95 % interval]", "Median", group="Difference in points"),
        *numbers("p (Holm)", "Effect", group="Signed ranks over pictures"),
        *(numbers("p (Holm)", "95 % interval", group="t-test over trainings") if tested else []),
        Column("Reading", numeric=False, wide=True),
    ]
    rows = [Row(_pair_cells(study, metric, pair, tested=tested)) for metric, pair in pairs]
    caption = "Differences between networks, paired over the same pictures."
    return Table("pairs", caption, columns, rows)


def _pair_cells(study: Study, metric: Metric, pair: Pair, *, tested: bool) -> list[str]:
    folds_p, trainings = pair.p("corrected"), pair.record.trainings
    over_trainings = (
        probability(pair.p("seeds") if folds_p is None else folds_p),
        bounds(trainings, signed) if trainings else UNKNOWN,
    )
    return [
        f"{pair.first.label} over {pair.second.label}",
        capitalised(METRIC_NAMES[metric]),
        bounded(pair.difference, signed),
        signed(pair.record.median),
        probability(pair.p("wilcoxon")),
        score(pair.record.rank_biserial, 2),
        *(over_trainings if tested else ()),
        reading(study, pair, because=": "),
    ]
