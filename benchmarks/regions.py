"""How sure and how large a region is a person, and whether to drop some and fill holes.

    .venv/bin/python benchmarks/regions.py --model bundled \
        --people NAME=DATA ... --nobody NAME=FOLDER ... --output benchmarks/results/NAME.json

Every image with people is scored at its mask's native size as the network's mask is, with regions
below, or holes below, each share of the image in `SHARES` gone, and without regions of which less
than each share of `SURE_SHARES` is sure. What is left of these where nobody is stands beside it. Of
every image, with people or without, the share that the largest region of the model's own mask
covers at each probability of `LEVELS` is written down. The table of those found is of all images,
of the half with even numbers in the order of names, on which to choose, and of the other half, to
confirm it. Of the dataset with `--ids NAME=4,9,14` only those are taken; a dataset may be a table.
`--found-only` scores nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from humanseg import images
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.effects.regions import PERSON_SHARE, drop_unsure, keep_regions, largest_share
from humanseg.evaluation.metrics import score_image
from humanseg.evaluation.statistics import GroupBootstrap
from humanseg.images.resize import resize_mask_from_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.results import Environment, Interval, Record, write_record
from humanseg.results.provenance import describe_environment

SHARES = (0.0005, 0.001, 0.0025, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05)
"""Of the image."""
LEVELS = (0.5, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Probabilities from which a region is looked at."""
FOUND_SHARES = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01)
SURE_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
Decide = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Change = Literal["none", "drop", "fill", "unsure"]


class Variant(Record):
    """One way to clean masks, over all images of a dataset."""

    change: Change
    share: float
    iou: Interval | None
    boundary_iou: Interval | None
    iou_gain: Interval | None
    """Mean per-image gain over the network's mask, with a 95 % interval."""
    boundary_iou_gain: Interval | None
    better: int
    """Images whose IoU is higher than that of the network's mask."""
    worse: int


class WithPeople(Record):
    """A dataset with people."""

    name: str
    images: int
    data_fingerprint: str
    variants: tuple[Variant, ...]


class Left(Record):
    """What is marked where nobody is."""

    sure_share: float
    area: float
    """Mean share of the image that is marked, at the network's grid."""
    regions: float
    """Share of the images with a region of `PERSON_SHARE` or more."""


class WithoutPeople(Record):
    """A folder of images without people."""

    name: str
    images: int
    left: tuple[Left, ...]


class Found(Record):
    """How large the regions of a dataset are."""

    name: str
    people: bool
    images: int
    largest: dict[str, tuple[float, ...]]
    """Share of the image that the largest region covers, by image, at each of `LEVELS`."""

    def share(self, level: float, least: float, half: int | None = None) -> float:
        """Share of the images, or of those with even (0) or odd (1) numbers, that are found."""
        shares = self.largest[str(level)]
        chosen = shares if half is None else shares[half::2]
        return sum(share >= least for share in chosen) / len(chosen)


class Result(Record):
    """The result file."""

    environment: Environment
    model: str
    engine: str
    threshold: float
    found: tuple[Found, ...]
    cleaned: tuple[WithPeople, ...]
    sure_share: float = 0.0
    """The model's own."""
    empty: tuple[WithoutPeople, ...] = ()


def _variants() -> Iterator[tuple[Change, float]]:
    yield "none", 0.0
    for share in SHARES:
        yield "drop", share
        yield "fill", share
    for share in SURE_SHARES[1:]:
        yield "unsure", share


def _cleaned(
    grid: NDArray[np.float32], threshold: float, change: Change, share: float
) -> NDArray[np.float32]:
    if change == "unsure":
        return drop_unsure(grid, threshold, share)
    smallest, holes = (share if change == name else 0.0 for name in ("drop", "fill"))
    return keep_regions(grid, threshold=threshold, smallest=smallest, holes=holes)


def _scores(sample: Sample, grid: NDArray[np.float32], threshold: float) -> list[tuple[float, ...]]:
    """IoU and Boundary IoU of every variant, in the order of `_variants`."""
    truth = sample.read_mask()
    size = (truth.shape[0], truth.shape[1])
    made: dict[bytes, tuple[float, ...]] = {}
    rows = []
    for change, share in _variants():
        cleaned = _cleaned(grid, threshold, change, share)
        key = cleaned.tobytes()
        if key not in made:
            mask = resize_mask_from_probability(cleaned, size, threshold)
            score = score_image(sample.id, mask, truth, contours=False)
            made[key] = (score.iou or 0.0, score.boundary_iou or 0.0)
        rows.append(made[key])
    return rows


def _with_people(
    segmenter: Segmenter, own: Decide, name: str, samples: Sequence[Sample]
) -> tuple[Found, WithPeople]:
    largest, rows = [], []
    for sample in samples:
        grid = segmenter.predict(sample.read_image()).grid
        largest.append(_largest(own(grid)))
        rows.append(_scores(sample, grid, segmenter.threshold))
    scores = np.array(rows)  # (images, variants, 2)
    gains = scores - scores[:, :1]
    bootstrap = GroupBootstrap([sample.id for sample in samples])
    variants = tuple(
        Variant(
            change=change,
            share=share,
            iou=bootstrap.mean(list(scores[:, index, 0])),
            boundary_iou=bootstrap.mean(list(scores[:, index, 1])),
            iou_gain=bootstrap.mean(list(gains[:, index, 0])),
            boundary_iou_gain=bootstrap.mean(list(gains[:, index, 1])),
            better=int((gains[:, index, 0] > 0).sum()),
            worse=int((gains[:, index, 0] < 0).sum()),
        )
        for index, (change, share) in enumerate(_variants())
    )
    dataset = WithPeople(
        name=name,
        images=len(samples),
        data_fingerprint=fingerprint(samples),
        variants=variants,
    )
    return _found(name, largest, people=True), dataset


