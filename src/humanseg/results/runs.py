"""What a training produced."""

from __future__ import annotations

from typing import Literal

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.schema import EvaluationConfig, TrainConfig
from humanseg.results.findings import Analysis, Leak
from humanseg.results.io import SCHEMA_VERSION, Record
from humanseg.results.scores import Calibration, ImageScore, ScoreSummary, ScoringSetup


class EpochRecord(Record):
    """One epoch of one run, on the network's grid."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    train_iou: float
    """Dataset IoU of the augmented training images, pooled over the epoch."""
    validation_loss: float | None
    """Loss of the weights that would be kept (the moving average where there is one)."""
    validation_iou: float | None
    learning_rate: float
    images_per_second: float
    seconds: float
    """Training iterations only, without validation."""


class Cost(Record):
    """What a run took and what its network weighs."""

    parameters: int
    macs: int
    """Multiply-accumulates of one forward pass of one image."""
    train_seconds: float
    """Training iterations only."""
    wall_seconds: float
    """From the start of the run to its result: set-up, data, training, validation, evaluation."""
    images_per_second: float
    """Median over epochs, training iterations only."""
    latency_seconds: float
    """Median time of one image on the network's grid to its probabilities, as `Segmenter` runs it
    on the run's device."""
    peak_memory_bytes: int
    """Largest resident memory of the process (CPU) or device memory in use (GPU) during the run."""


class Environment(Record):
    """Where a run was made."""

    date: str
    """ISO 8601, UTC."""
    command: str
    """The command line, without the folder of the program."""
    humanseg: str
    commit: str | None
    """Git commit of the source tree, with `-dirty` if it had changes; None outside a checkout."""
    python: str
    platform: str
    processor: str
    cores: int
    """Of the processor, whatever a run may use."""
    threads: int | None = None
    """Threads that networks computed with; None where the runtime chose."""
    device: str
    versions: dict[str, str]


class Resolved(Record):
    """What `auto` came to, and what the network was built from."""

    device: str
    precision: Literal["fp32", "bf16"]
    memory_format: Literal["contiguous", "channels_last"]
    encoder_weights: str
    """`none`, `imagenet`, or file name and SHA-256 of a local file."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    timings: dict[str, float]
    """Seconds per training image of each mode tried; empty if nothing was left to choose."""
    processes: int
    """Processes that the run began with; they divide every batch."""


class SplitRecord(Record):
    """Names of the images in each part."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    validation_is_test: bool
    """True for the published protocol, where the curves show the very images that are scored."""


