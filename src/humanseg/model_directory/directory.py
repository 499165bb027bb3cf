"""The saved model: a directory that plain segmentation-models-pytorch can read, plus our record.

config.json         SMP's constructor arguments; names no hub weights, so loading needs no network
model.safetensors   SMP's state dict
humanseg.json       `ModelRecord`: preprocessing, threshold, scores, configuration, provenance
README.md           model card
model.onnx          the same network for every runtime but torch; older directories have none
model.int8.onnx     in int8 arithmetic, if it was made
training-images.npz  what recognises the training images, see `humanseg.data.training_images`
"""

from __future__ import annotations

import difflib
import hashlib
import logging
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from humanseg.config.architectures import ModelConfig, own_settings
from humanseg.config.loading import suitable
from humanseg.config.schema import TrainConfig
from humanseg.model_directory.hub import fetch, is_address, pinned
from humanseg.results import Environment, Record, ScoreSummary, read_record
from humanseg.system.errors import DataError, ModelError, UsageError

_log = logging.getLogger(__name__)

RECORD_FILE = "humanseg.json"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
ONNX_FILE = "model.onnx"
ONNX_INT8_FILE = "model.int8.onnx"
TRAINING_IMAGES_FILE = "training-images.npz"
PACKAGES = "humanseg.models"
"""Entry points of packages that bring models: the model's name, and a package whose folder `model`
is a model directory."""
BUNDLED = "bundled"
CLEAN = "clean"
"""The model of the package humanseg-clean, trained on openly licensed images only."""


@dataclass(frozen=True)
class Variant:
    """A way of predicting with the default model; None: as the model has it."""

    how: str
    image_size: tuple[int, int] | None = None
    flip_averaging: bool | None = None


VARIANTS = {
    "fast": Variant("on images of 256x256 pixels", image_size=(256, 256)),
    "best": Variant("on each image and its mirror image", flip_averaging=True),
}
"""Names for prediction, not of directories."""


class Preprocessing(Record):
    """How a picture becomes the network's input."""

    image_size: tuple[int, int]
    """Height and width of the network's grid in pixels; pictures are stretched to it."""
    mean: tuple[float, float, float]
    """RGB mean on the scale 0 to 1, subtracted inside the network's graph."""
    std: tuple[float, float, float]
    """RGB deviation on the scale 0 to 1, divided by inside the network's graph."""


class Parity(Record):
    """How far an exported file is from the network that it was made of, on the same pictures."""

    pictures: int
    largest_difference: float
    """Largest difference of a probability in any pixel."""
    mean_difference: float
    """Mean absolute difference of the probabilities."""
    mask_agreement: float
    """Share of pixels that both call a person or both call background."""


class QuantisationCost(Record):
    """What int8 arithmetic costs on labelled pictures: the same pictures through both files."""

    pictures: int
    data_fingerprint: str
    iou_fp32: float
    """Mean per-image IoU at the masks' native size."""
    iou_int8: float
    boundary_iou_fp32: float
    """Mean per-image Boundary IoU at the masks' native size."""
    boundary_iou_int8: float


class Quantisation(Record):
    """How model.int8.onnx was made, and what it lost."""

    method: str
    """How ranges of activations were found, such as `minmax`."""
    calibration_pictures: int
    parity: Parity
    cost: QuantisationCost | None = None
    """None where it was not measured."""


class OnnxRecord(Record):
    """The ONNX files of a model directory."""

    precision: Literal["fp32", "fp16"]
    """How model.onnx stores weights; it computes in float32 either way."""
    parity: Parity
    """model.onnx against torch."""
    int8: Quantisation | None = None
    """model.int8.onnx; None where there is none."""


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
    weak: bool = False
    """Whether it scores no better than the mean training mask, the same answer to every picture."""
    extra_fingerprints: tuple[str, ...] = ()
    """Of the further data sets that it was trained on; empty in older records."""
    provenance: tuple[str, ...] = ()
    """Sources of the training pictures, each with its licence or terms; empty if not stated."""
    onnx: OnnxRecord | None = None
    """The ONNX files beside the weights; None where there are none."""
    files: dict[str, str] = Field(default={})
    """SHA-256 of the files with weights by name, as hexadecimal digits; empty in older records."""

    @field_validator("config", mode="before")
    @classmethod
    def _read_version_1(cls, config: object) -> object:
        """Version 1 was first written with the settings of every kind of network and split."""
        return suitable(TrainConfig, config) if isinstance(config, dict) else config


def bundled() -> Path:
    """The directory of the model that comes with humanseg.

    Raises:
        ModelError: this installation carries none.
    """
    directory = _bundled()
    if not (directory / RECORD_FILE).is_file():
        raise ModelError(
            f"{directory}: the bundled model is missing from this installation. Install humanseg "
            "again, or give a model directory."
        )
    return directory


