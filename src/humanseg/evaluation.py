"""Score a network through the predictor that users get, at the size of each mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humanseg.config import DataConfig, EvaluationConfig
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.errors import DataError, UsageError
from humanseg.geometry import resize_mask, resize_mask_nearest, resize_probability
from humanseg.inference import Predictor
from humanseg.metrics import score_image, summarise
from humanseg.models import TorchBackend, load_network
from humanseg.results import Evaluation, ImageScore, ScoreSummary

FLOOR_THRESHOLDS = tuple(np.arange(0.05, 1.0, 0.05).tolist())

Prediction = Callable[[Sample], NDArray[np.float32]]
"""A sample in, its probability on the network's grid out."""


def score_samples(
    samples: Sequence[Sample],
    predict: Prediction,
    *,
    cut: Callable[[NDArray[np.float32]], NDArray[np.bool_]],
    mask_resize: str,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[ImageScore], ScoreSummary]:
    """Score samples one by one; memory does not grow with their number.

    Args:
        samples: what to score, in the order of the published batches.
        predict: gives the probability on the network's grid.
        cut: turns a probability map into a mask.
        mask_resize: how truth reaches that grid for the published scores, `area` or `nearest`.
        progress: called with (done, total).
    """
    shrink = resize_mask if mask_resize == "area" else resize_mask_nearest
    scores, grid_scores = [], []
    for number, sample in enumerate(samples, start=1):
        truth = sample.read_mask()
        probability = predict(sample)
        grid_size = (probability.shape[0], probability.shape[1])
        mask = cut(resize_probability(probability, (truth.shape[0], truth.shape[1])))
        scores.append(score_image(sample.id, mask, truth))
        grid_scores.append(score_image(sample.id, cut(probability), shrink(truth, grid_size)))
        if progress:
            progress(number, len(samples))
    return scores, summarise(scores, grid_scores)


def score_floors(
    samples: Sequence[Sample],
    train_masks: NDArray[np.bool_],
    *,
    mask_resize: str,
) -> dict[str, ScoreSummary]:
    """What needs no network: the mean training mask, and calling everything background.

    The mean mask is cut where it scores best on the training masks themselves.

    Args:
        samples: the samples that networks are scored on.
        train_masks: bool (N, H, W) on the network's grid.
        mask_resize: as for `score_samples`.
    """
    mean = train_masks.mean(axis=0, dtype=np.float64).astype(np.float32)
    threshold = max(FLOOR_THRESHOLDS, key=lambda value: _mean_iou(mean >= value, train_masks))

    def score(probability: NDArray[np.float32], cut_at: float) -> ScoreSummary:
        _, summary = score_samples(
            samples,
            lambda _sample: probability,
            cut=lambda values: np.asarray(values >= cut_at),
            mask_resize=mask_resize,
        )
        return summary

    return {
        "mean_mask": score(mean, threshold),
        "all_background": score(np.zeros_like(mean), 0.5),
    }


def _mean_iou(prediction: NDArray[np.bool_], truths: NDArray[np.bool_]) -> float:
    intersection = (truths & prediction).sum(axis=(1, 2))
    union = (truths | prediction).sum(axis=(1, 2))
    return float(np.mean(intersection / np.maximum(union, 1)))


def evaluate(
    model: Path,
    *,
    data: DataConfig,
    threshold: float | None = None,
    flip_averaging: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a saved model on a data set.

    Args:
        model: model directory, such as the folder `model` of a run.
        data: where the pictures are. Truth reaches the grid as in the model's training, whatever
            `data.mask_resize` says, so that the published scores stay comparable.
        threshold: a pixel is a person where its probability is at least this; the model's own
            by default.
        flip_averaging: average with the mirrored picture; the model's own setting by default.
        progress: called with (done, total).

    Raises:
        UsageError: no data folder given, or it does not exist.
        DataError: no samples in it.
        ModelError: not a readable model directory.
    """
    if data.root is None:
        raise UsageError("data.root: not given; name the folder with --data.")
    network, record = load_network(model)
    own = record.config.evaluation
    settings = EvaluationConfig(
        threshold=own.threshold if threshold is None else threshold,
        flip_averaging=own.flip_averaging if flip_averaging is None else flip_averaging,
    )
    samples = discover(data.root, data.layout)
    if not samples:
        raise DataError(f"{data.root}: holds no pictures to score.")
    predictor = Predictor(
        TorchBackend(network),
        image_size=record.preprocessing.image_size,
        threshold=settings.threshold,
        flip_averaging=settings.flip_averaging,
    )
    scores, summary = score_samples(
        samples,
        lambda sample: predictor.grid_probability(sample.read_image()),
        cut=predictor.cut,
        mask_resize=record.config.data.mask_resize,
        progress=progress,
    )
    return Evaluation(
        model=str(model),
        data_fingerprint=fingerprint(samples),
        evaluation=settings,
        scores=tuple(scores),
        summary=summary,
    )
