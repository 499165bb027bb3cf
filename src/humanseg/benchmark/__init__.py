"""Measure on this machine: times and memory of a model, and other projects' networks beside it.

Needs no torch. `--data` of the comparison with peers needs the training parts, for the scores.
"""

from humanseg.benchmark.fresh import ProbeAnswer, ProbeRequest
from humanseg.benchmark.peers import compare_with_peers
from humanseg.benchmark.speed import Effort, measure_speed
from humanseg.benchmark.speed_record import PeersRecord, SpeedRecord

__all__ = [
    "Effort",
    "PeersRecord",
    "ProbeAnswer",
    "ProbeRequest",
    "SpeedRecord",
    "compare_with_peers",
    "measure_speed",
]
