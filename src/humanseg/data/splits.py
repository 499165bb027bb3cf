"""Divide a data set into training, validation and test parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from humanseg.config import SplitConfig
from humanseg.data.duplicates import WORKERS, duplicate_groups
from humanseg.data.samples import Sample
from humanseg.errors import DataError
from humanseg.results import SplitRecord

_PARTS = ("train", "validation", "test")
_REFERENCE_TEST_SHARE = 0.2


def make_split(
    samples: Sequence[Sample],
    config: SplitConfig,
    *,
    shares: Mapping[str, float] | None = None,
    groups: Mapping[str, str] | None = None,
) -> SplitRecord:
    """Divide samples as `config` asks.

    `holdout` draws disjoint parts of the asked sizes (rounded, at least one picture each), keeps
    duplicates together and gives every part its share of small, medium and large foregrounds.
    `reference` is scikit-learn's `train_test_split` of the ids sorted as strings, as published;
    its validation pictures are its test pictures, in the published order. No file is read for it.

    Args:
        samples: the data set; its order does not change the parts.
        config: protocol, shares and seed.
        shares: share of person pixels by id, 0 to 1; read from the masks if not given.
        groups: group by id, as `duplicate_groups` makes them; found if not given.

    Raises:
        DataError: too few pictures for the parts asked for, or ids that are not unique.
        ImageError: a file that cannot be read.
    """
    ordered = sorted(samples, key=lambda sample: sample.id)
    ids = [sample.id for sample in ordered]
    if len(set(ids)) != len(ids):
        raise DataError("Two pictures have the same id; ids must be unique to make a split.")
    if config.protocol == "reference":
        return _reference(ids, config.seed)
    wanted = _part_sizes(len(ids), config)
    groups = duplicate_groups(ordered) if groups is None else groups
    _check_enough(len(ids), len({groups[name] for name in ids}), wanted)
    shares = foreground_shares(ordered) if shares is None else shares
    parts = _holdout(ids, groups, shares, wanted, config.seed)
    record = SplitRecord(
        train=tuple(parts["train"]),
        validation=tuple(parts["validation"]),
        test=tuple(parts["test"]),
        validation_is_test=False,
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
    names = list(parts)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            shared = sorted(set(parts[first]) & set(parts[second]))
            if shared:
                raise DataError(
                    f"The split's {first} and {second} parts share {len(shared)} pictures "
                    f"({', '.join(shared[:3])}); make the split anew."
                )


def foreground_shares(samples: Sequence[Sample]) -> dict[str, float]:
    """Share of person pixels by id, 0 to 1.

    Raises:
        ImageError: a mask that cannot be read.
        DataError: a sample without a mask.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        values = pool.map(lambda sample: float(sample.read_mask().mean()), samples)
        return {sample.id: value for sample, value in zip(samples, values, strict=True)}


def _reference(ids: list[str], seed: int) -> SplitRecord:
    from sklearn.model_selection import train_test_split  # slow to import, and an extra

    if len(ids) < 2:
        raise DataError(f"The reference split needs at least 2 pictures; {len(ids)} given.")
    train, test = train_test_split(ids, test_size=_REFERENCE_TEST_SHARE, random_state=seed)
    record = SplitRecord(
        train=tuple(train), validation=tuple(test), test=tuple(test), validation_is_test=True
    )
    check_split(record)
    return record


def _part_sizes(count: int, config: SplitConfig) -> dict[str, int]:
    """Pictures per part; every part asked for gets at least one."""
    test = max(1, round(count * config.test))
    validation = max(1, round(count * config.validation)) if config.validation else 0
    return {"train": count - validation - test, "validation": validation, "test": test}


def _check_enough(count: int, groups: int, wanted: dict[str, int]) -> None:
    needed = 3 if wanted["validation"] else 2
    if wanted["train"] >= 1 and groups >= needed:
        return
    asked = "train, validation and test" if wanted["validation"] else "train and test"
    given = f"{count} given" if groups == count else f"{count} given, {groups} without duplicates"
    raise DataError(
        f"A split into {asked} parts of these shares needs more pictures: {given}, at least "
        f"{needed} different ones needed. Add pictures or ask for smaller parts."
    )


def _holdout(
    ids: list[str],
    groups: Mapping[str, str],
    shares: Mapping[str, float],
    wanted: dict[str, int],
    seed: int,
) -> dict[str, list[str]]:
    """Deal whole groups to the parts, stratum by stratum, always to the part that lacks most.

    scikit-learn's StratifiedGroupKFold only cuts equal folds; asked shares are not equal.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        members[groups[name]].append(name)
    units = list(members.values())
    strata = _terciles(np.array([np.mean([shares[name] for name in unit]) for unit in units]))
    shuffled = np.random.default_rng(seed).permutation(len(units))
    # Large groups first: single pictures then fill what is left, to the last place.
    order = sorted(shuffled, key=lambda index: (-len(units[index]), int(strata[index])))
    population = np.bincount(strata, weights=[len(unit) for unit in units], minlength=3)
    lacking = {part: population * (wanted[part] / len(ids)) for part in _PARTS if wanted[part]}
    free = {part: wanted[part] for part in lacking}
    dealt: dict[str, list[str]] = {part: [] for part in _PARTS}
    for position, index in enumerate(order):
        unit, stratum = units[index], strata[index]
        empty = [part for part in free if not dealt[part]]
        if len(order) - position <= len(empty):
            candidates = empty
        else:
            candidates = [part for part in free if free[part] >= len(unit)] or list(free)
        part = max(candidates, key=lambda part: (lacking[part][stratum], free[part]))
        lacking[part][stratum] -= len(unit)
        free[part] -= len(unit)
        dealt[part] += unit
    return {part: sorted(names) for part, names in dealt.items()}


def _terciles(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Third of the distribution that each value lies in: 0, 1 or 2."""
    return np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]), right=True)
