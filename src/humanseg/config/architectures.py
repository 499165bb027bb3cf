"""The one table of architectures: what each is called, and which settings are its own.

Free of torch, so that the configuration, the report and the networks all read the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from humanseg.config.section import FileSection, Side, default_kind, kinds_of

Arch: TypeAlias = Literal[
    "unet",
    "fpn",
    "deeplabv3plus",
    "unetplusplus",
    "manet",
    "linknet",
    "pspnet",
    "pan",
    "deeplabv3",
    "upernet",
    "segformer",
    "dpt",
]
PUBLISHED: tuple[Arch, ...] = ("unet", "fpn", "deeplabv3plus")
"""Those of the published table, which a comparison takes by default."""

_Rate = Annotated[int, Field(ge=1)]
Rates: TypeAlias = tuple[_Rate, _Rate, _Rate]
_Width = Annotated[int, Field(ge=1, le=2048)]
Widths: TypeAlias = tuple[_Width, _Width, _Width, _Width, _Width]


class _Named(FileSection):
    arch: Arch
    """Architecture."""


class SharedModel(FileSection):
    """Settings that every network has."""

    encoder_name: str = "efficientnet-b0"
    """Any encoder of segmentation-models-pytorch; DPT takes vision transformers (`tu-vit...`)."""
    encoder_weights: str | None = None
    """`imagenet` (from the hub), `none`, or the path of a safetensors file; unset: `imagenet`, or
    all weights of `start_from`."""
    start_from: str | None = None
    """Model directory to start from instead, decoder and all, or `bundled` for the model that comes
    with humanseg; its architecture and encoder must be these."""
    image_size: tuple[Side, Side] = (320, 320)
    """Height and width of the network's input in pixels, multiples of 32."""
    normalisation: Literal["encoder", "none"] = "encoder"
    """`encoder` applies the encoder's own mean and deviation; `none` only divides by 255."""

    @model_validator(mode="after")
    def _start_once(self) -> Self:
        if self.start_from is None and self.encoder_weights is None:
            object.__setattr__(self, "encoder_weights", "imagenet")  # frozen for all others
        if self.start_from is not None and self.encoder_weights is not None:
            raise ValueError(
                f"encoder_weights is {self.encoder_weights}, but all weights are those of "
                f"start_from ({self.start_from}); leave one of them out."
            )
        return self


class ModelConfig(SharedModel, _Named):
    """The network, in the names of segmentation-models-pytorch."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        entry = ARCHITECTURES[self.arch]
        name = self.encoder_name
        if name.startswith(entry.never_encoders) or not name.startswith(entry.encoders):
            raise ValueError(
                f"encoder_name is {name}; {self.arch} {entry.encoder_rule}. Take another encoder "
                "or another arch."
            )
        if problem := problem_of_size(self, self.image_size):
            raise ValueError(f"image_size is {problem}")
        return self


class PlainModel(ModelConfig):
    """A network without settings of its own."""

    arch: Literal["fpn", "linknet", "pspnet", "upernet", "segformer", "dpt"]
    """Architecture."""


class UNetModel(ModelConfig):
    """U-Net or one of its relatives, with five stages in the decoder."""

    arch: Literal["unet", "unetplusplus", "manet"] = "unet"
    """Architecture."""
    decoder_channels: Widths | None = None
    """Decoder widths from coarse to fine; unset: (256, 128, 64, 32, 16)."""


class PANModel(ModelConfig):
    """Pyramid attention network."""

    arch: Literal["pan"] = "pan"
    """Architecture."""
    encoder_output_stride: Literal[16, 32] = 16
    """Output stride of the encoder."""


ATROUS_RATES: dict[int, Rates] = {16: (6, 12, 18), 8: (12, 24, 36)}
"""Rates by output stride, from the DeepLabV3+ authors' code (tensorflow/models#4233). SMP's default
of (12, 24, 36) at stride 16 leaves two of three branches without a valid off-centre tap at 320."""


class DeepLabModel(ModelConfig):
    """DeepLabV3 or DeepLabV3+."""

    arch: Literal["deeplabv3", "deeplabv3plus"] = "deeplabv3plus"
    """Architecture."""
    encoder_output_stride: Literal[8, 16] = 16
    """Output stride of the encoder."""
    decoder_atrous_rates: Rates | None = None
    """Atrous rates; unset: (6, 12, 18) at stride 16, (12, 24, 36) at stride 8."""

    @property
    def atrous_rates(self) -> Rates:
        """The rates that are used."""
        return self.decoder_atrous_rates or ATROUS_RATES[self.encoder_output_stride]


AnyModel: TypeAlias = Annotated[
    UNetModel | DeepLabModel | PANModel | PlainModel,
    Field(discriminator="arch"),
    default_kind("arch", "unet"),
]


@dataclass(frozen=True)
class Architecture:
    """What the rest of the package knows about an architecture."""

    smp_class: str
    """Name of its class in segmentation-models-pytorch."""
    label: str
    """Name in reports."""
    output_stride: int | None
    """Pixels of the network's grid per logit, before its own bilinear upsampling; None: the
    configured stride of its encoder."""
    encoders: tuple[str, ...] = ("",)
    """How the names of its encoders begin."""
    never_encoders: tuple[str, ...] = ()
    """How the names of encoders begin that it cannot have."""
    encoder_rule: str = "takes encoders with features at strides 2 to 32, no plain transformers"
    """Both in words, after the name of the architecture."""
    smallest_grid: int = 1
    """Fewest rows and columns of the encoder's coarsest features."""
    one_size: bool = False
    """Whether its encoders take images of one size only, as vision transformers do."""


