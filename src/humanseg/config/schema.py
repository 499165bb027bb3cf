"""The one configuration object.

The same frozen, strict objects serve the command line, YAML files, Python, the run folder, the
checkpoint and the report. The defaults below are the preset `default`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from humanseg.config.architectures import AnyModel, UNetModel, problem_of_size
from humanseg.config.finding_codes import Code
from humanseg.config.section import FileSection, Positive, Probability, Seed, Share, Side
from humanseg.config.split_config import HoldoutSplit, SplitConfig

Preset: TypeAlias = Literal["default", "reference", "finetune"]
KnownLayout: TypeAlias = Literal[
    "folders", "original", "csv",
    "coco", "yolo", "labelme", "cvat", "supervisely", "label_studio", "voc",
]  # fmt: skip
Layout: TypeAlias = Literal["auto", KnownLayout]


class DataConfig(FileSection):
    """Where the pictures are and how they reach the network's grid."""

    root: Path | None = None
    """Folder, CSV or file of labels with images and masks."""
    layout: Layout = "auto"
    """How pairs are found; `auto` recognises the layout."""
    classes: Annotated[tuple[str, ...], Field(min_length=1)] = ("person",)
    """Names of the labels' classes that are people."""
    extra: tuple[Path, ...] = ()
    """Further data sets: every picture of theirs is trained on, none is validated or tested on."""
    repeat: Annotated[int, Field(ge=1)] = 1
    """Times that an epoch shows each training picture of `root`, against once of `extra`."""
    mask_resize: Literal["area", "nearest"] = "area"
    """`area` averages and cuts at one half; `nearest` takes the top-left pixel, as published."""
    accept: tuple[Code, ...] = ()
    """Errors of the data check, by name, that do not stop a training."""


MOVABLE = ("root", "extra", "accept")
"""Settings of `data` that may be others when a run goes on: its pictures are known by content."""


class AugmentationConfig(FileSection):
    """Random changes of training pictures, drawn per picture, on the training device."""

    horizontal_flip: Probability = 0.5
    """Chance of a left-right flip."""
    vertical_flip: Probability = 0.0
    """Chance of an upside-down flip."""
    affine: Probability = 0.8
    """Chance of a random scale, turn and shift."""
    scale: tuple[Positive, Positive] = (0.7, 1.4)
    """Range of the zoom factor."""
    rotate: Annotated[float, Field(ge=0.0, le=180.0)] = 15.0
    """Largest turn in degrees."""
    translate: Probability = 0.1
    """Largest shift as a share of the side."""
    copy_paste: Probability = 0.0
    """Chance of the people of another picture of the batch being pasted in front."""
    colour: Probability = 0.8
    """Chance of a random brightness, contrast, saturation and gamma."""
    brightness: Probability = 0.25
    """Largest relative change of brightness."""
    contrast: Probability = 0.25
    """Largest relative change of contrast."""
    saturation: Probability = 0.3
    """Largest relative change of saturation."""
    gamma: Share = 0.25
    """Largest relative change of gamma."""
    grey: Probability = 0.1
    """Chance of losing all colour."""
    blur: Probability = 0.1
    """Chance of a Gaussian blur."""
    noise: Probability = 0.1
    """Chance of Gaussian noise."""

    @field_validator("scale")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError(f"got {value[0]} to {value[1]}; the smaller factor comes first.")
        return value


class LossConfig(FileSection):
    """Weights of the summed loss terms."""

    dice: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight of the soft Dice loss."""
    bce: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight of binary cross-entropy."""
    lovasz: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the Lovász hinge, a convex surrogate of each picture's IoU."""
    dice_per_image: bool = False
    """Average Dice over pictures instead of pooling the batch."""
    teacher: str | None = None
    """Model directory, or `bundled`, whose probabilities are learnt beside the masks."""
    teacher_share: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of the teacher's probability in the target of cross-entropy; 0.5 if not given."""

    @model_validator(mode="after")
    def _weigh_something(self) -> Self:
        if self.dice == self.bce == self.lovasz == 0:
            raise ValueError("dice, bce and lovasz are all 0; one must be above 0.")
        if self.teacher is None and self.teacher_share is not None:
            raise ValueError("teacher_share has no effect without a teacher; name one.")
        if self.teacher is not None and self.bce == 0:
            raise ValueError("a teacher has no effect where bce is 0; give bce a weight.")
        return self


