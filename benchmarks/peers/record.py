"""The result file of `python -m benchmarks.peers`."""

from __future__ import annotations

from typing import Literal

from humanseg.benchmark.speed_record import Machine, Timing
from humanseg.results import SCHEMA_VERSION, Environment, ImageScore, Interval, Record, ScoreSummary


class ImageTime(Record):
    """One image without truth, or the time of one with truth."""

    id: str
    marked: float
    """Share of the image's pixels that the mask marks, 0 to 1."""
    seconds: tuple[float, ...]
    """Every timed call: from the decoded image to its mask."""


class SystemResult(Record):
    """What one system did on the images that all of them got."""

    name: str
    settings: dict[str, str]
    """What it says about itself: versions, threshold, threads."""
    load_seconds: float
    """Importing and loading it, once."""
    scores: tuple[ImageScore, ...]
    """Of the labelled images."""
    summary: ScoreSummary | None
    """None without labelled images."""
    labelled: tuple[ImageTime, ...]
    person_free: tuple[ImageTime, ...]
    marked_area: float | None
    """Mean share of the area that is marked in images without people; None without any."""
    marked_pictures: float | None
    """Share of the images without people in which more than 0.1 % is marked."""
    time: Timing
    """Of all images; each image counts as one round."""


class Difference(Record):
    """The first system less another one, on the same images."""

    other: str
    iou: Interval | None
    """Mean difference of per-image IoU over images where both have one."""
    boundary_iou: Interval | None
    time_ratio: float
    """Median time of the first over that of the other."""


class PeersRecord(Record):
    """Accuracy and time of several systems, measured in turn on the same images."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["peers"] = "peers"
    model: str
    model_files: dict[str, str]
    trained_on: str
    """Fingerprint of the data that the model was trained on."""
    also_trained_on: tuple[str, ...] = ()
    """Fingerprints of the further data sets that it was trained on."""
    seen_images: tuple[str, ...] = ()
    """Labelled images that the model was trained on, or on a copy of them."""
    data_fingerprint: str | None
    """SHA-256 over names and contents of all labelled images and masks, before a split or limit
    leaves some out; None without any."""
    groups: int
    """Groups of labelled images that show the same; intervals resample groups."""
    person_free_fingerprint: str | None
    """SHA-256 over names and contents of the images without people; None without any."""
    calls: int
    systems: tuple[SystemResult, ...]
    differences: tuple[Difference, ...]
    machine: Machine
    environment: Environment
