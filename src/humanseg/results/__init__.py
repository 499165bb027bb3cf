"""Typed, versioned records of what was measured; JSON on disk.

`read_record` and `write_record` are the only way in and out: writing is atomic, reading refuses
records of another schema version with a sentence.
"""

from humanseg.results.findings import (
    Analysis,
    AttributeAnalysis,
    AttributeGroup,
    Bound,
    Doubt,
    ExternalAnalysis,
    FalseAlarms,
    Interval,
    Leak,
    NetworkAnalysis,
    PairAnalysis,
    RobustnessAnalysis,
    SourceAnalysis,
    Stratum,
    SuspectLabel,
)
from humanseg.results.io import SCHEMA_VERSION, Record, read_record, write_record, write_text
from humanseg.results.runs import (
    ComparisonResult,
    CorruptedScores,
    Cost,
    DataRecord,
    Environment,
    EpochRecord,
    Evaluation,
    FailedRun,
    Resolved,
    RunResult,
    SplitRecord,
)
from humanseg.results.scores import Calibration, ImageScore, ScoreSummary, ScoringSetup

__all__ = [
    "SCHEMA_VERSION",
    "Analysis",
    "AttributeAnalysis",
    "AttributeGroup",
    "Bound",
    "Calibration",
    "ComparisonResult",
    "CorruptedScores",
    "Cost",
    "DataRecord",
    "Doubt",
    "Environment",
    "EpochRecord",
    "Evaluation",
    "ExternalAnalysis",
    "FailedRun",
    "FalseAlarms",
    "ImageScore",
    "Interval",
    "Leak",
    "NetworkAnalysis",
    "PairAnalysis",
    "Record",
    "Resolved",
    "RobustnessAnalysis",
    "RunResult",
    "ScoreSummary",
    "ScoringSetup",
    "SourceAnalysis",
    "SplitRecord",
    "Stratum",
    "SuspectLabel",
    "read_record",
    "write_record",
    "write_text",
]
