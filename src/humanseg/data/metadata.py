"""What a split must know of every image: read once, for all folds of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.data.duplicates import CopyKind, find_duplicates, group_ids
from humanseg.data.inspection import Finding, InspectedSample, Keep, inspect_all, raise_unreadable
from humanseg.data.samples import Sample
from humanseg.data.signatures import Signature
from humanseg.data.sources import GroupTable, read_group_table, sources_by_size
from humanseg.images.resize import Size
from humanseg.results import DataRecord
from humanseg.system.progress import ItemProgress

if TYPE_CHECKING:
    from humanseg.data.cache import Cache

Copies = tuple[str, str, CopyKind]
"""Two ids, and how their images are alike."""


@dataclass(frozen=True)
class Facts:
    """Facts by id."""

    groups: dict[str, str]
    """Images of one group show the same; no split divides them."""
    shares: dict[str, float]
    """Share of person pixels, 0 to 1."""
    sources: dict[str, str]
    """Where the image comes from."""
    copies: tuple[Copies, ...] = ()
    """Pairs of images that show the same."""
    findings: tuple[Finding, ...] = ()
    """What is wrong or odd with single images and masks."""
    signatures: dict[str, Signature] = field(default_factory=dict, compare=False, repr=False)
    """To find copies of the images elsewhere."""


def read_facts(
    samples: Sequence[Sample],
    table: Path | None = None,
    *,
    cache: Cache | None = None,
    keep: Keep | None = None,
    progress: ItemProgress | None = None,
) -> Facts:
    """Inspect every image and mask once, or ask a cache that has; see `derive_facts`.

    Without a cache, `keep` is called as by `inspect_all`.

    Raises:
        UsageError, DataError: a table that is not there or not usable.
        ImageError: a file that cannot be read.
        DataError: a sample without a mask.
    """
    # A table that cannot be used is refused before anything is decoded.
    groups = read_group_table(table, [each.id for each in samples]) if table else None
    if cache is None:
        inspected = inspect_all(samples, keep=keep, progress=progress)
    else:
        inspected = cache.inspect(samples, progress=progress)
    return derive_facts(samples, inspected, groups)


def derive_facts(
    samples: Sequence[Sample],
    inspected: Sequence[InspectedSample],
    table: GroupTable | None = None,
) -> Facts:
    """Facts of samples that have been inspected already; opens no image.

    Copies of an image (`find_duplicates`) and images that the table (`read_group_table`) puts
    together are one group. Without sources in it, they are guessed from image sizes, see
    `sources_by_size`.

    Raises:
        ImageError: a file that cannot be read.
        DataError: a sample without a mask.
    """
    ids = [sample.id for sample in samples]
    table = table or {}
    groups = table.get("group", {})
    signatures: list[Signature] = []
    sizes: dict[str, Size] = {}
    shares: dict[str, float] = {}
    findings: list[Finding] = []
    for sample, result in zip(samples, inspected, strict=True):
        if result.signature is None or result.size is None or result.share is None:
            raise_unreadable(sample)
        signatures.append(result.signature)
        sizes[sample.id], shares[sample.id] = result.size, result.share
        findings += result.findings(sample)
    copies = find_duplicates(signatures)
    first: dict[str, int] = {}  # position by group
    told = [
        (first.setdefault(groups[name], position), position)
        for position, name in enumerate(ids)
        if name in groups
    ]
    return Facts(
        groups=group_ids(ids, [*((pair.first, pair.second) for pair in copies), *told]),
        shares=shares,
        sources=table.get("source") or sources_by_size(sizes),
        copies=tuple((ids[pair.first], ids[pair.second], pair.kind) for pair in copies),
        findings=tuple(findings),
        signatures=dict(zip(ids, signatures, strict=True)),
    )


def describe_data(samples: Iterable[Sample], facts: Facts, fingerprint: str) -> DataRecord:
    """Record of a data set, for those who read its results."""
    return DataRecord(
        fingerprint=fingerprint,
        images={sample.id: str(sample.image.resolve()) for sample in samples},
        sources=facts.sources,
        groups=facts.groups,
        copies=facts.copies,
    )
