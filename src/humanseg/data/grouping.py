"""Deal pictures to parts: whole groups, and every part its share of every kind of picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from humanseg.data.metadata import Facts


def deal(
    ids: Sequence[str], facts: Facts, sizes: Mapping[str, int], seed: Sequence[int]
) -> dict[str, set[str]]:
    """Deal whole groups, stratum by stratum, always to the part that lacks most.

    Strata are source times third of the foreground shares. scikit-learn's StratifiedGroupKFold only
    cuts equal folds; asked shares are not equal.

    Args:
        ids: what to deal, in string order.
        facts: groups, shares and sources of these and perhaps of more pictures.
        sizes: pictures wanted by part, each at least 1, together all of `ids`; groups larger than
            one may shift them a little.
        seed: numbers that decide.

    Returns:
        Names by part. No part is empty if there are at least as many groups as parts.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        members[facts.groups[name]].append(name)
    units = list(members.values())
    strata = _strata(units, facts)
    shuffled = np.random.default_rng(seed).permutation(len(units))
    # Large groups first: single pictures then fill what is left, to the last place.
    order = sorted(shuffled, key=lambda index: (-len(units[index]), int(strata[index])))
    population = np.bincount(strata, weights=[len(unit) for unit in units])
    lacking = {part: population * (size / len(ids)) for part, size in sizes.items()}
    free = dict(sizes)
    dealt: dict[str, set[str]] = {part: set() for part in sizes}
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
        dealt[part] |= set(unit)
    return dealt


def _strata(units: Sequence[Sequence[str]], facts: Facts) -> NDArray[np.intp]:
    """Stratum of every group, counted from 0: its first picture's source, and its mean share."""
    names = sorted({facts.sources[unit[0]] for unit in units})
    sources = np.array([names.index(facts.sources[unit[0]]) for unit in units], dtype=np.intp)
    shares = [float(np.mean([facts.shares[name] for name in unit])) for unit in units]
    return np.asarray(sources * 3 + terciles(shares), dtype=np.intp)


def terciles(values: Sequence[float]) -> NDArray[np.intp]:
    """Third of the distribution that each value lies in: 0, 1 or 2."""
    return np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]), right=True)