class RunResult(Record):
    """One finished training: result.json of a run folder."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    config: TrainConfig
    resolved: Resolved
    split: SplitRecord
    data_fingerprint: str
    """SHA-256 over names and contents of all images and masks."""
    further_data: dict[str, str]
    """Fingerprints of the further training data (`data.extra`) by name."""
    epochs: tuple[EpochRecord, ...]
    kept_epoch: int
    """Epoch whose weights were kept and scored."""
    setup: ScoringSetup
    """How it was scored: in torch in float32, from whole files."""
    scores: tuple[ImageScore, ...]
    summary: ScoreSummary
    baselines: dict[str, ScoreSummary]
    """What needs no network: `mean_mask` and `all_background`."""
    calibration: Calibration
    """Over all pixels of the test images."""
    band_calibration: Calibration
    """Over the pixels within 2 % of the diagonal of the true contour."""
    train_summary: ScoreSummary
    """Scores of the same network on its own training images."""
    leaks: tuple[Leak, ...] = ()
    """Images that were trained on and show the same, or are of one group, as tested ones."""
    label_doubts: tuple[str, ...] = ()
    """What speaks against the training masks: by the data check before training, and by the
    trained network; a sentence each."""
    cost: Cost
    environment: Environment

    @property
    def baseline(self) -> float | None:
        """Per-image IoU of the mean training mask, which looks at no image."""
        summary = self.baselines.get("mean_mask")
        return summary.iou_mean if summary else None

    @property
    def weak(self) -> bool:
        """Whether the network scores no better than the mean training mask."""
        return not self.summary.is_above(self.baselines.get("mean_mask"))


class Evaluation(Record):
    """Scores of one saved model on one data set: evaluation.json of its folder."""

    schema_version: Literal[1] = SCHEMA_VERSION
    model: str
    """Path as it was given, or the name of a network of one's own."""
    arch: str
    """Architecture, or the name of a network of one's own."""
    encoder_name: str | None
    """None where there is no record of the model."""
    trained_on: str | None
    """Fingerprint of the data that the model was trained on; None where nobody recorded it."""
    also_trained_on: tuple[str, ...]
    """Fingerprints of the further training data (`data.extra`)."""
    data_fingerprint: str
    """SHA-256 over names and contents of all images and masks."""
    seen_images: tuple[str, ...]
    """Images that the model was trained on, or on a copy of them, by id."""
    evaluation: EvaluationConfig
    setup: ScoringSetup
    """What ran the model, and how files were read."""
    weights: str | None = None
    """SHA-256 of the model's weights; None of a network without a model directory."""
    model_threshold: float | None = None
    """The model's own threshold; None where there is no record of the model."""
    scores: tuple[ImageScore, ...]
    summary: ScoreSummary
    calibration: Calibration
    """Over all pixels."""
    band_calibration: Calibration
    """Over the pixels within 2 % of the diagonal of the true contour."""
    sources: dict[str, str]
    """Source by id; empty without sources."""
    groups: dict[str, str]
    """Group by id; images of one group show the same. An image without one is its own group."""
    analysis: Analysis | None = None
    """None on external data, where the comparison has the analysis of all runs."""
    environment: Environment

    @property
    def seen_in_training(self) -> bool:
        """Whether the model was trained on images of this data set."""
        return bool(self.seen_images) or self.data_fingerprint in (
            self.trained_on,
            *self.also_trained_on,
        )


class CorruptedScores(Record):
    """Per-image IoU of a run's test images as they are and corrupted; see docs/robustness.md."""

    schema_version: Literal[1] = SCHEMA_VERSION
    data_fingerprint: str
    environment: Environment
    """Of the run whose network was tested."""
    images: tuple[str, ...]
    clean: tuple[float | None, ...]
    """IoU by image; None where the truth has no person."""
    ious: dict[str, tuple[tuple[float | None, ...], ...]]
    """By corruption: for severity 1, 2 and so on the IoU by image."""


class DataRecord(Record):
    """The data set of a comparison: data.json of its folder. Stays on the machine: it has paths."""

    schema_version: Literal[1] = SCHEMA_VERSION
    fingerprint: str
    """SHA-256 over names and contents of all images and masks."""
    images: dict[str, str]
    """Path of the image by id."""
    sources: dict[str, str]
    """Source by id; empty without sources."""
    groups: dict[str, str]
    """Group by id; images of one group show the same. An image without one is its own group."""
    copies: tuple[tuple[str, str, Literal["exact", "near", "mirrored", "turned"]], ...]
    """Pairs of images that show the same, and how they are alike."""


class FailedRun(Record):
    """A run of a plan that raised."""

    name: str
    error: str


class ComparisonResult(Record):
    """A plan with what came of it: results.json of a comparison folder."""

    schema_version: Literal[1] = SCHEMA_VERSION
    config: CompareConfig
    runs: tuple[RunResult, ...]
    failed: tuple[FailedRun, ...]
    missing: tuple[str, ...]
    """Runs of the plan that were not reached."""
    sources: dict[str, str]
    """Source by id; empty without sources."""
    groups: dict[str, str]
    """Group by id; images of one group show the same. An image without one is its own group."""
    analysis: Analysis | None
    """What follows from the scores; None until a network has finished all of its runs."""
