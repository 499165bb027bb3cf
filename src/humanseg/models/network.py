"""Build a network: an SMP model with its normalisation inside the graph."""

from __future__ import annotations

import difflib
import warnings

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from humanseg.config.architectures import ARCHITECTURES, ModelConfig, decoder_arguments
from humanseg.models.encoder_weights import load_encoder_weights
from humanseg.system.errors import GuardError, UsageError, first_line

SMP_CLASSES: dict[str, type[nn.Module]] = {
    arch: getattr(smp, architecture.smp_class) for arch, architecture in ARCHITECTURES.items()
}


class SegmentationNetwork(nn.Module):
    """RGB pictures in, one logit per pixel out; normalisation cannot be forgotten or done twice."""

    mean: Tensor
    std: Tensor
    memory_format: torch.memory_format
    """Layout in which pictures enter the convolutions; the weights' own is up to the caller."""

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
        weights: str = "none",
    ) -> None:
        """Wrap an SMP model, or a network of one's own.

        Args:
            network: takes (N, 3, H, W) and gives (N, 1, H, W) logits: one class, no activation.
            mean: RGB mean on the scale 0 to 1 that is subtracted.
            std: RGB deviation on the scale 0 to 1 that is divided by.
            weights: where the encoder's initial weights came from, for the record.
        """
        super().__init__()
        self.network = network
        self.weights = weights
        self.unused_parameters: frozenset[str] = frozenset()  # see `freeze_unused_parameters`
        self.memory_format = torch.channels_last
        # Not persistent: model.safetensors holds exactly what plain SMP expects.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise_by(
        self, mean: tuple[float, float, float], std: tuple[float, float, float]
    ) -> None:
        """Take another RGB mean and deviation, on the scale 0 to 1."""
        self.mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
        self.std.copy_(torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 1, H, W) of RGB images (N, 3, H, W), 0 to 255, H and W multiples of 32.

        Sigmoid gives the probability of a person.
        """
        normalised = (images.float() / 255.0 - self.mean) / self.std
        # Decoded pictures come as NHWC in memory; convolutions follow whichever side is NHWC.
        logits: Tensor = self.network(normalised.contiguous(memory_format=self.memory_format))
        return logits


def _check_encoder(name: str) -> None:
    """Refuse an encoder that is neither SMP's own nor, as `tu-...`, any model of timm."""
    if name.startswith("tu-"):
        import timm

        wanted, names, prefix = name[3:].split(".")[0], timm.list_models(), "tu-"
    else:
        wanted, names, prefix = name, sorted(smp.encoders.get_encoder_names()), ""
    if wanted in names:
        return
    near = [prefix + match for match in difflib.get_close_matches(wanted, names, n=3)]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(
        f"model.encoder_name: got {name!r}; no such encoder in segmentation-models-pytorch.{hint}"
    )


def build_network(config: ModelConfig) -> SegmentationNetwork:
    """Build the network of a configuration with its initial weights.

    Parameters that no output depends on (some encoders carry such) are frozen, so that every
    parameter that still requires a gradient is one that must move in training.

    Raises:
        UsageError: no such encoder, or no such weights for it.
        ModelError: the weights cannot be had or do not fit.
    """
    _check_encoder(config.encoder_name)
    with warnings.catch_warnings():
        # SMP prefers `tu-` names; the `timm-` ones measure faster for EfficientNet-Lite.
        warnings.filterwarnings("ignore", message="`timm-` encoders are deprecated")
        network = _construct(config)
    source, mean, std = load_encoder_weights(network.get_submodule("encoder"), config)
    if config.encoder_weights == "none":
        _follow_statistics(network)
    if config.arch == "manet":
        _start_gates_awake(network)
    wrapped = SegmentationNetwork(network, weights=source)
    if config.normalisation != "none":
        wrapped.normalise_by(mean, std)
    try:
        freeze_unused_parameters(wrapped, config.image_size)
    except (RuntimeError, AssertionError, ValueError) as error:  # features of no pixel, or too few
        raise _unfit(config, network, error) from error
    return wrapped