def _bundled() -> Path:
    return Path(str(files("humanseg.model_directory"))) / BUNDLED


def default_model() -> str:
    """`bundled`; `clean` where that is installed and humanseg was built without `bundled`."""
    there = (_bundled() / RECORD_FILE).is_file() or CLEAN not in installed_models()
    return BUNDLED if there else CLEAN


def model_names() -> tuple[str, ...]:
    """Names that stand for models here, without paths and addresses."""
    return (BUNDLED, *VARIANTS, *installed_models())


def installed_models() -> tuple[str, ...]:
    """Names of the models that installed packages bring, in alphabetical order."""
    return tuple(sorted(entry_points(group=PACKAGES).names))


def _installed_model(name: str) -> Path | None:
    for entry in entry_points(group=PACKAGES, name=name):
        try:
            return Path(str(files(entry.value))) / "model"
        except ImportError as error:
            raise ModelError(
                f"{name}: the package {entry.value} that brings it cannot be imported ({error}); "
                "install it again."
            ) from error
    return None


def name_of(directory: Path) -> str:
    """The name of a model that comes with humanseg or another package; the path of any other."""
    named = {_installed_model(name): name for name in installed_models()} | {_bundled(): BUNDLED}
    return named.get(directory, str(directory))


def find_model(name: str | Path | None = None) -> Path:
    """The model directory that a name stands for.

    Args:
        name: path of a model directory; None for `default_model()`; `bundled` for the one that
            comes with humanseg; the name of one that another package brings, such as `clean`;
            `hf://owner/name` or `hf://owner/name@revision` for one on the Hugging Face Hub, the
            only name for which the network is touched.

    Raises:
        UsageError: nothing there, or a file; or the hub has no such model, or cannot be reached.
        ModelError: a folder that is no model directory.
    """
    name = default_model() if name is None else str(name)
    if name == BUNDLED:
        return bundled()
    if name in VARIANTS:
        how = VARIANTS[name].how
        raise UsageError(
            f"{name}: is a way of predicting with `{BUNDLED}`, {how}; give `{BUNDLED}`."
        )
    path = fetch(name) if is_address(name) else Path(name).expanduser()
    if not path.exists() and (brought := _installed_model(name)) is not None:
        return brought
    if not path.is_dir():
        what = "is a file, not a model directory" if path.exists() else "does not exist"
        there = f"`{BUNDLED}`" if name != CLEAN else f"`{BUNDLED}`; `{CLEAN}` is in humanseg-clean"
        near = difflib.get_close_matches(name, model_names(), n=1)
        raise UsageError(
            f"{path}: {what}; give the folder `model` of a finished run, or {there}."
            + "".join(f" Did you mean `{meant}`?" for meant in near)
        )
    if not (path / RECORD_FILE).is_file():
        raise ModelError(
            f"{path}: is not a model directory ({RECORD_FILE} is missing); give the folder `model` "
            "of a finished run."
        )
    return path


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


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of the files with weights of a model directory, by name."""
    paths = (directory / name for name in (WEIGHTS_FILE, ONNX_FILE, ONNX_INT8_FILE))
    return {path.name: _digest(path) for path in paths if path.is_file()}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def refuse_changed(directory: Path, record: ModelRecord, name: str) -> None:
    """Refuse a file of weights that is not the one that humanseg.json was written beside.

    A network runs with wrong weights as well as with right ones, so nothing else would tell.

    Raises:
        ModelError: it has been damaged or exchanged.
    """
    written = record.files.get(name)
    if written is not None and _digest(directory / name) != written:
        raise ModelError(
            f"{directory / name}: is damaged, or not the file that {RECORD_FILE} was written "
            "beside (another SHA-256). Copy the model directory again, or make the file anew with "
            "`humanseg export`."
        )


def warn_if_weak(directory: Path, record: ModelRecord) -> None:
    """Log a warning where a model is marked as no better than the mean training mask."""
    if record.weak:
        _log.warning(
            "%s: this model is no better than the mean training mask, the same answer to every "
            "picture; do not rely on it.",
            directory,
        )


def structure_of(name: str) -> dict[str, Any]:
    """Settings of `ModelConfig` that a training takes over with the weights of a model.

    An address of the hub is pinned to its commit.

    Raises:
        UsageError, ModelError: see `find_model`.
    """
    directory = find_model(name)
    model = read_model_record(directory).config.model
    values = model.model_dump(mode="json", include={*structure(model), "image_size"})
    return values | {"start_from": pinned(name, directory)}


def structure(model: ModelConfig) -> tuple[str, ...]:
    """Keys of a model's settings that its weights only fit as they are."""
    return ("arch", "encoder_name", "normalisation", *own_settings(model.arch))
