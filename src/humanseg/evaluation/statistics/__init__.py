"""What scores of pictures say about networks: intervals, tests, and when a difference is claimed.

The reasons and the sources are in docs/statistics.md.
"""

from humanseg.evaluation.statistics.bootstrap import GroupBootstrap
from humanseg.evaluation.statistics.paired import (
    EQUAL_MARGIN,
    Trainings,
    compare_pair,
    finish_pairs,
)
from humanseg.evaluation.statistics.significance import (
    TTest,
    cohen_dz,
    corrected_t,
    holm,
    welch_t,
    wilcoxon,
)

__all__ = [
    "EQUAL_MARGIN",
    "GroupBootstrap",
    "TTest",
    "Trainings",
    "cohen_dz",
    "compare_pair",
    "corrected_t",
    "finish_pairs",
    "holm",
    "welch_t",
    "wilcoxon",
]
