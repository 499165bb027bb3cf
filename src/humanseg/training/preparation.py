"""The pictures of a run, found once per plan."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.schema import TrainConfig
from humanseg.config.split_config import SplitConfig
from humanseg.data.cache import Cache
from humanseg.data.fingerprint import fingerprint
from humanseg.data.inspection import Finding, Keep
from humanseg.data.layouts import discover
from humanseg.data.metadata import Facts, read_facts
from humanseg.data.resized import ImagesInMemory, ResizedImages
from humanseg.data.same_scene import known_leaks
from humanseg.data.samples import Sample
from humanseg.data.signatures import ImageBits, Signature, image_bits
from humanseg.data.splits import make_split
from humanseg.results import Leak, SplitRecord
from humanseg.system.errors import DataError, UsageError
from humanseg.system.progress import Progress, of_stage
from humanseg.training.data_gate import check_data
from humanseg.training.further_data import ExtraData, check_extra, find_extra

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataSet:
    """A data set, not yet divided."""

    samples: dict[str, Sample]
    fingerprint: str
    facts: Facts
    """What is known of every picture."""
    resized: ResizedImages
    """All of its pictures, then those of the further data sets, on the network's grid."""
    extra: tuple[ExtraData, ...] = ()
    label_doubts: tuple[str, ...] = ()
    """What the data check says of masks that are trained on all the same; a sentence each."""

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.samples)}

    @property
    def further_signatures(self) -> list[Signature]:
        """Of the images of further data sets."""
        return [each for data in self.extra for each in data.signatures.values()]

    @property
    def trained_on(self) -> ImageBits:
        """What recognises all of these images."""
        return image_bits([*self.facts.signatures.values(), *self.further_signatures])

    def rows(self, ids: Sequence[str]) -> list[int]:
        """Rows of the resized images that hold these pictures."""
        return [self._places[name] for name in ids]

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """A picture on the network's grid, uint8 (H, W, 3), as `Segmenter` would make it."""
        return np.asarray(self.resized.get(self.rows([sample.id])).images[0])

    @property
    def further_rows(self) -> range:
        """Rows of the further data sets."""
        return range(len(self.samples), len(self.resized))

    def divided(self, config: SplitConfig) -> RunData:
        """These pictures in parts.

        Raises:
            DataError: see `make_split`; no test picture has a person; or further pictures that
                give held-out ones away.
        """
        split = make_split(list(self.samples.values()), config, facts=self.facts)
        # On a source without people, all that is asked is what a network marks there. Where nobody
        # is anywhere, there is nothing to learn, which `batches_of_parts` says.
        people = {name for name, share in self.facts.shares.items() if share}
        if config.protocol != "source" and people and people.isdisjoint(split.test):
            raise DataError(
                f"None of the {len(split.test)} test pictures has a person in its mask, so the "
                "result would mean nothing. Use more pictures with people, or another split.seed."
            )
        run = RunData(self, split)
        for data in self.extra:
            check_extra(data, self.fingerprint, run.held_out)
        return run