_DILATED = "takes encoders that can be dilated, so neither VGG, DenseNet nor plain transformers"

ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture("Unet", "U-Net", 1),
    "fpn": Architecture("FPN", "FPN", 4),
    "deeplabv3plus": Architecture("DeepLabV3Plus", "DeepLabV3+", 4, encoder_rule=_DILATED),
    "unetplusplus": Architecture(
        "UnetPlusPlus",
        "U-Net++",
        1,
        never_encoders=("mit_b", "vgg"),  # its code for VGG leaves a block of weights unused
        encoder_rule="takes neither Mix Transformers (mit_b...) nor VGG (vgg...) as encoder",
    ),
    "manet": Architecture("MAnet", "MA-Net", 1),
    "linknet": Architecture(
        "Linknet",
        "LinkNet",
        1,
        never_encoders=("mit_b",),
        encoder_rule="takes no Mix Transformers (mit_b...) as encoder",
    ),
    "pspnet": Architecture("PSPNet", "PSPNet", 8),
    "pan": Architecture("PAN", "PAN", 4, encoder_rule=_DILATED, smallest_grid=8),
    "deeplabv3": Architecture("DeepLabV3", "DeepLabV3", None, encoder_rule=_DILATED),
    "upernet": Architecture("UPerNet", "UPerNet", 4),
    "segformer": Architecture("Segformer", "SegFormer", 4),
    "dpt": Architecture(
        "DPT",
        "DPT",
        2,
        encoders=("tu-",),
        encoder_rule="takes encoders of timm only (tu-..., best a vision transformer: tu-vit...)",
        one_size=True,
    ),
}
"""By `arch`. The order gives each its colour in reports."""


def label(arch: str) -> str:
    """Name of an architecture in reports; one that is not in the table keeps its own."""
    return ARCHITECTURES[arch].label if arch in ARCHITECTURES else arch


def output_stride(config: ModelConfig) -> int:
    """Pixels of the network's grid per logit, before the network's own bilinear upsampling."""
    stride = ARCHITECTURES[config.arch].output_stride
    return int(config.encoder_output_stride if stride is None else stride)  # type: ignore[attr-defined]


def problem_of_size(config: ModelConfig, size: tuple[int, int]) -> str | None:
    """What is wrong with images of a size (height, width), as the end of a sentence.

    Which size a vision transformer takes only timm knows; `build_network` says it.
    """
    if ARCHITECTURES[config.arch].one_size and size != config.image_size:
        return (
            f"{size[0]}x{size[1]}; {config.arch} takes images of one size only, that of "
            "model.image_size. Leave it out, or take another arch."
        )
    least = ARCHITECTURES[config.arch].smallest_grid * getattr(config, "encoder_output_stride", 1)
    if min(size) >= least:
        return None
    return (
        f"{size[0]}x{size[1]}; {config.arch} needs {least} pixels at least on each side (8 times "
        f"encoder_output_stride). Take a larger size or another arch."
    )


def own_settings(arch: Arch) -> tuple[str, ...]:
    """Keys that this architecture has beside those that all share."""
    kind = kinds_of(_Holder.model_fields["model"])[arch]
    return tuple(key for key in kind.model_fields if key not in ModelConfig.model_fields)


def model_settings(arch: Arch = "unet", **values: Any) -> AnyModel:  # noqa: ANN401  as the classes
    """Settings of a network by the name of its architecture.

    Raises:
        ConfigError: with one sentence for every value that is not allowed.
    """
    return _Holder(model={**values, "arch": arch}).model


class _Holder(FileSection):
    model: AnyModel


def decoder_arguments(config: ModelConfig) -> dict[str, Any]:
    """Arguments of the SMP class that come from settings of the architecture's own."""
    own = {key: getattr(config, key) for key in own_settings(config.arch)}
    if isinstance(config, DeepLabModel):
        own["decoder_atrous_rates"] = config.atrous_rates
    given = {key: value for key, value in own.items() if value is not None}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in given.items()}
