"""The pictures of a run, found once per plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from humanseg.config import SplitConfig, TrainConfig
from humanseg.data.facts import Facts, read_facts
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.splits import make_split
from humanseg.datamodule import Grid, load_grid
from humanseg.errors import UsageError
from humanseg.results import SplitRecord
from humanseg.training.extra import ExtraData, check_extra, find_extra


@dataclass(frozen=True)
class Pictures:
    """A data set, not yet divided."""

    samples: dict[str, Sample]
    fingerprint: str
    facts: Facts | None
    """None where nothing needed them: the published split reads no file."""
    extra: tuple[ExtraData, ...] = ()

    def divided(self, config: SplitConfig) -> RunData:
        """These pictures in parts.

        Raises:
            DataError: see `make_split`; or further pictures that give held-out ones away.
        """
        split = make_split(list(self.samples.values()), config, facts=self.facts)
        held_out = {*split.validation, *split.test}
        for data in self.extra:
            check_extra(data, self.fingerprint, [self.samples[name] for name in held_out])
        return RunData(self.samples, self.fingerprint, split, self.extra)


@dataclass(frozen=True)
class RunData:
    """Samples by name, their fingerprint and their parts."""

    samples: dict[str, Sample]
    fingerprint: str
    split: SplitRecord
    extra: tuple[ExtraData, ...] = ()

    @property
    def extra_fingerprints(self) -> dict[str, str]:
        """Fingerprints of the further data sets by name."""
        return {data.name: data.fingerprint for data in self.extra}

    def part(self, ids: Sequence[str]) -> list[Sample]:
        """Samples of one part, in its order."""
        return [self.samples[name] for name in ids]

    def train_grid(self, config: TrainConfig) -> Grid:
        """Everything that is trained on, on the network's grid."""
        further = [sample for data in self.extra for sample in data.samples]
        samples = [*self.part(self.split.train) * config.data.repeat, *further]
        return load_grid(samples, config.model.image_size, config.data.mask_resize)

    def grid(self, ids: Sequence[str], config: TrainConfig) -> Grid:
        """One part on the network's grid."""
        return load_grid(self.part(ids), config.model.image_size, config.data.mask_resize)


def find_pictures(config: TrainConfig, *, look: bool) -> Pictures:
    """Find and fingerprint the pictures of a configuration.

    Args:
        config: whose pictures.
        look: read what splits other than the published one must know of every picture.

    Raises:
        UsageError: no data given, or it does not exist.
        DataError: pictures without masks.
    """
    if config.data.root is None:
        raise UsageError("data.root: not given; name the folder with --data.")
    samples = discover(config.data.root, config.data.layout)
    facts = read_facts(samples, config.split.groups) if look else None
    extra = tuple(find_extra(root) for root in config.data.extra)
    return Pictures({sample.id: sample for sample in samples}, fingerprint(samples), facts, extra)


def find_data(config: TrainConfig) -> RunData:
    """Find, fingerprint and split the pictures of a configuration.

    Raises:
        UsageError: no data given, or it does not exist.
        DataError: pictures without masks, or too few for the split.
    """
    pictures = find_pictures(config, look=config.split.protocol != "reference")
    return pictures.divided(config.split)
