"""Write composed scenes as a data set of the layout `folders`, with a record of their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from humanseg.data.composition.composed_scene import KINDS, Kind, compose_scene
from humanseg.data.composition.material import (
    Cutout,
    Material,
    cut_people,
    empty_part,
    read_background,
    read_object,
)
from humanseg.data.fingerprint import file_digest, fingerprint
from humanseg.data.pair_writer import write_pair
from humanseg.data.samples import Sample
from humanseg.images import SUFFIXES
from humanseg.results import Record, write_record
from humanseg.system.errors import DataError, HumansegError, UsageError
from humanseg.system.progress import ItemProgress

T = TypeVar("T")

RECORD_FILE = "composition.json"


class SourceRecord(Record):
    """A data set whose people were cut out."""

    name: str
    fingerprint: str
    """SHA-256 over names and contents of all its pictures and masks."""
    pictures: tuple[str, ...]
    """Ids of the pictures that were used; no other picture is in any scene."""


class CompositionRecord(Record):
    """composition.json: lets a training see that no test picture's person is in a scene."""

    schema_version: Literal[1] = 1
    seed: int
    sources: tuple[SourceRecord, ...]
    backgrounds: dict[str, str]
    """SHA-256 by file: the folder's name and the path within it."""
    objects: dict[str, str]
    """Likewise."""
    kinds: dict[str, int]
    """Number of scenes by kind; in a folder that holds fewer, composing was interrupted."""


People = Mapping[str, tuple[Sequence[Sample], Sequence[str]]]
"""By name of the data set: all of its samples, and the ids that may be used. Empty parts of the
first serve as backgrounds; people whom a data set does not label would make others' useless."""

_CACHED = 64  # decoded images and cut-outs held in memory


def compose(
    output: Path,
    people: People,
    *,
    count: int,
    seed: int = 0,
    backgrounds: Sequence[Path] = (),
    objects: Sequence[Path] = (),
    progress: ItemProgress | None = None,
) -> Path:
    """Compose scenes in a new or empty folder, and return it.

    images/nobody-00001.jpg and masks/nobody-00001.png and so on. People are cut out along their
    masks (Ghiasi et al. 2021, "Simple Copy-Paste is a Strong Data Augmentation Method for Instance
    Segmentation") and laid on photographs without anybody and on empty parts of the people's own
    images. Scene i depends on the seed, i and the material only.

    Args:
        output: the folder.
        people: whom to cut out.
        count: number of scenes.
        seed: which scenes.
        backgrounds: folders of photographs that show nobody.
        objects: folders of things cut out, with transparency.
        progress: called with (scenes done, all scenes).

    Raises:
        UsageError: a count or seed out of range, a folder with files in it, or missing folders.
        DataError: no person or no background to be had.
        ImageError: a file that cannot be read.
        HumansegError: a folder that cannot be written to.
    """
    if count < 1 or seed < 0:
        raise UsageError(f"count is {count} and seed {seed}; at least 1 and 0.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output}: is not an empty folder; name a new one.")
    photographs, things = _files(backgrounds), _files(objects)
    material, sources = _gather(
        people, [path for _, path in photographs], [path for _, path in things]
    )
    kinds = _kinds(count, seed)
    record = CompositionRecord(
        seed=seed,
        sources=tuple(sources),
        backgrounds={name: file_digest(file) for name, file in photographs},
        objects={name: file_digest(file) for name, file in things},
        kinds={kind: kinds.count(kind) for kind in KINDS},
    )
    try:
        write_record(output / RECORD_FILE, record)
        for index, kind in enumerate(kinds, start=1):
            rng = np.random.default_rng([seed, index])
            image, mask = compose_scene(rng, kind, material)
            name = f"{kind}-{index:05d}"
            write_pair(output, name, image, mask, quality=int(rng.integers(70, 96)))
            if progress is not None:
                progress(index, count)
    except OSError as error:
        raise HumansegError(f"{output}: cannot be written to ({error.strerror}).") from error
    return output


def _files(folders: Sequence[Path]) -> list[tuple[str, Path]]:
    """Images, each with the folder's name and the path within it."""
    files: list[tuple[str, Path]] = []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: is not a folder of pictures.")
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                name = f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
                files.append((name, path))
    return files


def _kinds(count: int, seed: int) -> list[Kind]:
    """Kinds of all scenes, their shares as exact as whole numbers allow, in random order."""
    ends = np.rint(np.cumsum(list(KINDS.values())) * count).astype(int)
    numbers = np.diff(ends, prepend=0).tolist()
    kinds = [kind for kind, number in zip(KINDS, numbers, strict=True) for _ in range(number)]
    order = np.random.default_rng([seed, 0]).permutation(count)
    return [kinds[index] for index in order]


def _gather(
    people: People, photographs: Sequence[Path], objects: Sequence[Path]
) -> tuple[Material, list[SourceRecord]]:
    """Look through the images once for people and empty parts; what is drawn is read again.

    Every data set is drawn from equally often, and so are photographs and empty parts.
    """
    persons: list[list[tuple[Sample, int]]] = []
    empties: list[Sample] = []
    sources: list[SourceRecord] = []
    for name, (samples, allowed) in people.items():
        used = [sample for sample in samples if sample.id in set(allowed)]
        group = [(sample, number) for sample in used for number in range(len(cut_people(sample)))]
        if group:
            persons.append(group)
        if not sources:
            empties = [sample for sample in used if empty_part(sample) is not None]
        pictures = tuple(sorted(sample.id for sample in used))
        sources.append(SourceRecord(name=name, fingerprint=fingerprint(samples), pictures=pictures))
    if not persons:
        raise DataError("no person can be cut out: the masks are empty or too small.")
    if not photographs and not empties:
        raise DataError("no background to lay people on; name folders of pictures without anybody.")
    return _material(persons, photographs, empties, objects), sources


def _material(
    persons: Sequence[Sequence[tuple[Sample, int]]],
    photographs: Sequence[Path],
    empties: Sequence[Sample],
    objects: Sequence[Path],
) -> Material:
    cut, read = lru_cache(_CACHED)(cut_people), lru_cache(_CACHED)(read_background)
    opened = lru_cache(_CACHED)(read_object)

    def person(rng: np.random.Generator) -> Cutout:
        sample, number = _any(rng, _any(rng, persons))
        return cut(sample)[number]

    def background(rng: np.random.Generator) -> NDArray[np.uint8]:
        if photographs and (not empties or rng.random() < 0.5):
            return read(_any(rng, photographs))
        sample = _any(rng, empties)
        part = empty_part(sample)
        if part is None:
            raise DataError(f"{sample.image}: has changed meanwhile.")
        return part

    def item(rng: np.random.Generator) -> Cutout:
        return opened(_any(rng, objects))

    return Material(person, background, item if objects else None)


def _any(rng: np.random.Generator, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]
