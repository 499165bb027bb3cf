"""Divide images into parts: whole groups, and every part its share of every kind of image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from humanseg.data.metadata import Facts


def stratified_group_split(
    ids: Sequence[str], facts: Facts, sizes: Mapping[str, int], seed: Sequence[int]
) -> dict[str, set[str]]:
    """Divide whole groups, stratum by stratum, always giving to the part that lacks most.

    Strata are source times third of the foreground shares. scikit-learn's StratifiedGroupKFold cuts
    equal folds only, and parts of other sizes are asked for too; docs/experiments.md has both.

    Args:
        ids: images to divide, in string order.
        facts: groups, shares and sources of these and perhaps of more images.
        sizes: images wanted by part, each at least 1, together all of `ids`; groups larger than
            one may shift them a little.
        seed: numbers that decide.

    Returns:
        Names by part. No part is empty if there are at least as many groups as parts.
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
    names = sorted({facts.sources[group[0]] for group in groups})
    sources = np.array([names.index(facts.sources[group[0]]) for group in groups], dtype=np.intp)
    shares = [float(np.mean([facts.shares[name] for name in group])) for group in groups]
    return np.asarray(sources * 3 + terciles(shares), dtype=np.intp)


def terciles(values: Sequence[float]) -> NDArray[np.intp]:
    """Third of the distribution that each value lies in: 0, 1 or 2."""
    return np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]), right=True)
