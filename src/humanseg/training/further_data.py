"""Data sets that are only ever trained on, and what they must not hold."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from humanseg.config.comparison_config import slug
from humanseg.config.schema import TrainConfig
from humanseg.data.composition import RECORD_FILE, CompositionRecord
from humanseg.data.duplicates import Signature, find_duplicates, signature
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.errors import DataError, UsageError
from humanseg.model_directory import find_model, read_model_record
from humanseg.results import read_record
from humanseg.system.threads import ordered_map


@dataclass(frozen=True)
class ExtraData:
    """A data set that is only ever trained on."""

    name: str
    samples: tuple[Sample, ...]
    fingerprint: str
    composition: CompositionRecord | None
    """What its scenes were composed from, where `humanseg data compose` made it."""
    signatures: tuple[Signature, ...]
    """Of its pictures, to find copies with; empty for composed scenes, which copy no picture."""


def find_extra(root: Path) -> ExtraData:
    """Find, fingerprint and look at a further data set.

    Raises:
        UsageError: it does not exist.
        DataError: pictures without masks, scenes that were not composed to the end, or a damaged
            record of them.
        ImageError: a picture that cannot be read.
    """
    if not root.exists():
        raise UsageError(f"data.extra: {root} does not exist; give a folder, CSV or COCO JSON.")
    samples = discover(root, "auto")
    record = root / RECORD_FILE
    composition = read_record(record, CompositionRecord) if record.is_file() else None
    if composition is not None and sum(composition.kinds.values()) != len(samples):
        raise DataError(
            f"data.extra: {root} holds {len(samples)} of {sum(composition.kinds.values())} scenes; "
            "composing was interrupted. Compose them again into a new folder."
        )
    name = slug(root.name)
    return ExtraData(
        name=name,
        samples=tuple(replace(sample, id=f"{name}/{sample.id}") for sample in samples),
        fingerprint=fingerprint(samples),
        composition=composition,
        signatures=() if composition is not None else _signatures(samples),
    )


def _signatures(samples: Sequence[Sample]) -> tuple[Signature, ...]:
    with closing(ordered_map(lambda sample: signature(sample.read_image()), samples)) as hashed:
        return tuple(hashed)


def check_extra(extra: ExtraData, data_fingerprint: str, held_out: Sequence[Sample]) -> None:
    """See that a further data set gives away no picture that is held out.

    Args:
        extra: what is trained on besides the data set's own training part.
        data_fingerprint: of the data set.
        held_out: its validation and test pictures.

    Raises:
        DataError: one of them, or a resized, recompressed or mirrored copy, is in `extra`, or
            people of it are in its scenes.
        ImageError: a held-out picture that cannot be read.
    """
    if extra.signatures:
        _check_copies(extra, held_out)
    for source in extra.composition.sources if extra.composition else ():
        if source.fingerprint != data_fingerprint:
            continue
        shown = {sample.id for sample in held_out}.intersection(source.pictures)
        if shown:
            raise DataError(
                f"data.extra: scenes of {extra.name} show people of {len(shown)} held-out "
                f"picture(s), such as {min(shown)}. Compose them again with the split of this run."
            )


def check_start(config: TrainConfig, data_fingerprint: str) -> tuple[str, ...]:
    """See that the model to start from has not been trained on pictures that are held out.

    Args:
        config: of the run.
        data_fingerprint: of its data set.

    Returns:
        Fingerprints of all data that the model was trained on; none without such a model.

    Raises:
        ModelError: no readable model directory.
        DataError: it was trained on this data set, divided otherwise or not at all.
    """
    start = config.model.start_from
    if start is None:
        return ()
    record = read_model_record(find_model(start))
    otherwise = record.data_fingerprint == data_fingerprint and record.config.split != config.split
    if otherwise or data_fingerprint in record.extra_fingerprints:
        advice = (
            f"Take its split (protocol {record.config.split.protocol}, seed "
            f"{record.config.split.seed})"
            if otherwise
            else "Take other data"
        )
        raise DataError(
            f"model.start_from: {start} was trained on pictures of this data set that are held out "
            f"here, so scores would mean nothing. {advice}, or start from another model."
        )
    return (record.data_fingerprint, *record.extra_fingerprints)


def _check_copies(extra: ExtraData, held_out: Sequence[Sample]) -> None:
    own = _signatures(held_out)
    for pair in find_duplicates((*own, *extra.signatures)):
        if pair.first < len(own) <= pair.second:
            shown = extra.samples[pair.second - len(own)]
            raise DataError(
                f"data.extra: {shown.image} shows the same as the held-out picture "
                f"{held_out[pair.first].id} ({pair.kind}); scores on it would mean nothing. Take "
                "it out of one of the two data sets."
            )
