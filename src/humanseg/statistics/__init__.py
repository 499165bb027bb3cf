"""What scores of pictures say about networks: intervals, tests, and when a difference is claimed.

The reasons and the sources are in docs/statistics.md.
"""

from humanseg.statistics.bootstrap import GroupBootstrap
from humanseg.statistics.pairs import compare_pair, finish_pairs
from humanseg.statistics.significance import CorrectedT, cohen_dz, corrected_t, holm, wilcoxon

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
