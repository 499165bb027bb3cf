"""The one configuration object.

The same frozen, strict objects serve the command line, YAML files, Python, the run folder, the
checkpoint and the report. The defaults below are the preset `default`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Arch = Literal["unet", "fpn", "deeplabv3plus"]
Preset = Literal["default", "reference", "finetune"]
Layout = Literal["auto", "folders", "original", "csv", "coco"]

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=2048)]
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
    extra: tuple[Path, ...] = ()
    """Further data sets: every picture of theirs is trained on, none is validated or tested on."""
    repeat: Annotated[int, Field(ge=1)] = 1
    """Times that an epoch shows each training picture of `root`, against once of `extra`."""
    mask_resize: Literal["area", "nearest"] = "area"
    """`area` averages and cuts at one half; `nearest` takes the top-left pixel, as published."""


class SplitConfig(Section):
    """Which pictures train, choose and test."""

    protocol: Literal["holdout", "reference", "folds", "source"] = "holdout"
    """`holdout` draws three disjoint parts, `folds` tests on one of equal folds, `source` on all
    pictures of one source; `reference` is the published 232/58 split."""
    validation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Share of pictures for learning curves and checkpoint choice (all but reference)."""
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Share of pictures that only the final scores see (holdout only)."""
    folds: Annotated[int, Field(ge=2)] = 5
    """Number of folds (folds only)."""
    fold: Annotated[int, Field(ge=1)] = 1
    """The fold to test on, from 1 (folds only)."""
    held_out: str | None = None
    """The source to test on (source only)."""
    groups: Path | None = None
    """CSV with `id` and `group`, `source` or both: groups are never divided; sources are guessed
    from picture sizes otherwise."""
    seed: Seed = 42
    """Seed of the split; the reference split is defined by 42."""

    @property
    def left_out(self) -> str | None:
        """The source that nothing is trained on; None where the protocol leaves none out."""
        return self.held_out if self.protocol == "source" else None

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        if self.protocol == "holdout" and self.validation + self.test >= 1.0:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on; "
                "their sum must be below 1."
            )
        if self.fold > self.folds:
            raise ValueError(f"fold is {self.fold}, folds {self.folds}; folds count from 1.")
        if self.protocol == "source" and self.held_out is None:
            raise ValueError("protocol is source, but held_out names none; name the source.")
        return self


class ModelConfig(Section):
    """The network, in the names of segmentation-models-pytorch."""

    arch: Arch = "unet"
    """Architecture."""
    encoder_name: str = "efficientnet-b0"
    """Any encoder of segmentation-models-pytorch."""
    encoder_weights: str = "imagenet"
    """`imagenet` (from the hub), `none`, or the path of a safetensors file."""
    start_from: str | None = None
    """Model directory to start from instead, decoder and all, or `bundled` for the model that comes
    with humanseg; its architecture and encoder must be these."""
    image_size: tuple[Side, Side] = (320, 320)
    """Height and width of the network's input in pixels, multiples of 32."""
    normalisation: Literal["encoder", "none"] = "encoder"
    """`encoder` applies the encoder's own mean and deviation; `none` only divides by 255."""
    decoder_channels: tuple[Width, Width, Width, Width, Width] | None = None
    """U-Net's decoder widths from coarse to fine; unset: (256, 128, 64, 32, 16)."""
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
    early_size: tuple[Side, Side] | None = None
    """Height and width of training pictures in the early epochs, which then take less time; unset:
    the network's size from the start."""
    early_share: Probability = 0.5
    """Share of the epochs, rounded down, that are early (with early_size only)."""
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
    """A plan: every architecture with every seed on every split, all else equal."""

    archs: tuple[Arch, ...] = ("unet", "fpn", "deeplabv3plus")
    """Architectures to train; `model.arch` is ignored in a plan."""
    seeds: tuple[Seed, ...] = (42,)
    """Training seeds; `training.seed` is ignored in a plan."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Cross-validate: every picture is scored by networks that never saw it; unset: one split."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """Cross-validate this many times, each time with other folds."""
    leave_one_source_out: bool = False
    """Also train without each source of pictures in turn and test on it."""
    test_on: tuple[Path, ...] = ()
    """Other data sets to score the networks on; nothing is trained on them. With folds, their
    pictures are divided among the folds' networks."""
    corrupted_pictures: Annotated[int, Field(ge=0)] = 0
    """Number of test pictures that are also scored with noise, blur, fog and the like; 0: none."""

    @field_validator("archs", "seeds")
    @classmethod
    def _distinct(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError(f"got {list(value)}; give at least one, and each only once.")
        return value

    @field_validator("test_on")
    @classmethod
    def _distinct_names(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        names = [slug(path.name) for path in value]
        if len(set(names)) != len(names):
            raise ValueError(
                f"got {[str(path) for path in value]}; their names must differ, since results are "
                "kept under them."
            )
        return value

    @model_validator(mode="after")
    def _one_protocol(self) -> Self:
        if self.split.protocol in ("folds", "source"):
            raise ValueError(
                f"split.protocol is {self.split.protocol}; in a comparison, ask for folds with "
                "folds and for sources with leave_one_source_out."
            )
        if self.folds is not None and self.split.protocol == "reference":
            raise ValueError(
                f"folds is {self.folds}, but split.protocol reference is one fixed split; "
                "leave one of them out."
            )
        if self.split.seed + self.repeats > 2**32:
            raise ValueError(
                f"repeats is {self.repeats} and split.seed {self.split.seed}; every repeat takes "
                "the next seed, and 4294967295 is the last. Take a smaller split.seed."
            )
        if self.repeats > 1 and self.folds is None:
            raise ValueError(f"repeats is {self.repeats}; it needs folds.")
        return self

    def splits(self, sources: Sequence[str] = ()) -> dict[str, SplitConfig]:
        """Splits of the plan by name, `` for a single one, in the order of training.

        Args:
            sources: sources of the data set; those to leave out, if the plan asks for it.
        """
        splits = {}
        for repeat in range(self.repeats if self.folds else 0):
            for fold in range(1, (self.folds or 0) + 1):
                name = f"fold{fold}" if self.repeats == 1 else f"repeat{repeat + 1}-fold{fold}"
                splits[name] = self._split(
                    protocol="folds", folds=self.folds, fold=fold, seed=self.split.seed + repeat
                )
        if not self.folds:
            splits[""] = self.split
        if self.leave_one_source_out:
            for source in sources:
                splits[f"without-{slug(source)}"] = self._split(protocol="source", held_out=source)
        return splits

    def _split(self, **values: object) -> SplitConfig:
        return SplitConfig.model_validate(self.split.model_dump() | values)

    def runs(self, sources: Sequence[str] = ()) -> dict[str, TrainConfig]:
        """One configuration per run, by run name, in the order of training.

        Args:
            sources: see `splits`.
        """
        shared = self.model_dump(include=set(TrainConfig.model_fields))
        configs = {}
        for split_name, split in self.splits(sources).items():
            for seed in self.seeds:
                for arch in self.archs:
                    values = shared | {
                        "split": split.model_dump(),
                        "model": shared["model"] | {"arch": arch},
                        "training": shared["training"] | {"seed": seed},
                    }
                    parts = (arch, split_name, f"seed{seed}")
                    name = "-".join(part for part in parts if part)
                    configs[name] = TrainConfig.model_validate(values)
        return configs


def slug(text: str) -> str:
    """A text as part of a file name: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "x"
