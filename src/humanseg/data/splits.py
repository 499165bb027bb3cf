"""Divide a data set into parts: whole groups, and every part its share of every kind of image."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from humanseg.config.split_config import (
    FoldSplit,
    HoldoutSplit,
    ReferenceSplit,
    SourceSplit,
    SplitConfig,
)
from humanseg.data.metadata import Facts, read_facts
from humanseg.data.samples import Sample
from humanseg.results import SplitRecord
from humanseg.system.errors import DataError

_REFERENCE_TEST_SHARE = 0.2


def make_split(
    samples: Sequence[Sample], config: SplitConfig, *, facts: Facts | None = None
) -> SplitRecord:
    """Divide samples as `config` asks, whatever their order.

    `holdout` draws disjoint parts of the asked sizes (rounded, at least one picture each). `folds`
    cuts the data set into equal test parts, of which this is one; together they hold every picture
    once. `source` tests on all pictures of one source. All three keep groups together, give every
    part its share of the sources and of small, medium and large foregrounds in them, and draw
    validation from what is not tested.

    `reference` is scikit-learn's `train_test_split` of the ids sorted as strings, as published; its
    validation pictures are its test pictures, in the published order. No file is read for it.

    Raises:
        DataError: too few pictures for the parts asked for, ids that are not unique, or a source
            that the data set does not have.
        ImageError: a file that cannot be read.
    """
    ordered = sorted(samples, key=lambda sample: sample.id)
    ids = [sample.id for sample in ordered]
    if len(set(ids)) != len(ids):
        raise DataError("Two pictures have the same id; ids must be unique to make a split.")
    if isinstance(config, ReferenceSplit):
        record = _reference(ids, config.seed)
    else:
        facts = facts or read_facts(ordered, config.groups)
        if isinstance(config, HoldoutSplit):
            parts = _holdout(ids, facts, config)
        else:
            parts = _nested(ids, facts, config)
        train, validation, test = (
            tuple(sorted(parts[part])) for part in ("train", "validation", "test")
        )
        record = SplitRecord(
            train=train, validation=validation, test=test, validation_is_test=False
        )
    check_split(record)
    return record


def check_split(split: SplitRecord) -> None:
    """Refuse a split that would score pictures that were trained on.

    Raises:
        DataError: parts that overlap, a picture twice in one part, an empty training or test part,
            or a split that says its validation is its test where it is not.
    """
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    for name, ids in parts.items():
        if len(set(ids)) != len(ids):
            raise DataError(f"The split's {name} part names a picture twice; make the split anew.")
        if not ids and name != "validation":
            raise DataError(f"The split's {name} part is empty; make the split anew.")
    if split.validation_is_test:
        if set(split.validation) != set(split.test):
            raise DataError(
                "The split says that its validation is its test, but they differ; "
                "make the split anew."
            )
        del parts["validation"]
    for first, second in combinations(parts, 2):
        shared = sorted(set(parts[first]) & set(parts[second]))
        if shared:
            raise DataError(
                f"The split's {first} and {second} parts share {len(shared)} pictures "
                f"({', '.join(shared[:3])}); make the split anew."
            )


def _reference(ids: list[str], seed: int) -> SplitRecord:
    if len(ids) < 2:
        raise DataError(f"The reference split needs at least 2 pictures; {len(ids)} given.")
    # What scikit-learn's `train_test_split` draws from the same seed; the tests hold it against it.
    shuffled = [ids[index] for index in np.random.RandomState(seed).permutation(len(ids))]
    count = math.ceil(len(ids) * _REFERENCE_TEST_SHARE)
    test, train = tuple(shuffled[:count]), tuple(shuffled[count:])
    return SplitRecord(train=train, validation=test, test=test, validation_is_test=True)


def _share(count: int, share: float) -> int:
    """Pictures in a part; every part asked for gets at least one."""
    return max(1, round(count * share)) if share else 0


def _different(ids: list[str], facts: Facts) -> tuple[int, str]:
    """Number of groups, and what was given in words."""
    groups = len({facts.groups[name] for name in ids})
    if groups == len(ids):
        return groups, f"{groups} given"
    return groups, f"{len(ids)} given, {groups} without duplicates and same scenes"


def _holdout(ids: list[str], facts: Facts, config: HoldoutSplit) -> dict[str, set[str]]:
    """Three parts at once."""
    test, validation = _share(len(ids), config.test), _share(len(ids), config.validation)
    sizes = {"train": len(ids) - validation - test, "validation": validation, "test": test}
    wanted = {part: size for part, size in sizes.items() if part == "train" or size}
    groups, given = _different(ids, facts)
    if wanted["train"] < 1 or groups < len(wanted):
        names = "train, validation and test" if validation else "train and test"
        raise DataError(
            f"A split into {names} parts of these shares needs more pictures: {given}, at least "
            f"{len(wanted)} different ones needed. Add pictures or ask for smaller parts."
        )
    return {"validation": set(), **stratified_group_split(ids, facts, wanted, (config.seed,))}


def _nested(ids: list[str], facts: Facts, config: FoldSplit | SourceSplit) -> dict[str, set[str]]:
    """The test part first, validation from what is left."""
    if isinstance(config, SourceSplit):
        test = _source(ids, facts, config.held_out)
    else:
        test = _fold(ids, facts, config)
    seen = {facts.groups[name] for name in test}  # a source may share a scene with another
    rest = [name for name in ids if facts.groups[name] not in seen]
    wanted = _share(len(ids), config.validation)
    groups, given = _different(rest, facts)
    if len(rest) <= wanted or groups < 1 + bool(wanted):
        raise DataError(
            f"Training and validation need more pictures than the test part leaves: {given}, "
            f"{wanted} of them for validation. Add pictures, or set split.validation lower or to 0."
        )
    if not wanted:
        return {"train": set(rest), "validation": set(), "test": test}
    sizes = {"train": len(rest) - wanted, "validation": wanted}
    return {**stratified_group_split(rest, facts, sizes, (config.seed, 1)), "test": test}


def _fold(ids: list[str], facts: Facts, config: FoldSplit) -> set[str]:
    groups, given = _different(ids, facts)
    if groups < config.folds:
        raise DataError(
            f"{config.folds} folds need at least {config.folds} different pictures: {given}. "
            "Add pictures or ask for fewer folds."
        )
    sizes = {
        str(fold): len(ids) // config.folds + (fold <= len(ids) % config.folds)
        for fold in range(1, config.folds + 1)
    }
    return stratified_group_split(ids, facts, sizes, (config.seed,))[str(config.fold)]


def _source(ids: list[str], facts: Facts, held_out: str) -> set[str]:
    sources = sorted(set(facts.sources.values()))
    if held_out not in sources:
        raise DataError(
            f"split.held_out: got {held_out!r}; the sources of this data set are "
            f"{', '.join(sources)}."
        )
    if len(sources) < 2:
        raise DataError(
            f"All pictures are of one source ({sources[0]}), so none can be left out. Name the "
            "sources in a CSV table with the columns id and source (split.groups)."
        )
    return {name for name in ids if facts.sources[name] == held_out}


def stratified_group_split(
    ids: Sequence[str], facts: Facts, sizes: Mapping[str, int], seed: Sequence[int]
) -> dict[str, set[str]]:
    """Divide whole groups, stratum by stratum, always giving to the part that lacks most.

    Strata are source times third of the foreground shares. scikit-learn's StratifiedGroupKFold cuts
    equal folds only, and parts of other sizes are asked for too; docs/experiments.md has both.
    `ids` are in string order; `sizes`, images wanted by part, add up to all of them, and groups
    larger than one may shift them a little. No part is empty if there are at least as many groups
    as parts.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        members[facts.groups[name]].append(name)
    groups = list(members.values())
    strata = _strata(groups, facts)
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    # Large groups first: single pictures then fill what is left, to the last place.
    order = sorted(shuffled, key=lambda index: (-len(groups[index]), int(strata[index])))
    population = np.bincount(strata, weights=[len(group) for group in groups])
    lacking = {part: population * (size / len(ids)) for part, size in sizes.items()}
    free = dict(sizes)
    parts: dict[str, set[str]] = {part: set() for part in sizes}
    for position, index in enumerate(order):
        group, stratum = groups[index], strata[index]
        empty = [part for part in free if not parts[part]]
        if len(order) - position <= len(empty):
            candidates = empty
        else:
            candidates = [part for part in free if free[part] >= len(group)] or list(free)
        part = max(candidates, key=lambda part: (lacking[part][stratum], free[part]))
        lacking[part][stratum] -= len(group)
        free[part] -= len(group)
        parts[part] |= set(group)
    return parts


def _strata(groups: Sequence[Sequence[str]], facts: Facts) -> NDArray[np.intp]:
    """Stratum of every group, counted from 0: its first picture's source, and its mean share."""
    _, sources = np.unique([facts.sources[group[0]] for group in groups], return_inverse=True)
    shares = [float(np.mean([facts.shares[name] for name in group])) for group in groups]
    thirds = np.digitize(shares, np.quantile(shares, [1 / 3, 2 / 3]), right=True)
    return np.asarray(sources * 3 + thirds, dtype=np.intp)
