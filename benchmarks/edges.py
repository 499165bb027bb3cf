"""What edge refinement and flip averaging bring in accuracy, and what they and the outputs cost.

    .venv/bin/python -m benchmarks.edges MODEL DATA --split FILE --output FILE.json

Every picture is scored at its mask's native size four times: as the network gives it, refined,
flip averaged, and both. Times are processor time of the whole process per picture, from decoded
pixels to a mask, so that other work on the machine lengthens them little; with OMP_NUM_THREADS=1
they are those of one core. Score pictures that the model was not trained on: the test part
of a file of `humanseg data split`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from benchmarks.subset import of_part
from numpy.typing import NDArray

from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.effects.effect import (
    BlurEffect,
    CutoutEffect,
    Effect,
    MaskEffect,
    OverlayEffect,
    ProbabilityEffect,
    ReplaceEffect,
)
from humanseg.effects.guided_filter import EPSILON, RADIUS, SIDE, TRUSTED, refine
from humanseg.evaluation.metrics import Mask, score_image
from humanseg.evaluation.statistics import GroupBootstrap
from humanseg.images.resize import resize_image, resize_mask_from_probability, resize_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.results import Environment, Interval, Record, write_record
from humanseg.training import describe_environment

VARIANTS = ("plain", "refined", "flip", "flip, refined")
EFFECT_SIZE = (1080, 1920)
REPEATS = 9
GREEN = (0, 160, 60)

Picture = NDArray[np.uint8]
Probability = NDArray[np.float32]


class Row(Record):
    """One picture, one variant."""

    id: str
    variant: str
    iou: float | None
    boundary_iou: float | None
    milliseconds: float
    """From the decoded picture to a mask at its size."""


class Summary(Record):
    """One variant over all pictures; means of what is defined."""

    variant: str
    iou: Interval | None
    boundary_iou: Interval | None
    iou_gain: Interval | None
    """Per picture, over `plain`."""
    boundary_iou_gain: Interval | None
    better: int
    """Pictures whose Boundary IoU is higher than `plain`'s."""
    worse: int
    milliseconds: float
    """Median."""


class EffectTime(Record):
    """One output at 1080 x 1920 pixels, from a probability map of the network's grid."""

    output: str
    settings: str
    milliseconds: float
    """Median of the repeats, on one thread."""


