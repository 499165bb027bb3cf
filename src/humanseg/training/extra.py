"""Data sets that are only ever trained on, and what they must not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from humanseg.config import slug
from humanseg.data.composition import RECORD_FILE, CompositionRecord
from humanseg.data.fingerprint import file_digest, fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.errors import DataError, UsageError
from humanseg.results import read_record


@dataclass(frozen=True)
class ExtraData:
    """A data set that is only ever trained on."""

    name: str
    samples: tuple[Sample, ...]
    fingerprint: str
    composition: CompositionRecord | None
    """What its scenes were composed from, where `humanseg data compose` made it."""


def find_extra(root: Path) -> ExtraData:
    """Find and fingerprint a further data set.

    Raises:
        UsageError: it does not exist.
        DataError: pictures without masks, or a damaged record of its composition.
    """
    if not root.exists():
        raise UsageError(f"data.extra: {root} does not exist; give a folder, CSV or COCO JSON.")
    found = discover(root, "auto")
    name = slug(root.name)
    samples = tuple(replace(sample, id=f"{name}/{sample.id}") for sample in found)
    record = root / RECORD_FILE
    composition = read_record(record, CompositionRecord) if record.is_file() else None
    return ExtraData(name, samples, fingerprint(found), composition)


def check_extra(extra: ExtraData, data_fingerprint: str, held_out: Sequence[Sample]) -> None:
    """See that a further data set gives away no picture that is held out.

    Args:
        extra: what is trained on besides the data set's own training part.
        data_fingerprint: of the data set.
        held_out: its validation and test pictures.

    Raises:
        DataError: one of them is in `extra`, byte for byte, or people of it are in its scenes.
    """
    digests = {file_digest(sample.image): sample.id for sample in held_out}
    for sample in extra.samples:
        known = digests.get(file_digest(sample.image))
        if known is not None:
            raise DataError(
                f"data.extra: {sample.image} is the held-out picture {known}; scores on it would "
                "mean nothing. Take it out of one of the two data sets."
            )
    for source in extra.composition.sources if extra.composition else ():
        if source.fingerprint != data_fingerprint:
            continue
        shown = {sample.id for sample in held_out}.intersection(source.pictures)
        if shown:
            raise DataError(
                f"data.extra: scenes of {extra.name} show people of {len(shown)} held-out "
                f"picture(s), such as {min(shown)}. Compose them again with the split of this run."
            )
