"""What a split must know of every picture: read once, for all folds of a plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.data.duplicates import Signature, find_duplicates, group_ids, signature
from humanseg.data.fingerprint import fingerprint
from humanseg.data.inspection import Seen
from humanseg.data.samples import Sample
from humanseg.data.sources import GroupTable, read_group_table, sources_by_size
from humanseg.errors import DataError
from humanseg.images.resize import Size
from humanseg.results import DataRecord
from humanseg.system.threads import ordered_map

if TYPE_CHECKING:
    from humanseg.data.cache import Cache

Keep = Callable[[int, NDArray[np.uint8], NDArray[np.bool_]], None]
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
class _Known:
    signature: Signature
    size: Size
    share: float


def read_facts(
    samples: Sequence[Sample],
    table: Path | None = None,
    *,
    cache: Cache | None = None,
    keep: Keep | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Facts:
    """Look at every picture and mask once, or ask a cache that has.

    Copies of a picture (`find_duplicates`) and pictures that the table puts together are one group.

    Args:
        samples: the data set.
        table: CSV with `id` and `group`, `source` or both, see `read_group_table`. Without
            sources in it, they are guessed from picture sizes, see `sources_by_size`.
        cache: where the same is known of pictures that have not changed, and kept of the others.
        keep: without a cache, called with the position of each sample, its picture and its truth,
            in threads, so that nobody need decode them again.
        progress: called with (pictures done, all pictures).

    Raises:
        UsageError, DataError: a table that is not there or not usable.
        ImageError: a file that cannot be read.
        DataError: a sample without a mask.
    """
    ids = [sample.id for sample in samples]
    told = read_group_table(table, ids) if table is not None else GroupTable({}, {})
    known = _look(samples, keep, progress) if cache is None else _ask(samples, cache, progress)
    copies = find_duplicates([one.signature for one in known])
    pairs = [(pair.first, pair.second) for pair in copies]
    return Facts(
        groups=group_ids(ids, pairs + _told_pairs(ids, told)),
        shares={name: one.share for name, one in zip(ids, known, strict=True)},
        sources=told.sources
        or sources_by_size({name: one.size for name, one in zip(ids, known, strict=True)}),
        copies=tuple((ids[pair.first], ids[pair.second], pair.kind) for pair in copies),
    )


def _look(
    samples: Sequence[Sample],
    keep: Keep | None,
    progress: Callable[[int, int], None] | None,
) -> list[_Known]:
    def look(position: int) -> _Known:
        image, mask = samples[position].read_image(), samples[position].read_mask()
        if keep is not None:
            keep(position, image, mask)
        return _Known(signature(image), (image.shape[0], image.shape[1]), float(mask.mean()))

    known: list[_Known] = []
    with closing(ordered_map(look, range(len(samples)))) as looked:
        for one in looked:
            known.append(one)
            if progress is not None:
                progress(len(known), len(samples))
    return known


def _ask(
    samples: Sequence[Sample], cache: Cache, progress: Callable[[int, int], None] | None
) -> list[_Known]:
    seen = cache.examine(samples, progress=progress)
    return [_readable(sample, seen[sample.id]) for sample in samples]


def _readable(sample: Sample, seen: Seen) -> _Known:
    """What was seen of a picture, or the error that reading it raises."""
    if seen.signature is None or seen.size is None or seen.share is None:
        sample.read_image()
        sample.read_mask()
        raise DataError(f"{sample.image}: changed while it was read; run again.")
    return _Known(seen.signature, seen.size, seen.share)


def describe_data(
    samples: Sequence[Sample],
    facts: Facts,
    *,
    digests: Mapping[str, tuple[str, str]] | None = None,
) -> DataRecord:
    """Record of a data set, for those who read its results.

    Args:
        samples: the data set.
        facts: what `read_facts` found.
        digests: see `fingerprint`.

    Raises:
        DataError: a file that cannot be read.
    """
    return DataRecord(
        fingerprint=fingerprint(samples, digests=digests),
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
