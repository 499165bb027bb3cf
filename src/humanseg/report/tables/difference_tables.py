"""Networks two by two: what speaks for a difference and what against it."""

from __future__ import annotations

from humanseg.report.formatting import bounded, probability, score, signed
from humanseg.report.ranking import METRIC_NAMES, Doubt, Metric, Pair, pairs_of
from humanseg.report.study import Study
from humanseg.report.tables.table import Column, Row, Table


def doubts(pair: Pair) -> list[str]:
    """Why a pair is no evidence of a difference, in words."""
    record = pair.record
    ranks_p = _first_given(record.wilcoxon_holm, record.wilcoxon_p)
    folds_p = _first_given(record.corrected_holm, record.corrected_p)
    words: dict[Doubt, str] = {
        "small": "it is below one point",
        "interval": "its interval includes zero",
        "wilcoxon": (
            "every picture has the same score"
            if ranks_p is None
            else f"the signed-rank test over pictures is not significant ({_p(ranks_p)})"
        ),
        "folds": (
            "the networks were not tested on the same folds"
            if folds_p is None
            else f"the corrected t-test over folds is not significant ({_p(folds_p)})"
        ),
        "seeds": "it is no larger than the spread between seeds",
    }
    return [words[doubt] for doubt in words if doubt in record.doubts]


def _p(value: float) -> str:
    return f"p = {probability(value)}".replace("= <", "<")


def _first_given(first: float | None, second: float | None) -> float | None:
    return second if first is None else first


def pair_table(study: Study) -> Table | None:
    """Every pair of networks by every compared metric; None without a pair."""
    pairs = [(metric, pair) for metric in METRIC_NAMES for pair in pairs_of(study, metric)]
    if not pairs:
        return None
    in_folds = any(pair.record.corrected_p is not None for _, pair in pairs)
    columns = [
        Column("Pair", numeric=False),
        Column("Metric", numeric=False),
        Column("Mean [95 % interval]", "Difference in points"),
        Column("Median", "Difference in points"),
        Column("p (Holm)", "Signed ranks over pictures"),
        Column("Effect", "Signed ranks over pictures"),
        *([Column("p (Holm)", "Corrected t over folds")] if in_folds else []),
        Column("Reading", numeric=False, wide=True),
    ]
    rows = [Row(tuple(_pair_cells(metric, pair, in_folds=in_folds))) for metric, pair in pairs]
    caption = "Differences between networks, paired over the same pictures."
    return Table(caption, tuple(columns), tuple(rows))


def _pair_cells(metric: Metric, pair: Pair, *, in_folds: bool) -> list[str]:
    record = pair.record
    if record.evidence:
        reading = "a clear difference on these pictures"
    else:
        reading = f"no evidence of a difference: {'; '.join(doubts(pair))}"
    name = METRIC_NAMES[metric]
    folds_p = _first_given(record.corrected_holm, record.corrected_p)
    return [
        f"{pair.first.label} over {pair.second.label}",
        name[:1].upper() + name[1:],
        bounded(pair.difference, signed),
        signed(pair.median),
        probability(_first_given(record.wilcoxon_holm, record.wilcoxon_p)),
        score(pair.rank_biserial, 2),
        *([probability(folds_p)] if in_folds else []),
        reading,
    ]