def _follow_statistics(network: nn.Module) -> None:
    """Have batch statistics follow within ten steps, torch's own default, not a hundred.

    EfficientNet's momentum of 0.01 belongs to trainings of many thousand steps. From random
    weights, features change fast, and in a training of a few hundred steps the statistics stay so
    far behind that a network that has learnt finds nobody in evaluation.
    """
    usual = nn.BatchNorm2d(1).momentum or 0.0
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.momentum is not None:
            module.momentum = max(module.momentum, usual)


def _start_gates_awake(network: nn.Module) -> None:
    """Have the gates of MA-Net's decoder start with units that are on.

    They squeeze channels to as few as one unit behind a ReLU. By chance of the initial weights all
    units of a gate can be off for every image; no gradient passes then, and the gate never learns.
    """
    for name, module in network.named_modules():
        if name.rpartition(".")[2] in ("SE_ll", "SE_hl"):
            squeeze = module.get_submodule("1")
            nn.init.ones_(squeeze.get_parameter("bias"))
            squeeze.get_parameter("weight").data.mul_(0.1)


def _construct(config: ModelConfig) -> nn.Module:
    own = decoder_arguments(config) | {"encoder_weights": None}
    try:
        return SMP_CLASSES[config.arch](encoder_name=config.encoder_name, classes=1, **own)
    except Exception as error:  # SMP raises many kinds for encoders that do not fit
        raise UsageError(
            f"model.encoder_name: {config.encoder_name} cannot be the encoder of {config.arch} "
            f"({first_line(error).rstrip('.')}). {config.arch} "
            f"{ARCHITECTURES[config.arch].encoder_rule}: take another encoder, or another "
            "model.arch."
        ) from error


def _unfit(config: ModelConfig, network: nn.Module, error: Exception) -> UsageError:
    """Say why a network that could be built cannot be run at the configured size."""
    height, width = config.image_size
    own = _own_size(network)
    if own is not None and own != config.image_size:
        possible = all(side % 32 == 0 for side in own)
        what_to_do = "Set model.image_size to that, or take" if possible else "Take"
        return UsageError(
            f"model.image_size: got {height} {width}, but the encoder {config.encoder_name} takes "
            f"{own[0]} {own[1]} only{'' if possible else ', no multiples of 32'}. {what_to_do} "
            "another encoder, such as tu-vit_small_patch16_224."
        )
    return UsageError(
        f"model.encoder_name: {config.encoder_name} cannot be the encoder of {config.arch} at "
        f"{height}x{width} ({first_line(error).rstrip('.')}). Take another encoder, or another "
        "model.image_size."
    )


def _own_size(network: nn.Module) -> tuple[int, int] | None:
    """Height and width that a vision transformer is built for; None for other encoders."""
    try:
        embedding = network.get_submodule("encoder.model.patch_embed")
    except AttributeError:
        return None
    size = getattr(embedding, "img_size", None)
    return None if size is None else (int(size[0]), int(size[1]))


def freeze_unused_parameters(network: SegmentationNetwork, image_size: tuple[int, int]) -> None:
    """Stop asking a gradient of encoder parameters that the output does not depend on.

    Raises:
        GuardError: the output does not depend on parameters outside the encoder either.
    """
    was_training = network.training
    network.eval()  # batch statistics must stay as they are
    network(torch.zeros(1, 3, *image_size)).sum().backward()
    network.train(was_training)
    unused = []
    for name, parameter in network.named_parameters():
        if parameter.grad is None:
            if not name.startswith("network.encoder."):
                raise GuardError(f"The network's output does not depend on its parameter {name}.")
            parameter.requires_grad_(False)
            unused.append(name)
        parameter.grad = None
    network.unused_parameters = frozenset(unused)
