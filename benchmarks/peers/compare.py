"""Other projects' networks and ours on the same images, in turn: accuracy and time in one run."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
from benchmarks.peers.record import Difference, ImageTime, PeersRecord, SystemResult
from benchmarks.peers.systems import Ours, Peer, System
from numpy.typing import NDArray

from humanseg.benchmark.inputs import find, names
from humanseg.benchmark.machine import describe_machine, load
from humanseg.benchmark.timing import summarise_times
from humanseg.config.schema import Layout
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.metadata import read_facts
from humanseg.data.samples import Sample
from humanseg.data.signatures import Signature
from humanseg.data.training_images import seen_in_training
from humanseg.evaluation.analysis.measures import MARKED_SHARE
from humanseg.evaluation.metrics import score_image, summarise
from humanseg.evaluation.statistics import GroupBootstrap
from humanseg.images import read_image
from humanseg.images.resize import resize_mask
from humanseg.model_directory import digests, find_model
from humanseg.results import ImageScore, SplitRecord, read_record
from humanseg.results.provenance import describe_environment
from humanseg.system.errors import DataError, UsageError
from humanseg.system.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class ImageOptions:
    """Which images every system gets."""

    data: Path | None = None
    """Labelled images; without them only times and person-free images are measured."""
    layout: Layout = "auto"
    split: Path | None = None
    """JSON as `humanseg data split` writes it: only its test images are used."""
    groups: Path | None = None
    """CSV table of groups, see `humanseg.data.metadata.read_facts`; guessed without it."""
    person_free: tuple[Path, ...] = ()
    """Files or folders of images without people."""
    limit: int | None = None
    """At most so many of the labelled and of the person-free images, spread evenly."""


@dataclass(frozen=True)
class OurOptions:
    """How ours is run; every combination is a system of its own."""

    backends: tuple[str, ...] = ("auto",)
    precisions: tuple[str, ...] = ("auto",)
    threads: tuple[int, ...] = ()
    """The backend's own choice if empty."""
    device: str = "cpu"


@dataclass(frozen=True)
class _Labelled:
    """The labelled images, and which of them show the same."""

    samples: tuple[Sample, ...] = ()
    fingerprint: str | None = None
    groups: dict[str, str] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)


@dataclass
class _Notes:
    """What is noted about one system."""

    system: System
    scores: list[ImageScore] = field(default_factory=list)
    labelled: list[ImageTime] = field(default_factory=list)
    person_free: list[ImageTime] = field(default_factory=list)


def compare_with_peers(
    model: str | Path | None,
    images: ImageOptions,
    *,
    peers: Sequence[str],
    ours: OurOptions | None = None,
    python: Path | None = None,
    calls: int = 3,
    progress: Progress | None = None,
) -> PeersRecord:
    """Measure ours and others' networks on the same images.

    Every image is decoded once and goes to all systems before the next one, each time in another
    order. Timed is the way from the decoded image to the mask at its own size. Masks are cut at
    each network's threshold, 0.5 for the peers, and scored against truth at its native size.

    Args:
        model: model directory; the bundled model if None.
        images: what they are measured on.
        peers: names of `systems.PEERS`, or paths of adapter files.
        ours: how ours is run; `OurOptions()` by default.
        python: interpreter of the environment that the peers are installed in.
        calls: timed calls per image and system.
        progress: called with the number of images that are done, and of all.

    Raises:
        UsageError: no images, no such peer, a peer or a part that is not installed.
        DataError: labelled images that do not fit together.
        ImageError: an image or mask that cannot be read.
        ModelError: no such model.
        HumansegError: a peer failed.
    """
    if images.data is None and not images.person_free:
        raise UsageError("Peers need images; give labelled ones with --data, or --person-free.")
    if calls < 1:
        raise UsageError(f"{calls} calls: give at least 1.")
    directory, ours = find_model(model), ours or OurOptions()
    labelled = _labelled(images)
    empty = _spread(find(images.person_free), images.limit)
    with ExitStack() as stack:
        notes: list[_Notes] = []
        for system in _systems(directory, ours, peers, python):
            stack.callback(system.close)
            notes.append(_Notes(system))
        before = load()
        total = len(labelled.samples) + len(empty)
        for done, _ in enumerate(_visit(notes, labelled.samples, empty, calls), start=1):
            if progress:
                progress(done, total)
        results = tuple(_result(note) for note in notes)
    trained_on = next(note.system.trained_on for note in notes if isinstance(note.system, Ours))
    return PeersRecord(
        model=str(model or "bundled"),
        model_files=digests(directory),
        trained_on=trained_on[0],
        also_trained_on=trained_on[1:],
        seen_images=seen_in_training(directory, labelled.signatures),
        data_fingerprint=labelled.fingerprint,
        groups=len({labelled.groups[sample.id] for sample in labelled.samples}),
        person_free_fingerprint=files_fingerprint(empty) if empty else None,
        calls=calls,
        systems=results,
        differences=tuple(difference(results[0], peer, labelled.groups) for peer in results[1:]),
        machine=describe_machine(before),
        environment=describe_environment(
            device=ours.device, threads=max(ours.threads, default=None)
        ),
    )


