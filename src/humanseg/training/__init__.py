"""Train one network: from a configuration to a run folder with a scored model."""

from humanseg.training.data import Pictures, RunData, find_data, find_pictures
from humanseg.training.environment import describe_environment
from humanseg.training.processes import started_by_torchrun
from humanseg.training.progress import count
from humanseg.training.run import preflight, train

__all__ = [
    "Pictures",
    "RunData",
    "count",
    "describe_environment",
    "find_data",
    "find_pictures",
    "preflight",
    "started_by_torchrun",
    "train",
]
