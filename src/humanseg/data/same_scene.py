"""Pairs of pictures that may show the same, and whether a split divided them.

Copies are found by perceptual hashes (`humanseg.data.duplicates`) and are certain. Two photographs
of one scene are not copies; they are looked for among an encoder's features, and what is found
there is a list to look at, not a verdict: people in like poses before like walls are alike too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from humanseg.data.metadata import Copies
from humanseg.results import Leak, SplitRecord

SCENE_THRESHOLD = 0.7
"""Least cosine of centred features. Pairs above it need not show one scene, and other views of one
scene may stay below it."""
MAX_SCENES = 50
"""Pairs that are listed; nobody looks through more."""

_ROWS = 256  # rows of the similarity matrix at a time
_KINDS = ("exact", "near", "mirrored", "turned")

Divided = Callable[[str, str], bool]
"""Whether one of two ids was tested by a network that trained on the other."""


def known_leaks(
    splits: Collection[SplitRecord], copies: Iterable[Copies], groups: Mapping[str, str]
) -> list[Leak]:
    """Copies, and images of one group that a split of the runs divides."""
    pairs = leaks(copies, divided=divider(splits))
    return [*pairs, *_group_leaks(splits, groups, {(leak.first, leak.second) for leak in pairs})]


def divider(splits: Iterable[SplitRecord]) -> Divided:
    """See `Divided`."""
    parts = [
        dict.fromkeys(split.train, "train") | dict.fromkeys(split.test, "test") for split in splits
    ]

    def divided(first: str, second: str) -> bool:
        return any({part.get(first), part.get(second)} == {"train", "test"} for part in parts)

    return divided


def leaks(copies: Iterable[Copies], *, divided: Divided) -> list[Leak]:
    """Copies (`Facts.copies`) as leaks: exact ones first, then by kind, each in the order given."""
    return [
        Leak(first=first, second=second, kind=kind, divided=divided(first, second))
        for first, second, kind in sorted(copies, key=lambda copy: _KINDS.index(copy[2]))
    ]


def _group_leaks(
    splits: Iterable[SplitRecord], groups: Mapping[str, str], copies: Container[tuple[str, str]]
) -> list[Leak]:
    """Images that were tested by a network that trained on others of their group.

    One pair for each tested image of each split, its first partner, in the order of the ids.
    `copies` are pairs that are reported already.
    """
    pairs: set[tuple[str, str]] = set()
    for split in splits:
        trained: dict[str, list[str]] = defaultdict(list)
        for name in sorted(split.train):
            if name in groups:
                trained[groups[name]].append(name)
        for name in split.test:
            partners = trained.get(groups.get(name, ""), [])
            both = [(min(name, other), max(name, other)) for other in partners]
            if both and not any(pair in copies or pair[::-1] in copies for pair in both):
                pairs.add(both[0])
    return [Leak(first=one, second=two, kind="group", divided=True) for one, two in sorted(pairs)]


def scene_pairs(
    ids: Sequence[str],
    features: NDArray[np.float32],
    *,
    groups: Mapping[str, str],
    divided: Divided,
    threshold: float = SCENE_THRESHOLD,
    limit: int = MAX_SCENES,
) -> list[Leak]:
    """Pairs whose features point the same way from the data set's mean; see `SCENE_THRESHOLD`.

    Centring removes what all pictures of a data set share; without it every pair is alike. Features
    are float32 (pictures, channels), such as an encoder's last stage, averaged. Pairs of one group
    are left out: they are known to show the same. The most similar come first.

    Raises:
        ValueError: not one row of features per id.
    """
    if len(ids) != len(features):
        raise ValueError(f"{len(features)} rows of features for {len(ids)} pictures.")
    directions = _directions(features)
    _, members = np.unique([groups[name] for name in ids], return_inverse=True)
    best: list[tuple[float, int, int]] = []
    for start in range(0, len(ids), _ROWS):
        rows = slice(start, start + _ROWS)
        cosines = directions[rows] @ directions[start:].T
        other = members[rows, None] != members[None, start:]
        first, second = np.nonzero(np.triu(other & (cosines >= threshold), k=1))
        values = cosines[first, second]
        for index in np.argsort(-values, kind="stable")[:limit]:
            best.append(
                (-float(values[index]), start + int(first[index]), start + int(second[index]))
            )
        best = sorted(best)[:limit]
    return [
        Leak(
            first=ids[first],
            second=ids[second],
            kind="scene",
            similarity=min(-negative, 1.0),
            divided=divided(ids[first], ids[second]),
        )
        for negative, first, second in best
    ]


def _directions(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors from the mean; zero for what lies on it, which then is like nothing."""
    if not len(features):
        return features
    centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # Pictures that are all alike differ from their mean by rounding only.
    noise = 1e-5 * np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(
        np.where(lengths > noise, centred / np.maximum(lengths, 1e-30), 0.0), dtype=np.float32
    )
