"""The pictures of a run, found once per plan."""

from __future__ import annotations

from dataclasses import dataclass

from humanseg.config import TrainConfig
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.splits import make_split
from humanseg.datamodule import Grid, load_grid
from humanseg.errors import UsageError
from humanseg.results import SplitRecord


@dataclass(frozen=True)
class RunData:
    """Samples by name, their fingerprint and their parts."""

    samples: dict[str, Sample]
    fingerprint: str
    split: SplitRecord

    def part(self, ids: tuple[str, ...]) -> list[Sample]:
        """Samples of one part, in its order."""
        return [self.samples[name] for name in ids]

    def grid(self, ids: tuple[str, ...], config: TrainConfig) -> Grid:
        """One part on the network's grid."""
        return load_grid(self.part(ids), config.model.image_size, config.data.mask_resize)


def find_data(config: TrainConfig) -> RunData:
    """Find, fingerprint and split the pictures of a configuration.

    Raises:
        UsageError: no data given, or it does not exist.
        DataError: pictures without masks, or too few for the split.
    """
    if config.data.root is None:
        raise UsageError("data.root: not given; name the folder with --data.")
    samples = discover(config.data.root, config.data.layout)
    split = make_split(samples, config.split)
    return RunData({sample.id: sample for sample in samples}, fingerprint(samples), split)
