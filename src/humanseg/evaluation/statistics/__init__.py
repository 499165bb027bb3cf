"""What scores of pictures say about networks: intervals, tests, and when a difference is claimed.

The reasons and the sources are in docs/statistics.md.
"""

from humanseg.evaluation.statistics.bootstrap import GroupBootstrap
from humanseg.evaluation.statistics.paired import compare_pair, finish_pairs
from humanseg.evaluation.statistics.significance import (
    CorrectedT,
    cohen_dz,
    corrected_t,
    holm,
    wilcoxon,
)

__all__ = [
    "CorrectedT",
    "GroupBootstrap",
    "cohen_dz",
    "compare_pair",
    "corrected_t",
    "finish_pairs",
    "holm",
    "wilcoxon",
]
