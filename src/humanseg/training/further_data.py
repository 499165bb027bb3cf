"""What is trained on besides a data set's own training part, and what it must not show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from humanseg.config.comparison_config import slug
from humanseg.config.schema import DataConfig, TrainConfig
from humanseg.data.composition import RECORD_FILE, CompositionRecord
from humanseg.data.duplicates import find_shared
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.signatures import ImageBits, Signature
from humanseg.data.training_images import copied, joined, read_training_images, some
from humanseg.model_directory import RECORD_FILE as MODEL_FILE
from humanseg.model_directory import find_model, read_model_record
from humanseg.results import read_record
from humanseg.system.errors import DataError, UsageError

_NOT_STATED = "where its training pictures come from was not stated."


@dataclass(frozen=True)
class ExtraData:
    """A data set that is only ever trained on."""

    name: str
    samples: tuple[Sample, ...]
    fingerprint: str
    composition: CompositionRecord | None
    """What its scenes were composed from, where `humanseg data compose` made it."""
    signatures: dict[str, Signature]
    """By id, to find copies with; empty for composed scenes, which copy no picture."""
    root: Path


@dataclass(frozen=True)
class Start:
    """What a model that a training starts from, or learns from, brings along."""

    key: str
    """The setting that names it."""
    name: str
    """The model, as the setting has it."""
    fingerprints: tuple[str, ...] = ()
    """Of all data that it was trained on."""
    provenance: tuple[str, ...] = ()
    """The sources of its training pictures with their terms, a line each."""
    images: ImageBits | None = None
    """Its training pictures; None where it does not know them."""


def find_extra(config: DataConfig, own: Sequence[Sample]) -> list[ExtraData]:
    """Find and fingerprint the further data sets, without a look at their images.

    They are called by their folders, with a number where another one, or a folder of the samples
    `own`, is called so.

    Raises:
        UsageError: it does not exist.
        DataError: pictures without masks, scenes that were not composed to the end, or a damaged
            record of them.
    """
    taken = {sample.id.partition("/")[0] for sample in own}
    found = []
    for root in config.extra:
        numbered = (f"{slug(root.name)}{f'-{n}' if n > 1 else ''}" for n in count(1))
        name = next(name for name in numbered if name not in taken)
        taken.add(name)
        found.append(_find_one(root, name, config.classes))
    return found


def _find_one(root: Path, name: str, classes: Sequence[str]) -> ExtraData:
    if not root.exists():
        raise UsageError(
            f"data.extra: {root} does not exist; give a folder, CSV or file of labels."
        )
    samples = discover(root, "auto", classes)
    record = root / RECORD_FILE
    composition = read_record(record, CompositionRecord) if record.is_file() else None
    if composition is not None and sum(composition.kinds.values()) != len(samples):
        raise DataError(
            f"data.extra: {root} holds {len(samples)} of {sum(composition.kinds.values())} scenes; "
            "composing was interrupted. Compose them again into a new folder."
        )
    named = tuple(replace(sample, id=f"{name}/{sample.id}") for sample in samples)
    return ExtraData(name, named, fingerprint(samples), composition, {}, root)


def check_extra(extra: ExtraData, data_fingerprint: str, held_out: Mapping[str, Signature]) -> None:
    """See that a further data set gives away no picture that is held out: `held_out`, by id.

    Raises:
        DataError: one of them, or a changed copy, is in `extra`, or people of it are in its
            scenes.
    """
    own, further = list(held_out), list(extra.signatures)
    for pair in find_shared(list(held_out.values()), list(extra.signatures.values())):
        image = next(each.image for each in extra.samples if each.id == further[pair.second])
        raise DataError(
            f"data.extra: {image} shows the same as the held-out picture {own[pair.first]} "
            f"({pair.kind}); scores on it would mean nothing. Take it out of one of the two data "
            "sets."
        )
    for source in extra.composition.sources if extra.composition else ():
        if source.fingerprint != data_fingerprint:
            continue
        shown = held_out.keys() & set(source.pictures)
        if shown:
            raise DataError(
                f"data.extra: scenes of {extra.name} show people of {len(shown)} held-out "
                f"picture(s), such as {min(shown)}. Compose them again with the split of this run."
            )


def _origins(config: TrainConfig) -> Iterator[tuple[str, str, str]]:
    """Settings that name trained models, the models, and what they are to a training.

    The file that gives the encoder's weights may be that of a whole model.
    """
    model, weights = config.model, Path(config.model.encoder_weights or "none").expanduser()
    started = "the model that training started from"
    if model.start_from is not None:
        yield "model.start_from", model.start_from, started
    elif weights.is_file() and (weights.parent / MODEL_FILE).is_file():
        yield "model.encoder_weights", str(weights.parent), started
    if config.loss.teacher is not None:
        yield "loss.teacher", config.loss.teacher, "the teacher"


def find_starts(config: TrainConfig) -> tuple[Start, ...]:
    """What the models to start from and to learn from were trained on.

    Raises:
        UsageError: no such model.
        ModelError: no readable model directory.
    """
    return tuple(_start(*origin) for origin in _origins(config))


def _start(key: str, name: str, what: str) -> Start:
    directory = find_model(name)
    record = read_model_record(directory)
    inherited = f"Through {what} ({name}): "
    return Start(
        key=key,
        name=name,
        fingerprints=(record.data_fingerprint, *record.extra_fingerprints),
        # A chain of models says it once.
        provenance=tuple(
            line if line.startswith("Through the ") else inherited + line
            for line in record.provenance or (_NOT_STATED,)
        ),
        images=read_training_images(directory),
    )


def check_start(
    start: Start, config: TrainConfig, data_fingerprint: str, held_out: Mapping[str, Signature]
) -> None:
    """See that a model to start or learn from has not been trained on held-out pictures.

    Raises:
        ModelError: no readable model directory.
        DataError: it was trained on one of them or a copy, or on this data set, divided otherwise
            or not at all, and cannot tell on which pictures.
    """
    key, name = start.key, start.name
    seen = () if start.images is None else copied(start.images, held_out)
    if seen:
        raise DataError(
            f"{key}: {name} was trained on {len(seen)} of the pictures that are held "
            f"out here ({some(seen)}) or on copies of them, so scores would mean nothing. Take "
            "them out of the data, take the split of that model, or another model."
        )
    record = read_model_record(find_model(name))
    # A model that knows its training images has just been asked about those that are held out.
    unknown = start.images is None and record.data_fingerprint == data_fingerprint
    otherwise = unknown and record.config.split != config.split
    if otherwise or data_fingerprint in record.extra_fingerprints:
        split = record.config.split
        own = f"its split (protocol {split.protocol}, seed {split.seed})"
        advice = f"Take {own if otherwise else 'other data'}"
        raise DataError(
            f"{key}: {name} was trained on this data set"
            f"{', divided otherwise' if otherwise else ''}, perhaps on pictures that are held out "
            f"here, so scores would mean nothing. {advice}, or another model."
        )


def all_trained_on(config: TrainConfig, own: ImageBits) -> ImageBits:
    """The images of a run, and those of the models that it starts and learns from.

    Raises:
        ModelError: no readable model directory.
    """
    before = (start.images for start in find_starts(config))
    return joined(own, *(images for images in before if images is not None))
