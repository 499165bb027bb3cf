r"""Models as shipped and other projects' networks, side by side on any sets of images, in one run.

    .venv/bin/python -m benchmarks.everyday bundled v2=runs/v2/model \
        --peers mediapipe --python PEERS/bin/python \
        --data everyday=DIR close-ups=DIR.csv --nobody photos=DIR \
        --output benchmarks/results/NAME.json

A labelled set may hold images without people too; `--nobody` takes images without masks. Every
image is decoded once, whole and with its colour profile, and shown to all systems in turn. A model
is run as `Segmenter(MODEL)` runs it. Sets are recorded by their names alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from benchmarks.everyday_record import EverydayRecord, Measured, SetResult, SystemInfo, tables
from benchmarks.peers.systems import Ours, Peer, System
from numpy.typing import NDArray

from humanseg import images
from humanseg.benchmark.inputs import find, names
from humanseg.benchmark.machine import describe_machine, load
from humanseg.cli.terminal import shown
from humanseg.data.fingerprint import fingerprint
from humanseg.data.inspection import InspectedSample
from humanseg.data.layouts import discover
from humanseg.data.metadata import derive_facts
from humanseg.data.samples import Sample
from humanseg.data.signatures import Signature, signature
from humanseg.data.sources import GroupTable, read_group_table
from humanseg.data.training_images import seen_in_training
from humanseg.effects.regions import PERSON_SHARE, find_regions
from humanseg.evaluation.analysis.measures import MARKED_SHARE, bootstrap_of
from humanseg.evaluation.by_attribute import (
    GROUPS,
    ScenePeople,
    analyse_attribute,
    describe_people,
    labels_of,
)
from humanseg.evaluation.metrics import score_image
from humanseg.images.resize import resize_mask
from humanseg.model_directory import digests
from humanseg.results import Environment, ImageScore, Interval, write_record
from humanseg.results.provenance import describe_environment
from humanseg.system.errors import UsageError
from humanseg.system.progress import Progress

CALLS = 3  # of an image, where times are asked for
_DIGITS = 5

Mask = NDArray[np.bool_]


@dataclass
class Contestant:
    """A system, and what it did on the set at hand."""

    system: System
    model: Path | None = None
    """Its model directory; None for a peer."""
    scores: list[ImageScore] = field(default_factory=list)
    largest: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class ImageSet:
    """Images to score."""

    name: str
    samples: tuple[Sample, ...]
    labelled: bool = True
    """Whether they have masks; else nobody is in them."""
    groups: GroupTable | None = None

    def truth(self, sample: Sample, image: NDArray[np.uint8]) -> Mask:
        """Bool (height, width)."""
        return sample.read_mask() if self.labelled else np.zeros(image.shape[:2], dtype=np.bool_)


@dataclass
class _Seen:
    """What is remembered of a set's images."""

    people: dict[str, ScenePeople | None] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)
    inspected: list[InspectedSample] = field(default_factory=list)


def measure_set(
    chosen: ImageSet, contestants: Sequence[Contestant], *, calls: int, step: Callable[[], None]
) -> SetResult:
    """Show every image of a set to all contestants, each time beginning with another one."""
    seen = _Seen()
    for contestant in contestants:
        contestant.scores, contestant.largest = [], []
    for number, sample in enumerate(chosen.samples):
        image = images.load(sample.image).pixels
        truth = chosen.truth(sample, image)
        _remember(seen, sample.id, image, truth)
        first = number % len(contestants)
        for contestant in [*contestants[first:], *contestants[:first]]:
            mask, seconds = contestant.system.segment(image, calls)
            contestant.seconds += seconds
            mask = resize_mask(mask, (truth.shape[0], truth.shape[1]))
            contestant.scores.append(score_image(sample.id, mask, truth, contours=False))
            contestant.largest.append(int(find_regions(mask).areas.max(initial=0)) / mask.size)
        step()
    groups = derive_facts(chosen.samples, seen.inspected, chosen.groups).groups
    measured = tuple(_measured(each, contestants[0], seen, groups) for each in contestants)
    people = sum(scene is not None for scene in seen.people.values())
    return SetResult(
        name=chosen.name,
        fingerprint=fingerprint(chosen.samples),
        people=people,
        nobody=len(chosen.samples) - people,
        groups=len(set(groups.values())),
        ids=tuple(sample.id for sample in chosen.samples),
        systems=measured,
    )


def _remember(seen: _Seen, name: str, image: NDArray[np.uint8], truth: Mask) -> None:
    seen.people[name] = describe_people(image, truth)
    seen.signatures[name] = signature(image)
    size = image.shape[0], image.shape[1]
    seen.inspected.append(InspectedSample(size, float(truth.mean()), seen.signatures[name]))


