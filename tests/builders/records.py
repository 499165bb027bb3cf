"""Whole records from a few values: environments, scores, runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from humanseg.config.schema import TrainConfig
from humanseg.results import (
    Calibration,
    Cost,
    Environment,
    EpochRecord,
    ImageScore,
    Resolved,
    RunResult,
    ScoreSummary,
    ScoringSetup,
    SplitRecord,
)

FINGERPRINT = "9f" * 32
TRAIN = tuple(f"train-{number}" for number in range(40))
SKILL = {"unet": 1.0, "fpn": 1.15, "deeplabv3plus": 1.9}
WEIGHTS = {
    "unet": (6_251_469, 2_498_000_000, 178.2),
    "fpn": (5_759_425, 2_012_000_000, 143.4),
    "deeplabv3plus": (4_908_309, 1_316_000_000, 165.1),
}


def environment(**changes: object) -> Environment:
    """Where something was made; `changes` replaces fields."""
    values: dict[str, object] = {
        "command": "humanseg compare",
        "date": "2026-11-23T09:00:00+00:00",
        "humanseg": "0.1.0",
        "commit": "0123abc",
        "python": "3.11.7",
        "platform": "Linux-6.1-x86_64",
        "processor": "Example CPU",
        "cores": 2,
        "threads": 2,
        "device": "cpu",
        "versions": {"torch": "2.9.0", "lightning": "2.6.6"},
    }
    return Environment.model_validate(values | changes)


def resolved(**changes: object) -> Resolved:
    """What `auto` came to; `changes` replaces fields."""
    values: dict[str, object] = {
        "device": "cpu",
        "precision": "bf16",
        "memory_format": "channels_last",
        "encoder_weights": "imagenet",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "timings": {"fp32, contiguous": 0.0521, "bf16, channels_last": 0.0304},
        "processes": 1,
    }
    return Resolved.model_validate(values | changes)


EMPTY_BINS = (0,) * 13
CALIBRATION = Calibration(
    pixels=(10, *EMPTY_BINS, 10), probability=(1.0, *EMPTY_BINS, 9.0), person=(2, *EMPTY_BINS, 8)
)


def mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def summarise(scores: Sequence[ImageScore]) -> ScoreSummary:
    ious = [score.iou for score in scores if score.iou is not None]
    tp, fp, fn = (sum(getattr(score, name) for score in scores) for name in ("tp", "fp", "fn"))
    right = sum(score.tp + score.tn for score in scores)
    pixels = sum(score.height * score.width for score in scores)
    pooled = tp / (tp + fp + fn) if tp + fp + fn else None
    return ScoreSummary(
        images=len(scores),
        undefined=len(scores) - len(ious),
        iou_mean=mean(ious),
        iou_sd=statistics.stdev(ious) if len(ious) > 1 else None,
        iou_median=statistics.median(ious) if ious else None,
        iou_p05=float(np.percentile(ious, 5)) if ious else None,
        dice_mean=mean([score.dice for score in scores if score.dice is not None]),
        boundary_iou_mean=mean(
            [score.boundary_iou for score in scores if score.boundary_iou is not None]
        ),
        dataset_iou=pooled,
        dataset_dice=2 * pooled / (1 + pooled) if pooled is not None else None,
        pixel_accuracy=right / pixels,
        batch_iou=pooled,
        batch_dice=2 * pooled / (1 + pooled) if pooled is not None else None,
        batch_accuracy=right / pixels,
    )


def epochs(count: int, quality: float, seed: int) -> tuple[EpochRecord, ...]:
    random = np.random.default_rng(seed)
    records = []
    for epoch in range(1, count + 1):
        left = math.exp(-epoch / 5)
        wobble = random.normal(0, 0.012, 4)
        records.append(
            EpochRecord(
                epoch=epoch,
                train_loss=0.12 + 0.9 * left + abs(wobble[0]),
                train_iou=0.95 - 0.5 * left + wobble[1] / 2,
                validation_loss=0.20 * quality + 1.1 * left + abs(wobble[2]) * 2,
                validation_iou=max(0.0, 1 - 0.11 * quality - 0.55 * left + wobble[3] / 2),
                learning_rate=0.003,
                images_per_second=33.0,
                seconds=7.0,
            )
        )
    return tuple(records)


def run_result(
    name: str,
    config: TrainConfig,
    scores: Sequence[ImageScore],
    *,
    baselines: Mapping[str, ScoreSummary],
    validation_is_test: bool = False,
    epoch_count: int = 12,
    train: Sequence[str] = TRAIN,
    train_summary: ScoreSummary | None = None,
    bins: tuple[Calibration, Calibration] = (CALIBRATION, CALIBRATION),
) -> RunResult:
    parameters, macs, seconds = WEIGHTS[config.model.arch]
    test = tuple(score.id for score in scores)
    wobble = 1 + (config.training.seed % 7) / 100
    return RunResult(
        name=name,
        config=config,
        resolved=resolved(),
        split=SplitRecord(
            train=tuple(train),
            validation=test if validation_is_test else ("val-1", "val-2", "val-3"),
            test=test,
            validation_is_test=validation_is_test,
        ),
        data_fingerprint=FINGERPRINT,
        further_data={},
        epochs=epochs(epoch_count, SKILL[config.model.arch], config.training.seed),
        kept_epoch=epoch_count,
        setup=scoring_setup(),
        scores=tuple(scores),
        summary=summarise(scores),
        baselines=dict(baselines),
        calibration=bins[0],
        band_calibration=bins[1],
        train_summary=train_summary or summarise(scores),
        cost=Cost(
            parameters=parameters,
            macs=macs,
            train_seconds=seconds * wobble,
            wall_seconds=seconds * wobble + 38,
            images_per_second=5800 / seconds,
            latency_seconds=0.021,
            peak_memory_bytes=2_900_000_000,
        ),
        environment=environment(),
    )


def scoring_setup() -> ScoringSetup:
    """As trainings score."""
    return ScoringSetup(backend="torch", precision="fp32", device="cpu", whole_files=True)


def plain_score(id_: str, iou: float) -> ImageScore:
    true_positives = round(1000 * iou)
    return ImageScore(
        id=id_,
        height=40,
        width=50,
        tp=true_positives,
        fp=0,
        fn=1000 - true_positives,
        tn=1000,
        boundary_intersection=true_positives,
        boundary_union=1000,
    )
