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

__all__ = ["EQUAL_MARGIN", "GroupBootstrap", "Trainings", "compare_pair", "finish_pairs"]
