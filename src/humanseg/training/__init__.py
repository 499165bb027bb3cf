"""Train one network: `train` returns a record and leaves a run folder."""

from humanseg.training.data import RunData, find_data
from humanseg.training.run import preflight, train

__all__ = ["RunData", "find_data", "preflight", "train"]