class Result(Record):
    """The result file."""

    environment: Environment
    model: str
    arch: str
    encoder_name: str
    trained_on: str
    data_fingerprint: str
    pictures: int
    side: int
    radius: int
    epsilon: float
    trusted: tuple[float, float]
    """R^2 of windows that do not count, and that count wholly; below zero, every one counts."""
    summaries: tuple[Summary, ...]
    effects: tuple[EffectTime, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Contest:
    """How every picture is measured."""

    segmenters: dict[str, Segmenter]
    threshold: float
    refine: Callable[[Picture, Probability], Probability]

    def rows(self, sample: Sample) -> Iterator[Row]:
        """The four variants of a picture."""
        image, truth = sample.read_image(), sample.read_mask()
        size, native = (image.shape[0], image.shape[1]), (truth.shape[0], truth.shape[1])
        for name, segmenter in self.segmenters.items():
            begin = time.process_time()
            grid = segmenter.predict(image).grid
            seen = time.process_time()
            resize_mask_from_probability(grid, size, self.threshold)
            cut = time.process_time()
            refined = self.refine(image, grid)
            np.greater_equal(refined, self.threshold)
            end = time.process_time()
            # A few truths have another size than their picture.
            plain = resize_mask_from_probability(grid, native, self.threshold)
            sharp = np.asarray(resize_probability(refined, native) >= self.threshold)
            yield _row(sample, name, plain, truth, cut - begin)
            refined_name = "refined" if name == "plain" else f"{name}, refined"
            yield _row(sample, refined_name, sharp, truth, seen - begin + end - cut)


def _row(sample: Sample, variant: str, mask: Mask, truth: Mask, seconds: float) -> Row:
    score = score_image(sample.id, mask, truth, contours=False)
    return Row(
        id=sample.id,
        variant=variant,
        iou=score.iou,
        boundary_iou=score.boundary_iou,
        milliseconds=round(seconds * 1e3, 3),
    )


def _gains(rows: Sequence[Row], plain: Sequence[Row], metric: str) -> list[float | None]:
    pairs = (
        (getattr(row, metric), getattr(base, metric)) for row, base in zip(rows, plain, strict=True)
    )
    return [None if own is None or other is None else own - other for own, other in pairs]


def summarise(variant: str, rows: Sequence[Row], groups: Sequence[str]) -> Summary:
    """A variant over all pictures, and what it gains on each over `plain`.

    Args:
        variant: one of `VARIANTS`.
        rows: of all variants; those of each in the order of the pictures.
        groups: by picture; pictures of a group are resampled together.
    """
    own = [row for row in rows if row.variant == variant]
    plain = [row for row in rows if row.variant == "plain"]
    bootstrap = GroupBootstrap(groups)
    gains = _gains(own, plain, "boundary_iou")
    return Summary(
        variant=variant,
        iou=bootstrap.mean([row.iou for row in own]),
        boundary_iou=bootstrap.mean([row.boundary_iou for row in own]),
        iou_gain=bootstrap.mean(_gains(own, plain, "iou")),
        boundary_iou_gain=bootstrap.mean(gains),
        better=sum(gain is not None and gain > 0.0 for gain in gains),
        worse=sum(gain is not None and gain < 0.0 for gain in gains),
        milliseconds=statistics.median(row.milliseconds for row in own),
    )


def _effects(image: Picture, segmenter: Segmenter) -> Iterator[EffectTime]:
    """Time every output on one picture of `EFFECT_SIZE`."""
    picture = resize_image(image, EFFECT_SIZE)
    ground = np.ascontiguousarray(picture[::-1])
    as_it_is = {"refine": False, "decontaminate": False}
    asked: list[tuple[str, Effect]] = [
        ("", MaskEffect()),
        ("", ProbabilityEffect()),
        ("", BlurEffect()),
        ("colour, edge and rim as they are", ReplaceEffect(background=GREEN, **as_it_is)),
        ("colour, edge as it is", ReplaceEffect(background=GREEN, refine=False)),
        ("colour", ReplaceEffect(background=GREEN)),
        ("picture of the same size", ReplaceEffect(background=ground)),
        ("picture of half the size", ReplaceEffect(background=ground[::2, ::2].copy())),
        ("edge and rim as they are", CutoutEffect(**as_it_is)),
        ("edge as it is", CutoutEffect(refine=False)),
        ("", CutoutEffect()),
        ("feather 5", CutoutEffect(feather=5.0)),
        ("largest region", CutoutEffect(largest=True)),
        ("", OverlayEffect()),
    ]
    for settings, effect in asked:
        times = []
        for _ in range(REPEATS):
            prediction = segmenter.predict(picture)  # a new one: it keeps what it has worked out
            begin = time.process_time()
            prediction.apply(effect)
            times.append((time.process_time() - begin) * 1e3)
        yield EffectTime(
            output=effect.output, settings=settings, milliseconds=round(statistics.median(times), 2)
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, help="file of `humanseg data split`; its test part")
    parser.add_argument("--limit", type=int, help="score only so many pictures")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--radius", type=int, default=RADIUS)
    parser.add_argument("--epsilon", type=float, default=EPSILON)
    parser.add_argument("--trusted", type=float, nargs=2, default=TRUSTED)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def main() -> None:
    """Score, print a table, and write the result file if asked to."""
    arguments = _arguments()
    plain, flipped = (
        Segmenter(arguments.model, backend="torch", device="cpu", flip_averaging=flip)
        for flip in (False, True)
    )
    record = plain.record
    assert record is not None
    contest = _Contest(
        {"plain": plain, "flip": flipped},
        plain.threshold,
        partial(
            refine,
            side=arguments.side,
            radius=arguments.radius,
            epsilon=arguments.epsilon,
            trusted=tuple(arguments.trusted),
        ),
    )
    samples = discover(arguments.data, "auto")
    if arguments.split:
        samples = of_part(samples, arguments.split, "test")
    samples = samples[: arguments.limit]
    first = samples[0].read_image()
    plain.predict(first)  # the first call is slower
    rows = [row for sample in samples for row in contest.rows(sample)]
    names = [sample.id for sample in samples]
    summaries = tuple(summarise(variant, rows, names) for variant in VARIANTS)
    effects = tuple(_effects(first, plain))
    _show(summaries, effects)
    if arguments.output:
        result = Result(
            environment=describe_environment("cpu"),
            model=str(arguments.model),
            arch=record.arch,
            encoder_name=record.encoder_name,
            trained_on=record.data_fingerprint,
            data_fingerprint=fingerprint(samples),
            pictures=len(samples),
            side=arguments.side,
            radius=arguments.radius,
            epsilon=arguments.epsilon,
            trusted=tuple(arguments.trusted),
            summaries=summaries,
            effects=effects,
            rows=tuple(rows),
        )
        write_record(arguments.output, result)
        print(f"written to {arguments.output}")


def _show(summaries: Sequence[Summary], effects: Sequence[EffectTime]) -> None:
    def said(interval: Interval | None) -> str:
        return "-" if interval is None else f"{interval.estimate:+.4f}"

    for row in summaries:
        print(
            f"{row.variant:14} IoU {said(row.iou)} ({said(row.iou_gain)})   Boundary IoU "
            f"{said(row.boundary_iou)} ({said(row.boundary_iou_gain)}; {row.better} better, "
            f"{row.worse} worse)   {row.milliseconds:.0f} ms"
        )
    for effect in effects:
        print(f"{effect.output:12} {effect.settings:26} {effect.milliseconds:6.1f} ms")


if __name__ == "__main__":
    main()