class OptimiserConfig(FileSection):
    """How weights move."""

    name: Literal["adam", "adamw"] = "adam"
    """Optimiser."""
    learning_rate: Positive = 0.003
    """Peak learning rate of decoder and head."""
    encoder_rate_factor: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    """The encoder's rate as a share of the learning rate."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight decay."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Course of the rate after the warm-up."""
    warmup: Share = 0.05
    """Share of all steps in which the rate rises linearly."""


class _Seeded(FileSection):
    seed: Seed = 42
    """Seed of initial weights, order and augmentation."""


class LoopConfig(FileSection):
    """The loop."""

    epochs: Annotated[int, Field(ge=1)] = 25
    """Passes over the training pictures."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    """Pictures per step; at least 2, because batch normalisation needs more than one."""
    early_size: tuple[Side, Side] | None = None
    """Height and width of training pictures in the early epochs, which then take less time; unset:
    the network's size from the start."""
    early_share: Probability | None = None
    """Share of the epochs, rounded down, that are early; unset: half, if there is an early_size."""
    ema_decay: Annotated[float, Field(gt=0.0, lt=1.0)] | None = 0.98
    """Decay of the moving average of weights that becomes the model; unset keeps raw weights."""
    checkpoint: Literal["best", "last"] = "last"
    """`last` keeps the final weights (no selection), `best` those of lowest validation loss."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic; `auto` times a few steps and takes the fastest."""
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Memory layout; `auto` times a few steps and takes the fastest."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; asking for a missing device fails."""
    onnx: bool = True
    """Also write model.onnx, by which the model runs without PyTorch."""
    loggers: tuple[Literal["csv", "tensorboard", "wandb", "mlflow"], ...] = ()
    """Lightning's loggers that also get every figure; a package that one needs must be there."""

    @model_validator(mode="before")
    @classmethod
    def _read_tensorboard(cls, values: object) -> object:
        """Models of before 0.1 say `tensorboard`, which was the only logger."""
        if isinstance(values, dict) and isinstance(wanted := values.get("tensorboard"), bool):
            rest = {key: value for key, value in values.items() if key != "tensorboard"}
            return rest | ({"loggers": ("tensorboard",)} if wanted else {})
        return values

    @model_validator(mode="after")
    def _share_early_epochs(self) -> Self:
        if self.early_size is None and self.early_share is not None:
            raise ValueError(
                f"early_share is {self.early_share}, but no epoch is early without early_size; set "
                "early_size, or leave early_share out."
            )
        if self.early_size is not None and self.early_share is None:
            object.__setattr__(self, "early_share", 0.5)  # frozen for all others
        return self


class TrainingConfig(LoopConfig, _Seeded):
    """The loop."""


class EvaluationConfig(FileSection):
    """How finished networks are scored."""

    threshold: Probability = 0.5
    """A pixel is a person where its probability is at least this."""
    flip_averaging: bool = False
    """Average the probability with that of the mirrored picture."""
    sure_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Leave out regions of which less than this share is surely a person; 0: leave all in."""


class TrainConfig(FileSection):
    """Everything one training run depends on."""

    data: DataConfig = DataConfig()
    split: SplitConfig = HoldoutSplit()
    model: AnyModel = UNetModel()
    augmentation: AugmentationConfig = AugmentationConfig()
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _fit_early_size(self) -> Self:
        early = self.training.early_size
        if early is not None and (problem := problem_of_size(self.model, early)):
            raise ValueError(f"training.early_size is {problem}")
        return self
