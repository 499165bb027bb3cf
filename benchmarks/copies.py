"""How many changed copies of photographs are found, and how many strangers are taken for copies.

    python -m benchmarks.copies --data data/human-segmentation-dataset \
        --others data/clothing-co-parsing --output benchmarks/results/NAME.json

Copies are made of the test images of the published split and looked for among all of them, as a
data set is compared with another, and by the bits that a model directory keeps. Drawn images are
looked for among those that the bundled model was trained on, which are photographs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from benchmarks.image_changes import Change, cropped, letterboxed, noisy, saved
from PIL import Image, ImageEnhance

from humanseg.benchmark.machine import describe_machine, load
from humanseg.benchmark.speed_record import Machine
from humanseg.config.split_config import ReferenceSplit
from humanseg.data.duplicates import CopyIndex, find_duplicates, find_shared
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.signatures import image_bits, read_signatures, signature
from humanseg.data.splits import make_split
from humanseg.data.synthesis import synthesize
from humanseg.data.training_images import seen_in_training
from humanseg.model_directory import bundled
from humanseg.results import Environment, Record, write_record
from humanseg.results.provenance import describe_environment

DRAWN = 100
"""Images of one seed."""


class ChangeResult(Record):
    """One change of every image."""

    change: str
    found: int
    """Copies that a comparison of two data sets finds."""
    found_by_bits: int
    """Copies that a model directory's file recognises among the originals."""
    strangers: int
    """Pairs of a copy and the original of another image that were taken for copies."""


class CopiesRecord(Record):
    """The result file of `python -m benchmarks.copies`."""

    schema_version: Literal[1] = 1
    kind: Literal["copies"] = "copies"
    images: int
    changes: tuple[ChangeResult, ...]
    searched: int
    """Images of both data sets, of which each was compared with each."""
    fingerprints: tuple[str, ...]
    pairs: tuple[tuple[str, str, str], ...]
    """What was found among them: to be looked at."""
    drawn: int
    """Drawn images, `DRAWN` of each of the seeds 1000, 2000 and so on of `benchmarks.loop_gain`."""
    drawn_copies: tuple[str, ...]
    """Seed and name of those that were taken for copies."""
    machine: Machine
    environment: Environment


def _turned(turn: Image.Transpose) -> Change:
    return lambda image: image.transpose(turn)


def changes() -> dict[str, Change]:
    """What is done to the images, by name."""
    turn = Image.Transpose
    made: dict[str, Change] = {"as it is": lambda image: image}
    made |= {f"saved as JPEG {quality}": saved(quality) for quality in (95, 50, 20)}
    made |= {
        "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
        "squeezed to a square": lambda image: image.resize((256, 256)),
        "mirrored": _turned(turn.FLIP_LEFT_RIGHT),
        "upside down": _turned(turn.FLIP_TOP_BOTTOM),
        "turned by 90": _turned(turn.ROTATE_90),
        "turned by 180": _turned(turn.ROTATE_180),
        "turned by 270": _turned(turn.ROTATE_270),
    }
    for percent in (3, 5, 10, 15):
        made[f"{percent} % off each side"] = cropped(*(percent / 100,) * 4)
    for index, side in enumerate(("left", "top", "right", "bottom")):
        shares = [0.0] * 4
        shares[index] = 0.15
        made[f"15 % off the {side}"] = cropped(*shares)
    made["mirrored, 5 % off each side"] = lambda image: cropped(*(0.05,) * 4)(
        image.transpose(turn.FLIP_LEFT_RIGHT)
    )
    return made | {
        "brightness 1.5": lambda image: ImageEnhance.Brightness(image).enhance(1.5),
        "brightness 0.6": lambda image: ImageEnhance.Brightness(image).enhance(0.6),
        "contrast 1.4": lambda image: ImageEnhance.Contrast(image).enhance(1.4),
        "saturation 0.4": lambda image: ImageEnhance.Color(image).enhance(0.4),
        "grey": lambda image: image.convert("L").convert("RGB"),
        "letterboxed to a square": letterboxed,
        "noise of 20 grey levels": noisy(20),
        "turned by 5 degrees": lambda image: image.rotate(5, Image.Resampling.BILINEAR),
    }


def drawn_copies(seeds: Iterable[int], count: int = DRAWN) -> tuple[str, ...]:
    """Drawn images that are taken for copies of the bundled model's training images."""
    names: list[str] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            samples = discover(synthesize(Path(folder), count=count, seed=seed))
            seen = seen_in_training(bundled(), read_signatures(samples))
        names += [f"{seed}/{name}" for name in seen]
    return tuple(names)


def measure(data: Path, others: Path | None, seeds: range) -> CopiesRecord:
    """Make the copies and look for them."""
    before = load()
    samples = discover(data)
    tested = set(make_split(samples, ReferenceSplit()).test)
    originals = [Image.fromarray(each.read_image()) for each in samples if each.id in tested]
    own = [signature(np.asarray(image)) for image in originals]
    index = CopyIndex(image_bits(own))
    results = []
    for name, change in changes().items():
        copies = [signature(np.asarray(change(image))) for image in originals]
        shared = find_shared(own, copies)
        results.append(
            ChangeResult(
                change=name,
                found=sum(pair.first == pair.second for pair in shared),
                found_by_bits=sum(
                    position in index.copies(copy) for position, copy in enumerate(copies)
                ),
                strangers=sum(pair.first != pair.second for pair in shared),
            )
        )
    sets = [samples] if others is None else [samples, discover(others)]
    every = {
        f"{root.name}/{name}": each
        for root, some in zip((data, others or data), sets, strict=False)
        for name, each in read_signatures(some).items()
    }
    names = list(every)
    return CopiesRecord(
        images=len(own),
        changes=tuple(results),
        searched=len(every),
        fingerprints=tuple(fingerprint(some) for some in sets),
        pairs=tuple(
            (names[pair.first], names[pair.second], pair.kind)
            for pair in find_duplicates(list(every.values()))
        ),
        drawn=len(seeds) * DRAWN,
        drawn_copies=drawn_copies(seeds),
        machine=describe_machine(before),
        environment=describe_environment(device="cpu", threads=1),
    )


def main() -> None:
    """Measure, print the table, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--others", type=Path)
    parser.add_argument("--seeds", type=int, default=20, help="of drawn images")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    record = measure(
        arguments.data, arguments.others, range(1000, 1000 * arguments.seeds + 1, 1000)
    )
    write_record(arguments.output, record)
    for result in record.changes:
        print(f"| {result.change} | {result.found} | {result.found_by_bits} |")
    print(*record.pairs, *record.drawn_copies, sep="\n")


if __name__ == "__main__":
    main()
