r"""What the loop gains: rank images by uncertainty, correct the first ones, fine-tune, score.

    python -m benchmarks.loop_gain --seeds 1 2 3 --labels 20 --output FILE
    python -m benchmarks.loop_gain --data data/clothing-co-parsing --from runs/start/model \
        --labels 20 50 100 --choices random --test 60 --output FILE

Without `--data`, for every seed a pool and a test set are drawn; with it, both are parts of the
data set, drawn by the seed. `--from` must be a model that was trained on none of these images, such
as that of examples/loop-start.yaml.
Correcting is done by the truth. Beside the least sure images as many random ones are trained on, so
that what the order is worth is seen apart from what more labels are worth; `--choices` leaves one
of the two out, and without the least sure nothing is ranked. One in ten corrected
images is held out by the training, as it wants one at least; none of the test set is ever trained
on. With `--labels` and no number, only the order is measured.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from scipy.stats import spearmanr

from humanseg.config.loading import resolve
from humanseg.config.schema import TrainConfig
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.synthesis import synthesize
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.evaluation.statistics import GroupBootstrap
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import structure_of
from humanseg.results import Environment, Interval, Record, write_record
from humanseg.training import describe_environment, train

Choice = Literal["least sure", "random"]


class Gain(Record):
    """One fine-tuning, before and after, on the images of the test set."""

    seed: int
    labels: int
    """Images that were corrected."""
    choice: Choice
    iou_before: float
    iou_after: float
    iou: Interval | None
    """Mean per-image difference, with a 95 % interval over images."""
    boundary_iou: Interval | None
    seconds: float
    """Of the training."""


class Order(Record):
    """How well uncertainty orders the pool: its rank correlation with 1 - IoU."""

    seed: int
    images: int
    value: float
    contour: float
    disagreement: float


class Result(Record):
    """The result file."""

    environment: Environment
    data: str
    model: str
    pool: int
    test: int
    settings: dict[str, object]
    orders: tuple[Order, ...]
    gains: tuple[Gain, ...]


class _Experiment:
    """One seed's pool and test set, and the model that looks at them."""

    def __init__(self, options: argparse.Namespace, seed: int, folder: Path) -> None:
        self._options, self.seed, self._folder = options, seed, folder
        pool, test = self._drawn() if options.data is None else self._divided()
        self.pool = pool
        self._test = _table(folder / "test.csv", test)
        self._before = self._scores(options.start)

    def _drawn(self) -> tuple[list[Sample], list[Sample]]:
        parts = {"pool": self._options.pool, "test": self._options.test}
        for number, (name, count) in enumerate(parts.items()):
            synthesize(self._folder / name, count=count, seed=1000 * self.seed + number)
        return discover(self._folder / "pool"), discover(self._folder / "test")

    def _divided(self) -> tuple[list[Sample], list[Sample]]:
        samples = discover(self._options.data)
        order = np.random.default_rng(self.seed).permutation(len(samples))
        count, most = self._options.test, self._options.test + self._options.pool
        return [samples[at] for at in order[count:most]], [samples[at] for at in order[:count]]

    def _scores(self, model: str | Path) -> dict[str, tuple[float | None, float | None]]:
        scored = evaluate(Segmenter(model), data=self._test)
        return {each.id: (each.iou, each.boundary_iou) for each in scored.scores}

    def ranked(self) -> tuple[list[Sample], Order]:
        """The pool, least sure first, and how good that order is."""
        segmenter = Segmenter(self._options.start)
        measured = []
        for sample in self.pool:
            prediction = segmenter.predict(sample.image, full_size=True, uncertainty=True)
            truth = sample.read_mask()
            union = np.count_nonzero(prediction.mask | truth)
            overlap = np.count_nonzero(prediction.mask & truth) / union if union else 1.0
            assert prediction.uncertainty is not None
            measured.append((prediction.uncertainty, 1.0 - overlap))
        errors = [error for _, error in measured]

        def correlation(values: Sequence[float]) -> float:
            return float(spearmanr(values, errors).statistic)

        order = Order(
            seed=self.seed,
            images=len(measured),
            value=correlation([each.value for each, _ in measured]),
            contour=correlation([each.contour for each, _ in measured]),
            disagreement=correlation([each.disagreement for each, _ in measured]),
        )
        by_value = sorted(range(len(measured)), key=lambda at: -measured[at][0].value)
        return [self.pool[at] for at in by_value], order

    def gain(self, chosen: Sequence[Sample], choice: Choice) -> Gain:
        """Fine-tune on these images and score."""
        name = f"{choice.replace(' ', '-')}-{len(chosen)}"
        values = {
            "data": {"root": str(_table(self._folder / f"{name}.csv", chosen))},
            "split": {"protocol": "holdout", "validation": 0.0, "test": 0.1},
            "training": {"seed": self.seed, **self._options.training},
        }
        config = resolve(
            TrainConfig,
            preset="finetune",
            start={"model": structure_of(str(self._options.start))},
            overrides=values,
        )
        result = train(config, output=self._folder / name)
        after = self._scores(self._folder / name / "model")
        differences = [
            [_difference(then[at], after[id_][at]) for id_, then in self._before.items()]
            for at in (0, 1)
        ]
        bootstrap = GroupBootstrap(list(self._before))
        return Gain(
            seed=self.seed,
            labels=len(chosen),
            choice=choice,
            iou_before=_mean(self._before),
            iou_after=_mean(after),
            iou=bootstrap.mean(differences[0]),
            boundary_iou=bootstrap.mean(differences[1]),
            seconds=result.cost.train_seconds,
        )


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _mean(scores: dict[str, tuple[float | None, float | None]]) -> float:
    return float(np.mean([iou for iou, _ in scores.values() if iou is not None]))


def _table(path: Path, samples: Sequence[Sample]) -> Path:
    """A data set of these images."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["images", "masks"])
        writer.writerows([sample.image.resolve(), sample.mask and sample.mask.resolve()]
                         for sample in samples)  # fmt: skip
    return path


def _run(options: argparse.Namespace) -> Iterator[Order | Gain]:
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            experiment = _Experiment(options, seed, Path(folder))
            drawn = np.random.default_rng(seed).permutation(len(experiment.pool))
            orders = {"random": [experiment.pool[at] for at in drawn]}
            if "least sure" in options.choices or not options.labels:
                orders["least sure"], order = experiment.ranked()
                print(order, flush=True)
                yield order
            for labels in options.labels:
                for choice in options.choices:
                    gain = experiment.gain(orders[choice][:labels], choice)
                    print(gain, flush=True)
                    yield gain


def main() -> None:
    """Measure, and write the result file anew with every result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--from", dest="start", default="bundled")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--labels", type=int, nargs="*", default=[20])
    parser.add_argument("--choices", nargs="+", choices=get_args(Choice), default=get_args(Choice))
    parser.add_argument("--pool", type=int, default=200)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.training = {"epochs": options.epochs, "onnx": False}
    made: list[Order | Gain] = []
    for measured in _run(options):
        made.append(measured)
        result = Result(
            environment=describe_environment("cpu"),
            data="drawn" if options.data is None else options.data.name,
            model=str(options.start),
            pool=options.pool,
            test=options.test,
            settings=options.training,
            orders=tuple(each for each in made if isinstance(each, Order)),
            gains=tuple(each for each in made if isinstance(each, Gain)),
        )
        write_record(options.output, result)


if __name__ == "__main__":
    main()
