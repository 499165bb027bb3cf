"""What no network should be able to pass, and what of the data may be wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.config.schema import ModelConfig
from humanseg.data.label_checks import suspects
from humanseg.data.same_scene import leaks, scene_pairs
from humanseg.data.samples import Sample
from humanseg.errors import DataError
from humanseg.evaluation.analysis import Subject
from humanseg.evaluation.metrics import score_image
from humanseg.images.resize import Size, resize_mask, resize_probability
from humanseg.models import SegmentationNetwork, pooled_features
from humanseg.results import Bound, DataRecord, ImageScore, Leak, RunResult, SuspectLabel
from humanseg.system.atomic import replacing

_OUTPUT_STRIDE = {"unet": 1, "fpn": 4, "deeplabv3plus": 4}
"""Pixels of the network's grid per logit, before its own bilinear upsampling (SMP's decoders)."""

_WORKERS = 2


def write_features(
    network: SegmentationNetwork,
    size: Size,
    samples: Sequence[Sample],
    file: Path,
    *,
    read: Callable[[Sample], NDArray[np.uint8]],
) -> None:
    """Leave encoder features of all pictures, to find pictures of one scene.

    Args:
        network: with pretrained encoder weights.
        size: (height, width) of the network's input.
        samples: the data set.
        file: NumPy archive with `ids` and `features`, float32 (pictures, channels).
        read: gives the picture of a sample, of any size.
    """
    was_training = network.training
    network.eval()
    features = [pooled_features(network, read(sample), size) for sample in samples]
    network.train(was_training)
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, ids=[sample.id for sample in samples], features=np.stack(features))


def find_leaks(runs: Sequence[RunResult], data: DataRecord, features: Path) -> tuple[Leak, ...]:
    """Pictures that show the same, and whether a network was tested on what it trained on.

    Args:
        runs: runs of the main protocol.
        data: copies and groups of the data set.
        features: file of `write_features`; without it no scenes are looked for.
    """
    splits = {run.split for run in runs}
    parts = [
        {name: part for part in ("train", "test") for name in getattr(split, part)}
        for split in splits
    ]

    def divided(first: str, second: str) -> bool:
        return any({one.get(first), one.get(second)} == {"train", "test"} for one in parts)

    copies = leaks(data.copies, divided=divided)
    scenes: Sequence[Leak] = ()
    if features.exists():
        ids, vectors = _read_features(features)
        scenes = scene_pairs(ids, vectors, groups=data.groups, divided=divided)
    return (*copies, *scenes)


def _read_features(file: Path) -> tuple[list[str], NDArray[np.float32]]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return [str(name) for name in stored["ids"]], stored["features"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(f"{file}: is damaged ({error}); delete it and run again.") from error


def find_suspects(
    samples: Mapping[str, Sample], subjects: Sequence[Subject]
) -> tuple[SuspectLabel, ...]:
    """Truth masks that may be wrong, by their shape and by the disagreement of all networks."""
    best: dict[str, float] = {}
    for subject in subjects:
        for name, iou in subject.metric("iou").items():
            if iou is not None:
                best[name] = max(best.get(name, 0.0), iou)
    masks = ((name, sample.read_mask()) for name, sample in samples.items())
    return tuple(suspects(masks, best))


def ceilings(
    runs: Sequence[RunResult], samples: Mapping[str, Sample], data: DataRecord
) -> tuple[Bound, ...]:
    """The best score at every output grid, and how far the truth agrees with itself.

    Args:
        runs: runs of the main protocol.
        samples: pictures that were tested.
        data: copies in the data set.
    """
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
    stride = _OUTPUT_STRIDE[config.arch]
    return config.image_size[0] // stride, config.image_size[1] // stride


def grid_ceiling(samples: Sequence[Sample], grid: Size, networks: tuple[str, ...]) -> Bound:
    """Scores of the truth itself, brought onto a grid as a soft mask and back.

    Args:
        samples: what to score.
        grid: (height, width).
        networks: whose grid it is.
    """

    def best(sample: Sample) -> ImageScore:
        truth = sample.read_mask()
        soft = Image.fromarray(truth.astype(np.float32))
        small = np.asarray(soft.resize((grid[1], grid[0]), Image.Resampling.BILINEAR))
        back = resize_probability(small, (truth.shape[0], truth.shape[1]))
        return score_image(sample.id, np.asarray(back >= 0.5), truth)

    with ThreadPoolExecutor(_WORKERS) as pool:
        scores = list(pool.map(best, samples))
    return Bound(
        name="output_grid",
        side="ceiling",
        networks=networks,
        images=len(scores),
        iou=_mean([score.iou for score in scores]),
        boundary_iou=_mean([score.boundary_iou for score in scores]),
        detail=f"{grid[0]}x{grid[1]}",
    )


def label_agreement(samples: Mapping[str, Sample], data: DataRecord) -> Bound | None:
    """How far two masks of the same picture agree; None without a picture that is there twice."""
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
        scores.append(score_image(first, other, truth))
    return Bound(
        name="label_agreement",
        side="ceiling",
        networks=(),
        images=len(pairs),
        iou=_mean([score.iou for score in scores]),
        boundary_iou=_mean([score.boundary_iou for score in scores]),
        detail=", ".join(f"{first} and {second}" for first, second in pairs[:3]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
