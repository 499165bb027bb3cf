"""The one configuration object.

The same frozen, strict objects serve the command line, YAML files, Python, the run folder, the
checkpoint and the report. The defaults below are the preset `default`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Arch = Literal["unet", "fpn", "deeplabv3plus"]
Preset = Literal["default", "reference"]
Layout = Literal["auto", "folders", "original", "csv", "coco"]

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]


class Section(BaseModel):
    """Frozen, no unknown keys, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class DataConfig(Section):
    """Where the pictures are and how they reach the network's grid."""

    root: Path | None = None
    """Folder, CSV or COCO JSON with images and masks."""
    layout: Layout = "auto"
    """How pairs are found; `auto` recognises the layout."""
    mask_resize: Literal["area", "nearest"] = "area"
    """`area` averages and cuts at one half; `nearest` takes the top-left pixel, as published."""


class SplitConfig(Section):
    """Which pictures train, choose and test."""

    protocol: Literal["holdout", "reference"] = "holdout"
    """`holdout` draws three disjoint parts; `reference` is the published 232/58 split."""
    validation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Share of pictures for learning curves and checkpoint choice (holdout only)."""
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Share of pictures that only the final scores see (holdout only)."""
    seed: Seed = 42
    """Seed of the split; the reference split is defined by 42."""

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        if self.validation + self.test >= 1.0:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on; "
                "their sum must be below 1."
            )
        return self


class ModelConfig(Section):
    """The network, in the names of segmentation-models-pytorch."""

    arch: Arch = "unet"
    """Architecture."""
    encoder_name: str = "efficientnet-b0"
    """Any encoder of segmentation-models-pytorch."""
    encoder_weights: str = "imagenet"
    """`imagenet` (from the hub), `none`, or the path of a safetensors file."""
    image_size: tuple[Side, Side] = (320, 320)
    """Height and width of the network's input in pixels, multiples of 32."""
    normalisation: Literal["encoder", "none"] = "encoder"
    """`encoder` applies the encoder's own mean and deviation; `none` only divides by 255."""
    encoder_output_stride: Literal[8, 16] = 16
    """Output stride of DeepLabV3+'s encoder; the other two ignore it."""
    decoder_atrous_rates: tuple[Rate, Rate, Rate] | None = None
    """DeepLabV3+'s atrous rates; unset: (6, 12, 18) at stride 16, (12, 24, 36) at stride 8."""


class AugmentationConfig(Section):
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
    colour: Probability = 0.8
    """Chance of a random brightness, contrast, saturation and gamma."""
    brightness: Probability = 0.25
    """Largest relative change of brightness."""
    contrast: Probability = 0.25
    """Largest relative change of contrast."""
    saturation: Probability = 0.3
    """Largest relative change of saturation."""
    gamma: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.25
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


class LossConfig(Section):
    """Weights of the summed loss terms."""

    dice: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight of the soft Dice loss."""
    bce: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight of binary cross-entropy."""
    dice_per_image: bool = False
    """Average Dice over pictures instead of pooling the batch."""

    @model_validator(mode="after")
    def _weigh_something(self) -> Self:
        if self.dice == 0 and self.bce == 0:
            raise ValueError("dice and bce are both 0; one must be above 0.")
        return self


class OptimiserConfig(Section):
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
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    """Share of all steps in which the rate rises linearly."""


class TrainingConfig(Section):
    """The loop."""

    epochs: Annotated[int, Field(ge=1)] = 25
    """Passes over the training pictures."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    """Pictures per step; at least 2, because batch normalisation needs more than one."""
    seed: Seed = 42
    """Seed of initial weights, order and augmentation."""
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
    tensorboard: bool = False
    """Also write TensorBoard events."""


class EvaluationConfig(Section):
    """How finished networks are scored."""

    threshold: Probability = 0.5
    """A pixel is a person where its probability is at least this."""
    flip_averaging: bool = False
    """Average the probability with that of the mirrored picture."""


class TrainConfig(Section):
    """Everything one training run depends on."""

    data: DataConfig = DataConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()


class CompareConfig(TrainConfig):
    """A plan: every architecture with every seed, all else equal."""

    archs: tuple[Arch, ...] = ("unet", "fpn", "deeplabv3plus")
    """Architectures to train; `model.arch` is ignored in a plan."""
    seeds: tuple[Seed, ...] = (42,)
    """Training seeds; `training.seed` is ignored in a plan."""

    @field_validator("archs", "seeds")
    @classmethod
    def _distinct(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError(f"got {list(value)}; give at least one, and each only once.")
        return value

    def runs(self) -> dict[str, TrainConfig]:
        """One configuration per run, by run name, in the order of training."""
        shared = self.model_dump(exclude={"archs", "seeds"})
        configs = {}
        for seed in self.seeds:
            for arch in self.archs:
                values = shared | {
                    "model": shared["model"] | {"arch": arch},
                    "training": shared["training"] | {"seed": seed},
                }
                configs[f"{arch}-seed{seed}"] = TrainConfig.model_validate(values)
        return configs
