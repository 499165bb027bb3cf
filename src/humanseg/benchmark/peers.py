"""Other projects' networks and ours on the same pictures, in turn: accuracy and time in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from humanseg.benchmark.contestants import Contender, Ours, Peer
from humanseg.benchmark.inputs import find, fingerprint, names
from humanseg.benchmark.machine import describe_machine, describe_model, load
from humanseg.benchmark.speed_record import Contestant, Difference, PeersRecord, PictureTime
from humanseg.benchmark.timing import summarise_times
from humanseg.config.schema import Layout
from humanseg.errors import DataError, UsageError
from humanseg.images import read_image
from humanseg.images.resize import resize_mask
from humanseg.model_directory import find_model
from humanseg.results import ImageScore, SplitRecord, read_record
from humanseg.results.provenance import describe_environment

if TYPE_CHECKING:
    from humanseg.data.samples import Sample

T = TypeVar("T")

MARKED = 0.001
"""Share of a picture without people above which it counts as marked: 0.1 %."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Labelled:
    """The labelled pictures, and which of them show the same."""

    samples: tuple[Sample, ...] = ()
    fingerprint: str | None = None
    groups: dict[str, str] = field(default_factory=dict)


@dataclass
class _Notes:
    """What is noted about one contender."""

    contender: Contender
    scores: list[ImageScore] = field(default_factory=list)
    labelled: list[PictureTime] = field(default_factory=list)
    person_free: list[PictureTime] = field(default_factory=list)


def compare_with_peers(
    model: str | Path | None = None,
    *,
    peers: Sequence[str],
    data: Path | None = None,
    layout: Layout = "auto",
    split: Path | None = None,
    groups: Path | None = None,
    person_free: Sequence[Path] = (),
    limit: int | None = None,
    peer_python: Path | None = None,
    backends: Sequence[str] = ("auto",),
    precisions: Sequence[str] = ("auto",),
    device: str = "cpu",
    threads: Sequence[int] | None = None,
    calls: int = 3,
    progress: Progress | None = None,
) -> PeersRecord:
    """Measure ours and others' networks on the same pictures.

    Every picture is decoded once and goes to all contenders before the next one, each time in
    another order. Timed is the way from the decoded picture to the mask at its own size. Masks are
    cut at each network's threshold, 0.5 for the peers, and scored against truth at its native size.

    Args:
        model: model directory; the bundled model by default.
        peers: names of `contestants.PEERS`, or paths of adapter files.
        data: labelled pictures; without them only times and person-free pictures are told.
        layout: how pictures and masks are found.
        split: JSON as `humanseg data split` writes it: only its test pictures are used.
        groups: CSV table of groups, see `humanseg.data.metadata.read_facts`; guessed without it.
        person_free: files or folders of pictures without people.
        limit: at most so many of the labelled and of the person-free pictures, spread evenly.
        peer_python: interpreter of the environment that the peers are installed in.
        backends: ways to run ours, see `speed.measure_speed`.
        precisions: likewise.
        device: likewise.
        threads: numbers of threads of ours; the backend's own choice by default.
        calls: timed calls per picture and contender.
        progress: called with (done, total) pictures.

    Raises:
        UsageError: no pictures, no such peer, a peer or a part that is not installed.
        DataError: labelled pictures that do not fit together.
        ImageError: a picture or mask that cannot be read.
        ModelError: no such model.
        HumansegError: a peer failed.
    """
    if data is None and not person_free:
        raise UsageError("Peers need pictures; give labelled ones with --data, or --person-free.")
    if calls < 1:
        raise UsageError(f"{calls} calls: give at least 1.")
    directory = find_model(model)
    labelled = _labelled(data, layout, split, groups, limit)
    empty = _spread(find(person_free), limit)
    ways = product(backends, precisions, threads or (None,))
    with ExitStack() as stack:
        notes: list[_Notes] = []
        trained_on: tuple[str, ...] = ("",)
        for contender in _contenders(directory, ways, device, peers, peer_python):
            stack.callback(contender.close)
            notes.append(_Notes(contender))
            if isinstance(contender, Ours):
                trained_on = contender.trained_on
        before = load()
        total = len(labelled.samples) + len(empty)
        for done, _ in enumerate(_visit(notes, labelled.samples, empty, calls), start=1):
            if progress:
                progress(done, total)
        contestants = tuple(_conclude(one) for one in notes)
    first, others = contestants[0], contestants[1:]
    return PeersRecord(
        model=str(model or "bundled"),
        model_files=describe_model(directory),
        trained_on=trained_on[0],
        also_trained_on=trained_on[1:],
        data_fingerprint=labelled.fingerprint,
        groups=len({labelled.groups[sample.id] for sample in labelled.samples}),
        person_free_fingerprint=fingerprint(empty) if empty else None,
        calls=calls,
        contestants=contestants,
        differences=tuple(_difference(first, other, labelled.groups) for other in others),
        machine=describe_machine(before),
        environment=describe_environment(device=device, threads=max(threads) if threads else None),
    )


