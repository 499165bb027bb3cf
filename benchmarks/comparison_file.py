"""What the tables read of the result file of a comparison.

Configurations and records change with the code, a result file does not: other fields are not read.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from humanseg.results import Analysis, ScoreSummary


class _Model(BaseModel):
    arch: str


class _Protocol(BaseModel):
    protocol: str


class _Config(BaseModel):
    model: _Model
    split: _Protocol


class _Split(BaseModel):
    test: tuple[str, ...]


class NetworkSize(BaseModel):
    """What a network costs wherever it runs."""

    parameters: int
    macs: int


class ComparisonRun(BaseModel):
    """One training of a comparison."""

    name: str
    config: _Config
    split: _Split
    summary: ScoreSummary
    cost: NetworkSize


class ComparisonFile(BaseModel):
    """A comparison: its trainings and what follows from them."""

    runs: tuple[ComparisonRun, ...]
    analysis: Analysis | None = None


def read_comparison(path: Path) -> ComparisonFile:
    """Read the result file of a comparison."""
    return ComparisonFile.model_validate_json(path.read_bytes())
