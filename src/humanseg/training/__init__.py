"""Train one network: `train` returns a record and leaves a run folder."""

from humanseg.training.run import preflight, train

__all__ = ["preflight", "train"]