def _labelled(images: ImageOptions) -> _Labelled:
    if images.data is None:
        return _Labelled()
    every = discover(images.data, images.layout)
    chosen = every if images.split is None else _of_split(every, images.split)
    samples = _spread(chosen, images.limit)
    # A table names every image, also those that are left out.
    facts = read_facts(samples if images.groups is None else every, images.groups)
    signatures = {sample.id: facts.signatures[sample.id] for sample in samples}
    return _Labelled(tuple(samples), fingerprint(every), facts.groups, signatures)


def _of_split(samples: Sequence[Sample], split: Path) -> list[Sample]:
    ids = set(read_record(split, SplitRecord).test)
    tested = [sample for sample in samples if sample.id in ids]
    if len(tested) < len(ids):
        lost = sorted(ids - {sample.id for sample in tested})
        raise DataError(
            f"{split}: {len(lost)} of its test images are not in the data (such as {lost[0]!r}); "
            "give the data that it was made from."
        )
    return tested


def _spread(items: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` items, evenly spread over all."""
    if limit is None or limit >= len(items):
        return list(items)
    if limit < 1:
        raise UsageError(f"--limit {limit}: give at least 1.")
    return [items[index * len(items) // limit] for index in range(limit)]


def files_fingerprint(paths: Sequence[Path]) -> str:
    """SHA-256 over names and contents of images without truth; 64 hexadecimal digits."""
    total = hashlib.sha256()
    for name, path in sorted(zip(names(paths), paths, strict=True)):
        with path.open("rb") as stream:
            total.update(f"{name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _systems(
    model: Path, ours: OurOptions, peers: Sequence[str], python: Path | None
) -> Iterator[System]:
    threads: tuple[int | None, ...] = ours.threads or (None,)
    for backend, precision, count in product(ours.backends, ours.precisions, threads):
        yield Ours(model, backend=backend, precision=precision, device=ours.device, threads=count)
    for name in peers:
        yield Peer(name, python=python)


def _visit(
    notes: Sequence[_Notes], samples: Sequence[Sample], empty: Sequence[Path], calls: int
) -> Iterator[None]:
    """Show every image to all systems, each time beginning with the next one."""
    for number, sample in enumerate(samples):
        image, truth = sample.read_image(), sample.read_mask()
        for note in _rotated(notes, number):
            mask, time = _ask(note.system, sample.id, image, calls)
            note.labelled.append(time)
            note.scores.append(_score(sample.id, mask, truth))
        yield
    for number, (name, path) in enumerate(zip(names(empty), empty, strict=True), len(samples)):
        image = read_image(path)
        for note in _rotated(notes, number):
            note.person_free.append(_ask(note.system, name, image, calls)[1])
        yield


def _rotated(notes: Sequence[_Notes], number: int) -> list[_Notes]:
    first = number % len(notes)
    return [*notes[first:], *notes[:first]]


def _ask(
    system: System, name: str, image: NDArray[np.uint8], calls: int
) -> tuple[NDArray[np.bool_], ImageTime]:
    mask, seconds = system.segment(image, calls)
    return mask, ImageTime(
        id=name, marked=round(float(mask.mean()), 6), seconds=tuple(round(s, 7) for s in seconds)
    )


def _score(name: str, mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> ImageScore:
    size = (truth.shape[0], truth.shape[1])
    return score_image(name, resize_mask(mask, size), truth, contours=False)


def _result(notes: _Notes) -> SystemResult:
    system, times = notes.system, [*notes.labelled, *notes.person_free]
    marked = [time.marked for time in notes.person_free]
    return SystemResult(
        name=system.name,
        settings=system.settings,
        load_seconds=round(system.load_seconds, 4),
        scores=tuple(notes.scores),
        summary=summarise(notes.scores) if notes.scores else None,
        labelled=tuple(notes.labelled),
        person_free=tuple(notes.person_free),
        marked_area=statistics.fmean(marked) if marked else None,
        marked_pictures=statistics.fmean(share > MARKED_SHARE for share in marked)
        if marked
        else None,
        time=summarise_times([time.seconds for time in times]),
    )


def difference(first: SystemResult, other: SystemResult, groups: dict[str, str]) -> Difference:
    """The first system less another one, image by image, whichever of them is better.

    Args:
        first: scores of the same images, in the same order, as those of `other`.
        other: the one that is subtracted.
        groups: by id of the image; images of a group are resampled together.
    """
    iou = boundary_iou = None
    if first.scores:
        bootstrap = GroupBootstrap([groups[score.id] for score in first.scores])
        pairs = list(zip(first.scores, other.scores, strict=True))
        iou = bootstrap.mean([_minus(a.iou, b.iou) for a, b in pairs])
        boundary_iou = bootstrap.mean([_minus(a.boundary_iou, b.boundary_iou) for a, b in pairs])
    return Difference(
        other=other.name,
        iou=iou,
        boundary_iou=boundary_iou,
        time_ratio=round(first.time.median / other.time.median, 4),
    )


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