@dataclass(frozen=True)
class RunData:
    """A data set in parts."""

    data_set: DataSet
    split: SplitRecord

    @property
    def fingerprint(self) -> str:
        """Of the data set, without further ones."""
        return self.data_set.fingerprint

    @property
    def extra_fingerprints(self) -> dict[str, str]:
        """Fingerprints of the further data sets by name."""
        return {data.name: data.fingerprint for data in self.data_set.extra}

    @property
    def held_out(self) -> dict[str, Signature]:
        """Signatures of the validation and test part."""
        names = dict.fromkeys((*self.split.validation, *self.split.test))
        return {name: self.data_set.facts.signatures[name] for name in names}

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """Images that are trained on and show the same, or are of one group, as tested ones."""
        facts = self.data_set.facts
        pairs = known_leaks([self.split], facts.copies, facts.groups)
        return tuple(leak for leak in pairs if leak.divided)

    @property
    def trained_on(self) -> ImageBits:
        """What recognises the training part and the images of further data sets."""
        own = [self.data_set.facts.signatures[name] for name in self.split.train]
        return image_bits([*own, *self.data_set.further_signatures])

    def part(self, ids: Sequence[str]) -> list[Sample]:
        """Samples of one part, in its order."""
        return [self.data_set.samples[name] for name in ids]

    def training_rows(self, config: TrainConfig) -> list[int]:
        """Rows of the resized images that an epoch trains on, with repetitions."""
        own = self.data_set.rows(self.split.train)
        return [*own * config.data.repeat, *self.data_set.further_rows]

    def prepare(self, progress: Progress | None = None) -> None:
        """Decode what this run needs and nobody has decoded yet.

        Raises:
            DataError: pictures that cannot be read, or that memory cannot hold.
        """
        split = self.split
        own = dict.fromkeys((*split.train, *split.validation, *split.test))
        rows = [*self.data_set.rows(list(own)), *self.data_set.further_rows]
        self.data_set.resized.prepare(rows, progress)


def find_data_set(
    config: TrainConfig | CompareConfig,
    *,
    cache: Path | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> DataSet:
    """Find and fingerprint the pictures of a configuration.

    With a cache they are kept decoded on disk, otherwise in memory; `processes` of this machine
    each do the same. `progress` is called with (done, total) in stages.

    Raises:
        UsageError: no data given, or it does not exist.
        DataError: pictures without masks, or errors of the data check that `data.accept` does not
            name.
    """
    if config.data.root is None:
        raise UsageError("data.root: not given; name the folder with --data.")
    samples = discover(config.data.root, config.data.layout, config.data.classes)
    extra = find_extra(config.data, samples)
    every = [*samples, *(sample for data in extra for sample in data.samples)]
    store = None if cache is None else Cache(cache, note=_log.warning)
    resized, keep = _resized(every, config, store, processes=processes, progress=progress)
    looking = of_stage(progress, "Looking at images")
    facts = read_facts(samples, config.split.groups, cache=store, keep=keep, progress=looking)
    rows = range(len(samples))
    doubts = [*check_data(facts.findings, resized, rows, config.data.root, config.data.accept)]
    for position, data in enumerate(extra):
        rows = range(rows.stop, rows.stop + len(data.samples))
        findings: Sequence[Finding] = ()
        if data.composition is None:  # composed scenes are not looked at one by one
            further = read_facts(data.samples, cache=store, keep=_from(rows, keep))
            findings = further.findings
            extra[position] = replace(data, signatures=further.signatures)
        doubts += check_data(findings, resized, rows, data.root, config.data.accept)
    digests = None if store is None else store.digests(samples)
    named = {sample.id: sample for sample in samples}
    digest = fingerprint(samples, digests=digests)
    return DataSet(named, digest, facts, resized, tuple(extra), tuple(doubts))


def _from(rows: range, keep: Keep | None) -> Keep | None:
    """What keeps images of a further data set in their rows."""
    if keep is None:
        return None
    return lambda index, image, mask: keep(rows[index], image, mask)


def _resized(
    samples: Sequence[Sample],
    config: TrainConfig | CompareConfig,
    store: Cache | None,
    *,
    processes: int,
    progress: Progress | None,
) -> tuple[ResizedImages, Keep | None]:
    """Resized images; in memory, also what keeps those decoded for another reason."""
    size, resize = config.model.image_size, config.data.mask_resize
    if store is None:
        memory = ImagesInMemory(samples, size, resize)
        memory.check_room(len(samples), processes=processes)
        return memory, memory.keep
    # Filled at once: facts, digests and rows then come from one decoding of each picture.
    cached = store.resized(samples, size=size, mask_resize=resize)
    cached.prepare(range(len(samples)), of_stage(progress, "Filling the cache"))
    return cached, None
