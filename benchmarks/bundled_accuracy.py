r"""Accuracy of the bundled model's recipe: several seeds, as shipped, on what none of them saw.

    .venv/bin/python -m benchmarks.bundled_accuracy runs/finish-seed1 runs/finish-seed2 ... \
        --person-free PHOTOGRAPHS --output benchmarks/results/NAME.json

For every run: the bundle that `bundle.py` makes of it, run by ONNX Runtime and OpenVINO. Scored on
the pictures that the run held out, on photographs without people, and on scenes composed of
held-out people and those photographs: people small, several, close by, or not there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from benchmarks.bundle import bundle, held_out
from numpy.typing import NDArray

from humanseg.data.composition import KINDS, compose
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.effects.guided_filter import refine
from humanseg.evaluation.analysis.measures import MARKED_SHARE
from humanseg.evaluation.scoring import score_samples
from humanseg.images import read_image
from humanseg.images.resize import resize_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.results import Environment, Record, RunResult, read_record, write_record
from humanseg.training import describe_environment

SCENES = 200
SCENE_SEED = 1000


class Scores(Record):
    """One way of running one seed's network."""

    run: str
    seed: int
    backend: Literal["onnxruntime", "openvino"]
    precision: Literal["fp32", "bf16", "int8"]
    flip_averaging: bool
    refined: bool
    """Whether edges were refined at the picture's size, as `humanseg predict --refine` does."""
    pictures: int
    iou: float
    """Mean per-image IoU on the held-out pictures, at the masks' native size."""
    boundary_iou: float
    person_free: int
    person_free_area: float
    """Mean share of the area marked on photographs without people."""
    person_free_marked: float
    """Share of these photographs with more than 0.1 % marked."""
    scenes: dict[str, float]
    """Mean per-image IoU by kind of composed scene; for `nobody`, the mean share marked."""


class Summary(Record):
    """All seeds of one way."""

    backend: str
    precision: str
    flip_averaging: bool
    refined: bool
    seeds: int
    iou_mean: float
    iou_sd: float
    """Standard deviation over seeds."""
    boundary_iou_mean: float
    boundary_iou_sd: float
    person_free_area_mean: float
    person_free_area_largest: float
    scenes: dict[str, float]
    """Mean over seeds of `Scores.scores`."""


class Result(Record):
    """The result file."""

    environment: Environment
    person_free_photographs: int
    summaries: tuple[Summary, ...]
    scores: tuple[Scores, ...]


@dataclass(frozen=True)
class Way:
    """How a network is run."""

    backend: Literal["onnxruntime", "openvino"]
    precision: Literal["fp32", "bf16", "int8"]
    flip_averaging: bool = False
    refined: bool = False


WAYS = (
    Way("onnxruntime", "fp32"),
    Way("onnxruntime", "int8"),
    Way("openvino", "bf16"),
    Way("openvino", "int8"),
    Way("openvino", "int8", refined=True),
    Way("openvino", "int8", flip_averaging=True),
    Way("openvino", "int8", flip_averaging=True, refined=True),
)


def _score(
    run: RunResult, model: Path, way: Way, photographs: Sequence[Path], scenes: Path
) -> Scores:
    segmenter = Segmenter(
        model,
        backend=way.backend,
        precision=way.precision,
        flip_averaging=way.flip_averaging,
    )

    def probability_of(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        probability = segmenter.predict(image).grid
        return refine(image, probability) if way.refined else probability

    samples = held_out(run)
    summary = score_samples(
        samples, probability_of, threshold=segmenter.threshold, mask_resize="area"
    ).summary
    assert summary.iou_mean is not None
    assert summary.boundary_iou_mean is not None
    shares = np.array(
        [_marked(probability_of, segmenter, read_image(path)) for path in photographs]
    )
    return Scores(
        run=run.name,
        seed=run.config.training.seed,
        backend=way.backend,
        precision=way.precision,
        flip_averaging=way.flip_averaging,
        refined=way.refined,
        pictures=len(samples),
        iou=summary.iou_mean,
        boundary_iou=summary.boundary_iou_mean,
        person_free=len(photographs),
        person_free_area=float(shares.mean()),
        person_free_marked=float((shares > MARKED_SHARE).mean()),
        scenes=dict(_by_kind(probability_of, segmenter, discover(scenes, "auto"))),
    )


ProbabilityOf = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def _marked(probability_of: ProbabilityOf, segmenter: Segmenter, image: NDArray[np.uint8]) -> float:
    size = (image.shape[0], image.shape[1])
    return float((resize_probability(probability_of(image), size) >= segmenter.threshold).mean())


def _by_kind(
    probability_of: ProbabilityOf, segmenter: Segmenter, scenes: Sequence[Sample]
) -> Iterator[tuple[str, float]]:
    for kind in KINDS:
        of_kind = [sample for sample in scenes if sample.id.startswith(kind)]
        if kind == "nobody":
            marked = [_marked(probability_of, segmenter, sample.read_image()) for sample in of_kind]
            yield kind, float(np.mean(marked))
            continue
        summary = score_samples(
            of_kind,
            probability_of,
            threshold=segmenter.threshold,
            mask_resize="area",
            detailed=False,
        ).summary
        assert summary.iou_mean is not None
        yield kind, summary.iou_mean


def summaries(scores: Sequence[Scores]) -> Iterator[Summary]:
    """Means over seeds, and sample standard deviations, of every way that has scores."""
    for way in WAYS:
        own = [
            seed
            for seed in scores
            if way == Way(seed.backend, seed.precision, seed.flip_averaging, seed.refined)
        ]
        if not own:
            continue
        ious = np.array([seed.iou for seed in own])
        contours = np.array([seed.boundary_iou for seed in own])
        areas = np.array([seed.person_free_area for seed in own])
        yield Summary(
            backend=way.backend,
            precision=way.precision,
            flip_averaging=way.flip_averaging,
            refined=way.refined,
            seeds=len(own),
            iou_mean=float(ious.mean()),
            iou_sd=float(ious.std(ddof=1)) if len(own) > 1 else 0.0,
            boundary_iou_mean=float(contours.mean()),
            boundary_iou_sd=float(contours.std(ddof=1)) if len(own) > 1 else 0.0,
            person_free_area_mean=float(areas.mean()),
            person_free_area_largest=float(areas.max()),
            scenes={kind: float(np.mean([seed.scenes[kind] for seed in own])) for kind in KINDS},
        )


def main() -> None:
    """Bundle and score every run, and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--person-free", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    photographs = sorted(path for path in arguments.person_free.iterdir() if path.is_file())
    scores: list[Scores] = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in arguments.runs:
            run = read_record(folder / "result.json", RunResult)
            model, scenes = Path(scratch) / folder.name, Path(scratch) / "scenes"
            bundle(folder, model)
            if not scenes.exists():
                people = {"held out": (held_out(run), run.split.test)}
                backgrounds = (arguments.person_free,)
                compose(scenes, people, count=SCENES, seed=SCENE_SEED, backgrounds=backgrounds)
            for way in WAYS:
                scores.append(_score(run, model, way, photographs, scenes))
                print(scores[-1].model_dump_json(), flush=True)
    write_record(
        arguments.output,
        Result(
            environment=describe_environment("cpu"),
            person_free_photographs=len(photographs),
            summaries=tuple(summaries(scores)),
            scores=tuple(scores),
        ),
    )


if __name__ == "__main__":
    main()
