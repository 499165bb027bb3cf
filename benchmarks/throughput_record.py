"""The result file of `training_throughput.py`."""

from __future__ import annotations

from humanseg.config import Arch
from humanseg.results import Environment, Record


class ArchResult(Record):
    """Images per second of both loops, one figure per round."""

    arch: Arch
    mode: str
    plain: tuple[float, ...]
    ours: tuple[float, ...]
    ratio: float
    """Median of ours over median of plain."""


class Result(Record):
    """The result file."""

    encoder_name: str
    batch_size: int
    image_size: tuple[int, int]
    steps_per_round: int
    environment: Environment
    archs: tuple[ArchResult, ...]
