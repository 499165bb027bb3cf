"""Networks two by two: what speaks for a difference and what against it."""

from __future__ import annotations

from humanseg.report.formatting import bounded, probability, score, signed
from humanseg.report.study import Doubt, Metric, Pair, Study
from humanseg.report.tables import METRIC_NAMES, Column, Row, Table


def doubts(pair: Pair) -> list[str]:
    """Why a pair is no evidence of a difference, in words."""
    record = pair.record
    words: dict[Doubt, str] = {
        "small": "it is below one point",
        "interval": "its interval includes zero",
        "wilcoxon": (
            "the signed-rank test over pictures is not significant "
            f"(p = {probability(_known(record.wilcoxon_holm, record.wilcoxon_p))})"
        ),
        "folds": (
            "the corrected t-test over folds is not significant "
            f"(p = {probability(_known(record.corrected_holm, record.corrected_p))})"
            if _known(record.corrected_holm, record.corrected_p) is not None
            else "the networks were not tested on the same folds"
        ),
        "seeds": "it is no larger than the spread between seeds",
    }
    return [words[doubt].replace("= <", "<") for doubt in words if doubt in record.doubts]


def _known(first: float | None, second: float | None) -> float | None:
    return second if first is None else first


def pair_table(study: Study) -> Table | None:
    """Every pair of networks by every compared metric; None without an analysis or pair."""
    pairs = [(metric, pair) for metric in METRIC_NAMES for pair in study.pairs(metric)]
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
    return [
        f"{pair.first.label} over {pair.second.label}",
        name[:1].upper() + name[1:],
        bounded(pair.difference, signed),
        signed(pair.median),
        probability(_known(record.wilcoxon_holm, record.wilcoxon_p)),
        score(pair.rank_biserial, 2),
        *([probability(_known(record.corrected_holm, record.corrected_p))] if in_folds else []),
        reading,
    ]
