"""What needs no network: baselines that any should beat, and upper bounds that none should pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.config.architectures import ModelConfig, output_stride
from humanseg.data.samples import Sample
from humanseg.evaluation.metrics import score_image
from humanseg.evaluation.metrics.overlap import pairwise_ious
from humanseg.evaluation.scoring import score_samples
from humanseg.images.resize import Size, resize_mask, resize_probability
from humanseg.results import Bound, DataRecord, ImageScore, RunResult, ScoreSummary
from humanseg.results.scores import mean_of
from humanseg.system.threads import ordered_map


def ceilings(
    runs: Sequence[RunResult], samples: Mapping[str, Sample], data: DataRecord
) -> tuple[Bound, ...]:
    """The best score at every output grid, and how far the truth agrees with itself."""
    by_grid: dict[Size, list[str]] = defaultdict(list)
    for run in runs:
        by_grid[output_grid(run.config.model)].append(run.config.model.arch)
    bounds = [
        grid_ceiling(list(samples.values()), grid, tuple(dict.fromkeys(archs)))
        for grid, archs in sorted(by_grid.items())
    ]
    agreement = label_agreement(samples, data)
    return (*bounds, *([agreement] if agreement else []))


def output_grid(config: ModelConfig) -> Size:
    """(height, width) of the logits that a network computes before it enlarges them."""
    stride = output_stride(config)
    return config.image_size[0] // stride, config.image_size[1] // stride


def grid_ceiling(samples: Sequence[Sample], grid: Size, networks: tuple[str, ...]) -> Bound:
    """Scores of the truth itself, brought as a soft mask onto some networks' grid and back."""

    def best(sample: Sample) -> ImageScore:
        # Down as a soft mask and up again as a network's own logits would go: what is lost on the
        # way is lost by every network on this grid.
        truth = sample.read_mask()
        soft = Image.fromarray(truth.astype(np.float32))
        small = np.asarray(soft.resize((grid[1], grid[0]), Image.Resampling.BILINEAR))
        back = resize_probability(small, (truth.shape[0], truth.shape[1]))
        return score_image(sample.id, np.asarray(back >= 0.5), truth, sample.read_ignored())

    return _ceiling(
        "output_grid", list(ordered_map(best, samples)), f"{grid[0]}x{grid[1]}", networks
    )


def label_agreement(samples: Mapping[str, Sample], data: DataRecord) -> Bound | None:
    """How far two masks of the same image agree; None without an image that is there twice."""
    pairs = [
        (first, second)
        for first, second, kind in data.copies
        if kind == "exact" and first in samples and second in samples
    ]
    if not pairs:
        return None
    scores = []
    for first, second in pairs:
        truth = samples[first].read_mask()
        other = resize_mask(samples[second].read_mask(), (truth.shape[0], truth.shape[1]))
        scores.append(score_image(first, other, truth, samples[first].read_ignored()))
    detail = ", ".join(f"{first} and {second}" for first, second in pairs[:3])
    return _ceiling("label_agreement", scores, detail)


def _ceiling(
    name: Literal["output_grid", "label_agreement"],
    scores: Sequence[ImageScore],
    detail: str,
    networks: tuple[str, ...] = (),
) -> Bound:
    return Bound(
        name=name,
        side="ceiling",
        networks=networks,
        images=len(scores),
        iou=mean_of(score.iou for score in scores),
        boundary_iou=mean_of(score.boundary_iou for score in scores),
        detail=detail,
    )


THRESHOLDS = tuple(np.arange(0.05, 1.0, 0.05).tolist())

_NO_IMAGE = np.zeros((1, 1, 3), dtype=np.uint8)


def score_baselines(
    samples: Sequence[Sample],
    train_masks: Callable[[], Iterable[NDArray[np.bool_]]],
    *,
    mask_resize: str,
) -> dict[str, ScoreSummary]:
    """What needs no network: the mean training mask, and calling everything background.

    The mean mask is that of the training masks that hold a person, and is cut where it scores best
    on them: images without a person neither weaken it nor count in its mean. `train_masks` gives
    all of them on the network's grid, bool (N, H, W) at a time; called twice, so that they need not
    be held.
    """
    mean, threshold = _mean_mask(train_masks)

    def score(probability: NDArray[np.float32], threshold: float) -> ScoreSummary:
        return score_samples(
            samples,
            lambda _: probability,
            threshold=threshold,
            mask_resize=mask_resize,
            detailed=False,
            read=lambda _: _NO_IMAGE,
        ).summary

    return {
        "mean_mask": score(mean, threshold),
        "all_background": score(np.zeros_like(mean), 0.5),
    }


def _mean_mask(
    masks: Callable[[], Iterable[NDArray[np.bool_]]],
) -> tuple[NDArray[np.float32], float]:
    """Mean of the masks that hold a person, and the threshold of the best mean IoU with them."""
    summed, count = np.float64(0.0), 0
    for chunk in masks():
        summed = summed + chunk.sum(axis=0, dtype=np.float64)
        count += int(chunk.any(axis=(1, 2)).sum())
    mean = np.asarray(summed / max(count, 1), dtype=np.float32)
    cuts = np.stack([mean >= value for value in THRESHOLDS])
    ious = np.zeros(len(cuts))
    for chunk in masks():
        ious += pairwise_ious(cuts, chunk).sum(axis=0)
    return mean, THRESHOLDS[int(ious.argmax())]
