"""Random changes of training pictures: whole batches at once, drawn per picture, on any device.

Flips by index, one affine resampling for scale, turn and shift, then colour, blur and noise. All
randomness comes from the generator that is passed in, so a batch can be drawn again.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from humanseg.config import AugmentationConfig

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_NOISE_LEVEL = 12.0  # largest standard deviation, on the scale 0 to 255
_BLUR_SIGMA = (0.4, 1.6)  # pixels


def augment(
    images: Tensor, masks: Tensor, config: AugmentationConfig, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Change every picture of a batch, and its mask with it.

    Args:
        images: uint8 (N, 3, H, W), 0 to 255.
        masks: bool (N, 1, H, W), True where there is a person.
        config: chances and ranges.
        generator: on the tensors' device; the only source of randomness.

    Returns:
        float32 (N, 3, H, W), 0 to 255, and bool (N, 1, H, W).
    """
    draw = _Draw(len(images), images.device, generator)
    pictures = images.float()
    pictures, masks = _flip(pictures, masks, draw, config)
    if config.affine > 0:
        pictures, masks = _affine(pictures, masks, draw, config)
    if config.colour > 0 or config.grey > 0:
        pictures = _colour(pictures, draw, config)
    if config.blur > 0:
        pictures = _blur(pictures, draw, config.blur)
    if config.noise > 0:
        pictures = _noise(pictures, draw, config.noise)
    return pictures.clamp(0.0, 255.0), masks


class _Draw:
    """Per-picture random numbers of one batch."""

    def __init__(self, count: int, device: torch.device, generator: Generator) -> None:
        self.count = count
        self.device = device
        self.generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        values = torch.rand(self.count, device=self.device, generator=self.generator)
        return low + (high - low) * values

    def chance(self, probability: float) -> Tensor:
        return self.uniform(0.0, 1.0) < probability


def _each(values: Tensor) -> Tensor:
    """Shape (N,) as (N, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def _flip(
    images: Tensor, masks: Tensor, draw: _Draw, config: AugmentationConfig
) -> tuple[Tensor, Tensor]:
    for probability, axis in ((config.horizontal_flip, 3), (config.vertical_flip, 2)):
        if probability > 0:
            chosen = _each(draw.chance(probability))
            images = torch.where(chosen, images.flip(axis), images)
            masks = torch.where(chosen, masks.flip(axis), masks)
    return images, masks


def _affine(
    images: Tensor, masks: Tensor, draw: _Draw, config: AugmentationConfig
) -> tuple[Tensor, Tensor]:
    """Scale, turn and shift in one resampling; what comes from outside is mirrored in.

    The mirrored margin keeps its labels, so no invented background enters the loss.
    """
    height, width = images.shape[2:]
    chosen = draw.chance(config.affine).float()
    low, high = (math.log(value) for value in config.scale)
    zoom = torch.exp(draw.uniform(low, high) * chosen)
    angle = draw.uniform(-config.rotate, config.rotate) * chosen * (math.pi / 180.0)
    shift_x, shift_y = (draw.uniform(-1.0, 1.0) * chosen * config.translate * 2.0 for _ in range(2))
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    aspect = height / width
    rows = [
        torch.stack([cos, -sin * aspect, shift_x], dim=1),
        torch.stack([sin / aspect, cos, shift_y], dim=1),
    ]
    grid = functional.affine_grid(
        torch.stack(rows, dim=1), [len(images), 1, height, width], align_corners=False
    )
    # One call for both: a mask sampled bilinearly and cut at one half stays aligned.
    both = torch.cat([images, masks.to(images.dtype)], dim=1)
    both = functional.grid_sample(
        both, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return both[:, :3], both[:, 3:] >= 0.5


def _luma(images: Tensor) -> Tensor:
    weights = torch.tensor(_LUMA, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _colour(images: Tensor, draw: _Draw, config: AugmentationConfig) -> Tensor:
    """Gamma, brightness, contrast and saturation, each around 1, then grey for a few."""
    chosen = draw.chance(config.colour).float()

    def factor(reach: float) -> Tensor:
        return _each(1.0 + draw.uniform(-reach, reach) * chosen)

    gamma, brightness = factor(config.gamma), factor(config.brightness)
    contrast, saturation = factor(config.contrast), factor(config.saturation)
    images = (images / 255.0).clamp_min(1e-6).pow(gamma) * (255.0 * brightness)
    middle = _luma(images).mean((2, 3), keepdim=True)
    images = middle + (images - middle) * contrast
    grey = _luma(images)
    saturation = torch.where(_each(draw.chance(config.grey)), 0.0, saturation)
    return (grey + (images - grey) * saturation).clamp(0.0, 255.0)


def _blur(images: Tensor, draw: _Draw, probability: float) -> Tensor:
    """Gaussian blur with one width per picture, as two grouped one-dimensional convolutions."""
    chosen = draw.chance(probability)
    sigma = torch.where(chosen, draw.uniform(*_BLUR_SIGMA), 1e-3)
    radius = math.ceil(2.5 * _BLUR_SIGMA[1])
    steps = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, dim=0)
    count, _, height, width = images.shape
    flat = images.reshape(1, count * 3, height, width)
    for shape, padding in (
        ((-1, 1, 1, len(steps)), (radius, radius, 0, 0)),
        ((-1, 1, len(steps), 1), (0, 0, radius, radius)),
    ):
        padded = functional.pad(flat, padding, mode="reflect")
        flat = functional.conv2d(padded, kernel.view(*shape), groups=count * 3)
    return flat.reshape(count, 3, height, width)


def _noise(images: Tensor, draw: _Draw, probability: float) -> Tensor:
    level = draw.uniform(0.0, _NOISE_LEVEL) * draw.chance(probability).float()
    noise = torch.randn(images.shape, device=images.device, generator=draw.generator)
    return images + noise * _each(level)
