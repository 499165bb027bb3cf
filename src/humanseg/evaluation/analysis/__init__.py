"""From the scores of finished runs to what may be said about their networks; needs no torch.

Every number here is computed once and kept in the records; the report only shows it.
"""

from humanseg.evaluation.analysis.analyse import (
    FinishedPlan,
    analyse,
    analyse_comparison,
    baseline_bounds,
)
from humanseg.evaluation.analysis.external_scores import analyse_external, analyse_robustness
from humanseg.evaluation.analysis.subjects import Subject, scores_of

__all__ = [
    "FinishedPlan",
    "Subject",
    "analyse",
    "analyse_comparison",
    "analyse_external",
    "analyse_robustness",
    "baseline_bounds",
    "scores_of",
]