def _largest(grid: NDArray[np.float32]) -> list[float]:
    return [round(largest_share(grid, level), 6) for level in LEVELS]


def _found(name: str, largest: Sequence[Sequence[float]], *, people: bool) -> Found:
    by_level = zip(map(str, LEVELS), zip(*largest, strict=True), strict=True)
    return Found(name=name, people=people, images=len(largest), largest=dict(by_level))


def _nobody(
    segmenter: Segmenter, own: Decide, name: str, paths: Sequence[Path]
) -> tuple[Found, WithoutPeople]:
    predictions = segmenter.predict_many(paths, batch_size=1, full_size=True)
    largest, marked = [], []
    for grid in (each.grid for each in predictions):
        largest.append(_largest(own(grid)))
        left = [drop_unsure(grid, segmenter.threshold, share) for share in SURE_SHARES]
        marked.append([(each >= segmenter.threshold).mean() for each in left])
        marked[-1] += [largest_share(each, segmenter.threshold) >= PERSON_SHARE for each in left]
    areas, regions = np.split(np.mean(marked, axis=0), 2)
    each = zip(SURE_SHARES, areas.tolist(), regions.tolist(), strict=True)
    rows = tuple(Left(sure_share=share, area=a, regions=r) for share, a, r in each)
    empty = WithoutPeople(name=name, images=len(paths), left=rows)
    return _found(name, largest, people=False), empty


def _images(data: str) -> list[Path]:
    """The images of a folder, or of a table of samples."""
    if Path(data).is_file():
        return [sample.image for sample in discover(Path(data))]
    return sorted(path for path in Path(data).rglob("*") if path.suffix.lower() in images.SUFFIXES)


def _samples(data: str, ids: str | None) -> list[Sample]:
    samples = discover(Path(data))
    wanted = None if ids is None else set(ids.split(","))
    return [sample for sample in samples if wanted is None or sample.id in wanted]


def _named(words: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def main() -> None:
    """Measure, print a table, and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--people", nargs="+", default=[], metavar="NAME=DATA")
    parser.add_argument("--ids", nargs="+", default=[], metavar="NAME=ID,ID")
    parser.add_argument("--nobody", nargs="+", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--found-only", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    model = None if arguments.model == "bundled" else arguments.model
    shipped = Segmenter(model, backend="onnxruntime", precision="fp32", threads=1)
    segmenter = Segmenter.of_engine(shipped.engine, threshold=shipped.threshold)
    ids = _named(arguments.ids)
    found, cleaned, empty = [], [], []
    for name, data in _named(arguments.people).items():
        samples = _samples(data, ids.get(name))
        if arguments.found_only:
            largest = [_largest(shipped.predict(each.read_image()).grid) for each in samples]
            found.append(_found(name, largest, people=True))
            continue
        counted, dataset = _with_people(segmenter, shipped.decided, name, samples)
        found.append(counted)
        cleaned.append(dataset)
    for name, folder in _named(arguments.nobody).items():
        counted, nobody = _nobody(segmenter, shipped.decided, name, _images(folder))
        found.append(counted)
        empty.append(nobody)
    result = Result(
        environment=describe_environment(device="cpu", threads=1),
        model=arguments.model,
        engine=f"{segmenter.engine.name} {segmenter.engine.precision}",
        threshold=segmenter.threshold,
        found=tuple(found),
        cleaned=tuple(cleaned),
        sure_share=shipped.sure_share,
        empty=tuple(empty),
    )
    write_record(arguments.output, result)
    _show(result)


def _show(result: Result) -> None:
    print("level share", *(f"{row.name} ({row.images})" for row in result.found), sep=" | ")
    for level in LEVELS:
        for least in FOUND_SHARES:
            cells = [
                " / ".join(f"{100 * row.share(level, least, half):.1f}" for half in (None, 0, 1))
                for row in result.found
            ]
            print(f"{level} {least}", *cells, sep=" | ")
    for nobody in result.empty:
        for left in nobody.left:
            marked = f"{left.area:.2%} marked, a region in {left.regions:.1%}"
            print(f"{nobody.name:12} sure {left.sure_share:<7} {marked}")
    for dataset in result.cleaned:
        for variant in dataset.variants:
            gains = [
                "-" if gain is None else f"{gain.estimate:+.5f} [{gain.low:+.5f}, {gain.high:+.5f}]"
                for gain in (variant.iou_gain, variant.boundary_iou_gain)
            ]
            print(
                f"{dataset.name:12} {variant.change} {variant.share:<7} IoU {gains[0]}, Boundary "
                f"IoU {gains[1]}, {variant.better} better, {variant.worse} worse"
            )


if __name__ == "__main__":
    main()
