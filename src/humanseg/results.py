"""Typed, versioned records of what a run produced; JSON on disk.

`read_record` and `write_record` are the only way in and out: writing is atomic, reading refuses
records of another schema version with a sentence.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from humanseg.config import CompareConfig, TrainConfig
from humanseg.errors import DataError

SCHEMA_VERSION: Literal[1] = 1


class Record(BaseModel):
    """Frozen and strict: no unknown keys, and no NaN or infinity, for which JSON has no word."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ImageScore(Record):
    """Pixel counts of one picture at its mask's native size; everything else is derived."""

    id: str
    """The sample's name within its data set."""
    height: int
    width: int
    tp: int
    """Person pixels found."""
    fp: int
    """Background pixels called person."""
    fn: int
    """Person pixels missed."""
    tn: int
    boundary_intersection: int
    """Pixels in both boundary bands (Cheng et al. 2021), band width 2 % of the diagonal."""
    boundary_union: int
    """Pixels in either boundary band."""

    @property
    def iou(self) -> float | None:
        """Intersection over union, 0 to 1; None if neither mask has a person."""
        union = self.tp + self.fp + self.fn
        return self.tp / union if union else None

    @property
    def dice(self) -> float | None:
        """Dice score, 0 to 1; None if neither mask has a person."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else None

    @property
    def boundary_iou(self) -> float | None:
        """Boundary IoU, 0 to 1; None if neither mask has a person."""
        return self.boundary_intersection / self.boundary_union if self.boundary_union else None

    @property
    def pixel_accuracy(self) -> float:
        """Share of pixels called right, 0 to 1."""
        return (self.tp + self.tn) / (self.height * self.width)

    @property
    def foreground_share(self) -> float:
        """Share of person pixels in the truth, 0 to 1."""
        return (self.tp + self.fn) / (self.height * self.width)


class ScoreSummary(Record):
    """Aggregates over pictures. Per-image means leave out pictures where both masks are empty."""

    images: int
    undefined: int
    """Pictures without a person in truth and prediction: counted here, not in per-image means."""
    iou_mean: float | None
    iou_sd: float | None
    """Sample standard deviation over pictures; None with fewer than two."""
    iou_median: float | None
    iou_p05: float | None
    """5th percentile: one picture in twenty is worse."""
    dice_mean: float | None
    boundary_iou_mean: float | None
    dataset_iou: float | None
    """Sum of intersections over sum of unions."""
    dataset_dice: float | None
    pixel_accuracy: float
    """Pooled share of pixels called right."""
    batch_iou: float | None
    """Mean over batches of 16 on the network's grid of the batch-pooled IoU, as published; see
    docs/metrics.md. For comparison with published numbers only."""
    batch_dice: float | None
    batch_accuracy: float | None


class EpochRecord(Record):
    """One epoch of one run, on the network's grid."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    train_iou: float
    """Dataset IoU of the augmented training pictures, pooled over the epoch."""
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
    """Multiply-accumulates of one forward pass of one picture."""
    train_seconds: float
    """Training iterations only."""
    wall_seconds: float
    """From the start of the run to its result: set-up, data, training, validation, evaluation."""
    images_per_second: float
    """Median over epochs, training iterations only."""
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
    """Threads that torch computed with; None in older records."""
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
    """Seconds per training picture of each mode tried; empty if nothing was left to choose."""


class SplitRecord(Record):
    """Names of the pictures in each part."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    validation_is_test: bool
    """True for the published protocol, where the curves show the very pictures that are scored."""


class RunResult(Record):
    """One finished training: result.json of a run folder."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    config: TrainConfig
    resolved: Resolved
    split: SplitRecord
    data_fingerprint: str
    """SHA-256 over names and contents of all pictures and masks."""
    epochs: tuple[EpochRecord, ...]
    kept_epoch: int
    """Epoch whose weights were kept and scored."""
    scores: tuple[ImageScore, ...]
    summary: ScoreSummary
    floors: dict[str, ScoreSummary]
    """What needs no network: `mean_mask` and `all_background`."""
    train_summary: ScoreSummary | None = None
    """Scores of the kept network on its own training pictures; None in older records."""
    cost: Cost
    environment: Environment


class DataRecord(Record):
    """The data set of a comparison: data.json of its folder. Stays on the machine: it has paths."""

    schema_version: Literal[1] = SCHEMA_VERSION
    fingerprint: str
    """SHA-256 over names and contents of all pictures and masks."""
    pictures: dict[str, str]
    """Path of the picture by id."""
    sources: dict[str, str]
    """Source by id; empty where the plan did not look."""
    groups: dict[str, str]
    """Group by id; pictures of one group show the same. Empty where the plan did not look."""


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


R = TypeVar("R", bound=BaseModel)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` at once or not at all (temporary name, then rename)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as indented JSON, atomically."""
    write_text(path, record.model_dump_json(indent=1) + "\n")


def read_record(path: Path, kind: type[R]) -> R:
    """Read a record.

    Raises:
        DataError: no such file, not JSON, another schema version, or not this kind of record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        version = json.loads(text).get("schema_version", SCHEMA_VERSION)
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path}: is not a humanseg record (no JSON object in it).") from error
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: has schema version {version}; this humanseg reads version {SCHEMA_VERSION}. "
            "Use the release that wrote it, or run it again."
        )
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: is damaged at {where}: {first['msg']}.") from error
