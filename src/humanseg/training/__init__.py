"""Train one network: from a configuration to a run folder with a scored model."""

from humanseg.training.autotune import common_mode
from humanseg.training.distributed import started_by_torchrun
from humanseg.training.further_data import all_trained_on
from humanseg.training.preparation import DataSet, RunData, find_data_set
from humanseg.training.run_start import describe_environment
from humanseg.training.run_training import preflight, train

__all__ = [
    "DataSet",
    "RunData",
    "all_trained_on",
    "common_mode",
    "describe_environment",
    "find_data_set",
    "preflight",
    "started_by_torchrun",
    "train",
]
