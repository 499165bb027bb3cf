"""What a split must know of every picture: read once, for all folds of a plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from humanseg.data.duplicates import WORKERS, Signature, find_duplicates, group_ids, signature
from humanseg.data.fingerprint import fingerprint
from humanseg.data.samples import Sample
from humanseg.data.sources import GroupTable, read_group_table, sources_by_size
from humanseg.results import DataRecord

Copies = tuple[str, str, Literal["exact", "near", "mirrored"]]
"""Two ids, and how their pictures are alike."""


@dataclass(frozen=True)
class Facts:
    """Facts by id."""

    groups: dict[str, str]
    """Pictures of one group show the same; no split divides them."""
    shares: dict[str, float]
    """Share of person pixels, 0 to 1."""
    sources: dict[str, str]
    """Where the picture comes from."""
    copies: tuple[Copies, ...] = ()
    """Pairs of pictures that show the same."""


@dataclass(frozen=True, slots=True)
class _Seen:
    signature: Signature
    size: tuple[int, int]
    share: float


def read_facts(samples: Sequence[Sample], table: Path | None = None) -> Facts:
    """Look at every picture and mask once.

    Copies of a picture (`find_duplicates`) and pictures that the table puts together are one group.

    Args:
        samples: the data set.
        table: CSV with `id` and `group`, `source` or both, see `read_group_table`. Without
            sources in it, they are guessed from picture sizes, see `sources_by_size`.

    Raises:
        UsageError, DataError: a table that is not there or not usable.
        ImageError: a file that cannot be read.
        DataError: a sample without a mask.
    """
    ids = [sample.id for sample in samples]
    told = read_group_table(table, ids) if table is not None else GroupTable({}, {})

    def look(sample: Sample) -> _Seen:
        image = sample.read_image()
        size = (image.shape[0], image.shape[1])
        return _Seen(signature(image), size, float(sample.read_mask().mean()))

    with ThreadPoolExecutor(WORKERS) as pool:
        seen = list(pool.map(look, samples))
    copies = find_duplicates([one.signature for one in seen])
    pairs = [(pair.first, pair.second) for pair in copies]
    return Facts(
        groups=group_ids(ids, pairs + _told_pairs(ids, told)),
        shares={name: one.share for name, one in zip(ids, seen, strict=True)},
        sources=told.sources
        or sources_by_size({name: one.size for name, one in zip(ids, seen, strict=True)}),
        copies=tuple((ids[pair.first], ids[pair.second], pair.kind) for pair in copies),
    )


def describe_data(samples: Sequence[Sample], facts: Facts) -> DataRecord:
    """Record of a data set, for those who read its results.

    Args:
        samples: the data set.
        facts: what `read_facts` found.

    Raises:
        DataError: a file that cannot be read.
    """
    return DataRecord(
        fingerprint=fingerprint(samples),
        pictures={sample.id: str(sample.image.resolve()) for sample in samples},
        sources=facts.sources,
        groups=facts.groups,
        copies=facts.copies,
    )


def _told_pairs(ids: Sequence[str], table: GroupTable) -> list[tuple[int, int]]:
    members: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(ids):
        if name in table.groups:
            members[table.groups[name]].append(position)
    return [(group[0], other) for group in members.values() for other in group[1:]]
