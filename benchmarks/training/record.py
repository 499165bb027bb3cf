"""The result file of `python -m benchmarks.training`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from humanseg.config.architectures import Arch
from humanseg.results import Environment, Record

Precision = Literal["fp32", "bf16"]
PlainBatchNorm = Literal["library", "ours"]
"""Momentum of the batch statistics in the plain loop: that of the library's encoder, or that which
`humanseg train` gives the same network."""


class Epoch(Record):
    """One epoch of one run."""

    epoch: int
    """Counted from 1."""
    images: int
    """Pictures trained on."""
    train_seconds: float = Field(gt=0.0)
    """Training iterations only, without validation."""
    train_loss: float
    validation_loss: float
    validation_iou: float
    """Sum of intersections over sum of unions of the validation pictures, on the network's grid."""
    seconds: float
    """From the start of the process to the end of this epoch, validation included."""

    @property
    def images_per_second(self) -> float:
        """In training iterations."""
        return self.images / self.train_seconds


class Run(Record):
    """One run of either loop, a process of its own."""

    round: int
    """Counted from 1."""
    seed: int
    load_average: float
    """Of the machine over the minute before the run."""
    seconds: float
    """From the start of the process to its end, everything included."""
    epochs: tuple[Epoch, ...] = Field(min_length=1)
    peak_memory_bytes: int | None
    """Largest resident memory (CPU) or device memory in use (GPU); None if `refusal` says why."""
    parameters: int | None


class OurRun(Run):
    """One run of `humanseg train`."""

    precision: Precision
    memory_format: str
    early_epochs: int
    """Epochs at a smaller size, from the first on."""
    refusal: str | None = None
    """Why the command ended without a result after its last epoch, such as scores that no trained
    network should have. Such a run has rates, but its wall seconds lack scoring and saving."""


class Pair(Record):
    """One figure of both loops; medians over rounds."""

    plain: float
    ours: float
    ratio: float
    """Ours over plain."""


class Ceilings(Record):
    """What this device can do at best, measured."""

    precision: Precision
    flop_per_second: float
    """Of a product of two square matrices, the best of all sizes."""
    matrix_size: int
    """Where it was best."""
    bytes_per_second: float
    """Read and written, of a large copy."""


class Roofline(Record):
    """How near a training step comes to what arithmetic and memory allow."""

    precision: Precision
    gflop: float
    """Operations of one step: 3 (forward, both gradients) x 2 x multiply-accumulates x pictures."""
    gigabytes: float
    """Bytes that the network's operations read and write in one step, if none are fused."""
    arithmetic_seconds: float
    memory_seconds: float
    bound: Literal["arithmetic", "memory"]
    step_seconds: float
    """Measured: pictures per step over the median rate of the epochs at full size."""
    fraction: float
    """The larger of both floors over the measured step."""


class ArchResult(Record):
    """Everything of one architecture."""

    arch: Arch
    plain: tuple[Run, ...]
    ours: tuple[OurRun, ...]
    images_per_second: Pair
    """In training iterations; median over rounds and their epochs after the first."""
    wall_seconds: Pair | None
    """From process start to end; None if a run of ours was refused."""
    peak_memory_bytes: Pair | None
    validation_iou: Pair
    """After the last epoch."""
    seconds_to_plain_iou: tuple[float | None, ...]
    """By round: until ours first reached the plain loop's final validation IoU at the end of an
    epoch; None if it did not."""
    share_of_plain: float | None
    """These seconds over the plain loop's whole time, median over rounds; None unless all of them
    reached it."""
    roofline: Roofline | None
    """None where no epoch after the first was at full size."""


class Result(Record):
    """The result file."""

    schema_version: Literal[1] = 1
    encoder_name: str
    encoder_weights: str
    """`none`, `imagenet`, or file name and SHA-256; both loops start from them."""
    plain_batch_norm: PlainBatchNorm = "library"
    data: str
    """Name of the data set, or `drawn`."""
    training_pictures: int
    validation_pictures: int
    image_size: tuple[int, int]
    batch_size: int
    epochs: int
    settings: dict[str, str]
    """Further settings of `humanseg train`."""
    return_memory: bool
    """Whether ours ran without what keeps freed memory in the process."""
    opencv: str
    """Version that the plain loop read pictures with."""
    environment: Environment
    ceilings: tuple[Ceilings, ...]
    archs: tuple[ArchResult, ...]
