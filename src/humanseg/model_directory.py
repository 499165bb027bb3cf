"""The saved model: a directory that plain segmentation-models-pytorch can read, plus our record.

config.json         SMP's constructor arguments; names no hub weights, so loading needs no network
model.safetensors   SMP's state dict
humanseg.json       `ModelRecord`: preprocessing, threshold, scores, configuration, provenance
README.md           model card
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from humanseg.config import TrainConfig
from humanseg.errors import DataError, ModelError
from humanseg.results import (
    Environment,
    Record,
    ScoreSummary,
    read_record,
    write_record,
    write_text,
)

RECORD_FILE = "humanseg.json"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


class Preprocessing(Record):
    """How a picture becomes the network's input."""

    image_size: tuple[int, int]
    """Height and width of the network's grid in pixels; pictures are stretched to it."""
    mean: tuple[float, float, float]
    """RGB mean on the scale 0 to 1, subtracted inside the network's graph."""
    std: tuple[float, float, float]
    """RGB deviation on the scale 0 to 1, divided by inside the network's graph."""


class ModelRecord(Record):
    """humanseg.json: everything that using a model needs, and where it came from."""

    schema_version: Literal[1] = 1
    arch: str
    encoder_name: str
    preprocessing: Preprocessing
    threshold: float
    """A pixel is a person where its probability is at least this."""
    encoder_weights: str
    """`none`, a hub name, or file name and SHA-256 of the initial encoder weights."""
    config: TrainConfig
    data_fingerprint: str
    summary: ScoreSummary | None
    """Scores on the pictures held out from training; None before evaluation."""
    environment: Environment


def read_model_record(directory: Path) -> ModelRecord:
    """Read humanseg.json of a model directory.

    Raises:
        ModelError: not a model directory, or damaged.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (directory / name).is_file():
            raise ModelError(
                f"{directory}: is not a model directory ({name} is missing); give the folder "
                "`model` of a finished run."
            )
    try:
        return read_record(directory / RECORD_FILE, ModelRecord)
    except DataError as error:
        raise ModelError(str(error)) from error


def write_model_record(directory: Path, record: ModelRecord) -> None:
    """Write humanseg.json and the model card."""
    write_record(directory / RECORD_FILE, record)
    write_text(directory / "README.md", model_card(record))


def _scores_in_words(summary: ScoreSummary | None) -> str:
    if summary is None or summary.iou_mean is None or summary.boundary_iou_mean is None:
        return "Not evaluated."
    return (
        f"On {summary.images} held-out pictures at the masks' native size: mean per-image IoU "
        f"{summary.iou_mean:.3f}, Boundary IoU {summary.boundary_iou_mean:.3f}."
    )


def model_card(record: ModelRecord) -> str:
    """Model card in Markdown; states what is known about licences and what is not."""
    height, width = record.preprocessing.image_size
    return f"""---
library_name: segmentation-models-pytorch
pipeline_tag: image-segmentation
tags: [person-segmentation, humanseg]
---
# {record.arch} with {record.encoder_name}: person segmentation

Input: RGB picture, 0 to 255, stretched to {height}x{width}. Output: one logit per pixel; a pixel
is a person where its probability is at least {record.threshold}.

The network in `model.safetensors` expects pictures on the scale 0 to 1, less the mean
{list(record.preprocessing.mean)}, divided by {list(record.preprocessing.std)}; humanseg does this
inside its graph.

## Scores

{_scores_in_words(record.summary)}

## Provenance

Encoder weights at the start: {record.encoder_weights}. Data fingerprint: {record.data_fingerprint}.
Made on {record.environment.date} with humanseg {record.environment.humanseg}, seed
{record.config.training.seed}; the whole configuration is in `{RECORD_FILE}`.

## Licence

The weights are derived from the training pictures and the initial encoder weights named above;
their terms apply. humanseg does not know the terms of data that it was given.
"""