def _measured(
    contestant: Contestant, first: Contestant, seen: _Seen, groups: dict[str, str]
) -> Measured:
    scores = contestant.scores
    marked = [(score.tp + score.fp) / (score.height * score.width) for score in scores]
    bootstrap = bootstrap_of([score.id for score in scores], groups)

    def nobody(values: Sequence[float]) -> Interval | None:
        pairs = zip(values, scores, strict=True)
        return bootstrap.mean([value if score.person_free else None for value, score in pairs])

    pairs = zip(first.scores, scores, strict=True)
    ahead = [None if a.iou is None or b.iou is None else a.iou - b.iou for a, b in pairs]
    model = contestant.model
    people = any(seen.people.values())
    return Measured(
        system=contestant.system.name,
        seen=len(seen_in_training(model, seen.signatures)) if model else 0,
        iou=bootstrap.mean([score.iou for score in scores]),
        boundary_iou=bootstrap.mean([score.boundary_iou for score in scores]),
        ahead=None if contestant is first else bootstrap.mean(ahead),
        attributes=tuple(
            analyse_attribute(name, scores, labels_of(name, seen.people), groups)
            for name in (GROUPS if people else ())
        ),
        nobody_area=nobody(marked),
        nobody_region=nobody([float(share >= PERSON_SHARE) for share in contestant.largest]),
        nobody_marked=nobody([float(share > MARKED_SHARE) for share in marked]),
        ious=tuple(_rounded(score.iou) for score in scores),
        boundary_ious=tuple(_rounded(score.boundary_iou) for score in scores),
        marked=tuple(round(share, _DIGITS) for share in marked),
        largest=tuple(round(share, _DIGITS) for share in contestant.largest),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def measure(
    contestants: Sequence[Contestant],
    sets: Sequence[ImageSet],
    *,
    against: str | None,
    progress: Progress,
) -> EverydayRecord:
    """Score all contestants on all sets.

    Args:
        contestants: differences are of the first one less each other.
        sets: of images.
        against: time too, and give ratios to the contestant of this name; None for no times.
        progress: called with the number of images that are done, and of all.
    """
    before, total = load(), sum(len(each.samples) for each in sets)
    done = iter(range(1, total + 1))
    results = tuple(
        measure_set(
            each,
            contestants,
            calls=CALLS if against else 1,
            step=lambda: progress(next(done), total),
        )
        for each in sets
    )
    medians = {each.system.name: statistics.median(each.seconds) for each in contestants}
    return EverydayRecord(
        systems=tuple(
            SystemInfo(
                name=each.system.name,
                settings=each.system.settings,
                files=digests(each.model) if each.model else {},
                seconds=medians[each.system.name] if against else None,
                time_ratio=medians[each.system.name] / medians[against] if against else None,
            )
            for each in contestants
        ),
        sets=results,
        machine=describe_machine(before),
        environment=_environment([each.system.name for each in contestants], sets),
    )


def _environment(systems: Sequence[str], sets: Sequence[ImageSet]) -> Environment:
    """With a command that names the sets, not where they lie."""
    command = " ".join(["benchmarks.everyday", *systems, "on", *(each.name for each in sets)])
    described = describe_environment(device="cpu", threads=os.cpu_count())
    return described.model_copy(update={"command": command})


def contestants_of(arguments: argparse.Namespace, stack: ExitStack) -> Iterator[Contestant]:
    """The models and then the peers, opened."""
    options = {name: getattr(arguments, name) for name in ("backend", "precision", "threads")}
    for label, path in map(_labelled, arguments.models):
        ours = Ours(path, device="cpu", **options)
        ours.name = label
        stack.callback(ours.close)
        yield Contestant(ours, ours.model)
    for name in arguments.peers:
        peer = Peer(name, python=arguments.python)
        stack.callback(peer.close)
        yield Contestant(peer)


def sets_of(arguments: argparse.Namespace) -> Iterator[ImageSet]:
    """The labelled sets and then the images without people."""
    groups = {name: Path(path) for name, path in map(_labelled, arguments.groups)}
    for name, path in map(_labelled, arguments.data):
        chosen = tuple(discover(Path(path), "auto"))
        table = (
            read_group_table(groups[name], [each.id for each in chosen]) if name in groups else None
        )
        yield ImageSet(name, chosen, groups=table)
    for name, path in map(_labelled, arguments.nobody):
        files = find([Path(path)])
        ids = names(files)
        samples = (Sample(id=id_, image=file) for id_, file in zip(ids, files, strict=True))
        yield ImageSet(name, tuple(samples), labelled=False)


def _labelled(words: str) -> tuple[str, str]:
    """`NAME=PATH`; of a bare path the name of its folder, or of the folder above `model`."""
    name, equals, path = words.partition("=")
    if equals and name and path:
        return name, path
    folder = Path(words)
    return (folder.parent.name if folder.name == "model" else folder.stem) or words, words


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.everyday")
    add = parser.add_argument
    add("models", nargs="+", help="bundled, or NAME=MODEL; the first is compared with the others")
    add("--peers", nargs="+", default=[], help="as for `python -m benchmarks.peers`")
    add("--python", type=Path, help="Python interpreter that the peers are installed for")
    add("--data", nargs="+", default=[], help="labelled sets, NAME=PATH")
    add("--groups", nargs="+", default=[], help="tables of groups of these sets, NAME=PATH")
    add("--nobody", nargs="+", default=[], help="images without people, NAME=PATH")
    add("--backend", default="auto")
    add("--precision", default="auto")
    add("--threads", type=int)
    add("--timing", action="store_true", help="time too; on a machine that does nothing else")
    add("--against", default="mediapipe", help="the system that ratios of times are to")
    add("--output", type=Path, required=True, help="JSON file for the record")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the tables in Markdown, and write the record."""
    arguments = _arguments(words)
    sets = list(sets_of(arguments))
    if not sets:
        raise UsageError("No images; give labelled ones with --data, or --nobody.")
    with ExitStack() as stack:
        contestants = list(contestants_of(arguments, stack))
        named = [each.system.name for each in contestants]
        if len(set(named)) < len(named):
            raise UsageError(f"Names are not unique ({', '.join(named)}); give NAME=MODEL.")
        if arguments.timing and arguments.against not in named:
            raise UsageError(f"--against {arguments.against}: takes no part; give one that does.")
        with shown("Scoring", unit="images") as progress:
            record = measure(
                contestants,
                sets,
                against=arguments.against if arguments.timing else None,
                progress=progress,
            )
    write_record(arguments.output, record)
    print("\n".join(tables(record)))


if __name__ == "__main__":
    main()