def _labelled(
    data: Path | None, layout: Layout, split: Path | None, groups: Path | None, limit: int | None
) -> _Labelled:
    if data is None:
        return _Labelled()
    try:
        from humanseg.data.fingerprint import fingerprint as fingerprint_of
        from humanseg.data.layouts import discover
        from humanseg.data.metadata import read_facts
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--data: scoring masks needs the training parts ({error.name} is missing); install "
            'them with: pip install "humanseg[train]"'
        ) from error
    every = discover(data, layout)
    samples = _spread(every if split is None else _of_split(every, split), limit)
    facts = read_facts(samples if groups is None else every, groups)  # a table names every picture
    return _Labelled(tuple(samples), fingerprint_of(every), facts.groups)


def _of_split(samples: Sequence[Sample], split: Path) -> list[Sample]:
    names = set(read_record(split, SplitRecord).test)
    kept = [sample for sample in samples if sample.id in names]
    if len(kept) < len(names):
        lost = sorted(names - {sample.id for sample in kept})
        raise DataError(
            f"{split}: {len(lost)} of its test pictures are not in the data (such as {lost[0]!r}); "
            "give the data that it was made from."
        )
    return kept


def _spread(items: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` items, evenly spread over all."""
    if limit is None or limit >= len(items):
        return list(items)
    if limit < 1:
        raise UsageError(f"--limit {limit}: give at least 1.")
    return [items[index * len(items) // limit] for index in range(limit)]


def _contenders(
    model: Path,
    ways: Iterator[tuple[str, str, int | None]],
    device: str,
    peers: Sequence[str],
    python: Path | None,
) -> Iterator[Contender]:
    for backend, precision, threads in ways:
        yield Ours(model, backend=backend, precision=precision, device=device, threads=threads)
    for name in peers:
        yield Peer(name, python=python)


def _visit(
    notes: Sequence[_Notes], samples: Sequence[Sample], empty: Sequence[Path], calls: int
) -> Iterator[None]:
    """Show every picture to all contenders, each time beginning with the next one."""
    for number, sample in enumerate(samples):
        image, truth = sample.read_image(), sample.read_mask()
        for one in _turned(notes, number):
            mask, noted = _ask(one.contender, sample.id, image, calls)
            one.labelled.append(noted)
            one.scores.append(_score(sample.id, mask, truth))
        yield
    for number, (name, path) in enumerate(zip(names(empty), empty, strict=True), len(samples)):
        image = read_image(path)
        for one in _turned(notes, number):
            one.person_free.append(_ask(one.contender, name, image, calls)[1])
        yield


def _turned(notes: Sequence[_Notes], number: int) -> list[_Notes]:
    first = number % len(notes)
    return [*notes[first:], *notes[:first]]


def _ask(
    contender: Contender, name: str, image: NDArray[np.uint8], calls: int
) -> tuple[NDArray[np.bool_], PictureTime]:
    mask, seconds = contender.find(image, calls)
    return mask, PictureTime(
        id=name, marked=round(float(mask.mean()), 6), seconds=tuple(round(s, 7) for s in seconds)
    )


def _score(name: str, mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> ImageScore:
    from humanseg.evaluation.metrics import score_image

    size = (truth.shape[0], truth.shape[1])
    return score_image(name, resize_mask(mask, size), truth, contours=False)


def _conclude(notes: _Notes) -> Contestant:
    contender, times = notes.contender, [*notes.labelled, *notes.person_free]
    summary = None
    if notes.scores:
        from humanseg.evaluation.metrics import summarise

        summary = summarise(notes.scores)
    marked = [one.marked for one in notes.person_free]
    return Contestant(
        name=contender.name,
        settings=contender.settings,
        load_seconds=round(contender.load_seconds, 4),
        scores=tuple(notes.scores),
        summary=summary,
        labelled=tuple(notes.labelled),
        person_free=tuple(notes.person_free),
        marked_area=statistics.fmean(marked) if marked else None,
        marked_pictures=statistics.fmean(one > MARKED for one in marked) if marked else None,
        time=summarise_times([one.seconds for one in times]),
    )


def _difference(first: Contestant, other: Contestant, groups: dict[str, str]) -> Difference:
    iou = boundary_iou = None
    if first.scores:
        from humanseg.evaluation.statistics import GroupBootstrap

        bootstrap = GroupBootstrap([groups[score.id] for score in first.scores])
        pairs = list(zip(first.scores, other.scores, strict=True))
        iou = bootstrap.mean([_less(a.iou, b.iou) for a, b in pairs])
        boundary_iou = bootstrap.mean([_less(a.boundary_iou, b.boundary_iou) for a, b in pairs])
    return Difference(
        other=other.name,
        iou=iou,
        boundary_iou=boundary_iou,
        time_ratio=round(first.time.median / other.time.median, 4),
    )


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
