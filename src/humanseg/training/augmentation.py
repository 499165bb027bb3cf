"""Random changes of training pictures: whole batches at once, drawn per picture, on any device.

Flips by index, one affine resampling for scale, turn and shift, people of other pictures, then
colour, blur and noise. All
randomness comes from the generator that is passed in, so a batch can be drawn again. Each change
touches only the pictures that it was drawn for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.nn import functional

from humanseg.config.schema import AugmentationConfig

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_NOISE_LEVEL = 12.0  # largest standard deviation, on the scale 0 to 255
_BLUR_SIGMA = (0.4, 1.6)  # pixels


def augment(
    images: Tensor,
    masks: Tensor,
    config: AugmentationConfig,
    generator: Generator,
    *,
    shard: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Change every picture of a batch, and its mask with it.

    Args:
        images: uint8 (N, 3, H, W), 0 to 255.
        masks: bool (N, 1, H, W), True where there is a person, or with a second channel of what is
            ignored.
        config: chances and ranges.
        generator: on the CPU, whatever the tensors' device; the only source of randomness. Which
            pictures change is known to the host, so a GPU is never waited for.
        shard: (first, all) where `images` are those from `first` of a batch of `all` pictures that
            several processes shard: each then changes as it would in the undivided batch.

    Returns:
        float32 (N, 3, H, W), 0 to 255, and bool masks as they were given.
    """
    first, count = shard or (0, len(images))
    draw = _Draw(range(first, first + len(images)), count, images.device, generator)
    changed, masks = images.float(), masks.clone()
    for probability, axis in ((config.horizontal_flip, 3), (config.vertical_flip, 2)):
        for hit in draw.chosen(probability):
            changed[hit], masks[hit] = changed[hit].flip(axis), masks[hit].flip(axis)
    for hit in draw.chosen(config.affine):
        changed[hit], masks[hit] = _affine(changed[hit], masks[hit], draw, config)
    for hit in draw.chosen(config.copy_paste):
        changed[hit], masks[hit] = _copy_paste(changed, masks, hit, draw)
    for hit in draw.chosen(config.colour):
        changed[hit] = _colour(changed[hit], draw, config)
    for hit in draw.chosen(config.grey):
        changed[hit] = _luma(changed[hit]).expand(-1, 3, -1, -1)
    for hit in draw.chosen(config.blur):
        changed[hit] = _blur(changed[hit], draw)
    for hit in draw.chosen(config.noise):
        changed[hit] = _noise(changed[hit], draw)
    return changed.clamp_(0.0, 255.0), masks


def shrink(images: Tensor, masks: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Bring a batch to a smaller size, pictures with antialiasing, masks cut at one half.

    uint8 (N, 3, H, W), 0 to 255, and bool (N, 1 or 2, H, W).
    """
    smaller = functional.interpolate(images.float(), size, mode="bilinear", antialias=True)
    cover = functional.interpolate(masks.float(), size, mode="bilinear", antialias=True)
    return smaller.round_().clamp_(0.0, 255.0).to(torch.uint8), cover >= 0.5


class _Draw:
    """Per-picture random numbers of one batch, of which this process may have only a part.

    Numbers are drawn for the whole batch, so that the generators of all processes stay alike.
    """

    def __init__(self, own: range, count: int, device: torch.device, generator: Generator) -> None:
        self._own = own
        self._count = count
        self._device = device
        self._generator = generator
        self._hits = 0
        self._own_hits = slice(0)

    def chosen(self, probability: float) -> Iterator[Tensor]:
        """Indices of own pictures that a change meets; yields nothing where it meets no picture."""
        if probability > 0:
            hits = torch.rand(self._count, generator=self._generator) < probability
            indices = hits.nonzero()[:, 0]
            self._hits = len(indices)
            if self._hits:
                first, end = (
                    int(hits[:limit].sum()) for limit in (self._own.start, self._own.stop)
                )
                self._own_hits = slice(first, end)
                own = indices[self._own_hits] - self._own.start
                yield own.to(self._device, non_blocking=True)

    def uniform(self, low: float, high: float) -> Tensor:
        """One number per own picture that was chosen last, (N, 1, 1, 1), on the device."""
        values = torch.rand(self._hits, 1, 1, 1, generator=self._generator)[self._own_hits]
        return (low + (high - low) * values).to(self._device, non_blocking=True)

    def normal(self, shape: torch.Size) -> Tensor:
        """Independent standard normal numbers (N, *shape[1:]) for own pictures chosen last."""
        seed = int(torch.randint(2**48, (), generator=self._generator))
        generator = torch.Generator(self._device).manual_seed(seed)
        numbers = torch.randn((self._hits, *shape[1:]), device=self._device, generator=generator)
        return numbers[self._own_hits]


def _affine(
    images: Tensor, masks: Tensor, draw: _Draw, config: AugmentationConfig
) -> tuple[Tensor, Tensor]:
    """Scale, turn and shift in one resampling; what comes from outside is mirrored in.

    The mirrored margin keeps its labels, so no invented background enters the loss.
    """
    # grid_sample asks where every output pixel is read: the inverse of the change, so dividing
    # by the zoom enlarges. In coordinates from -1 to 1 the axes have different units, so the mixed
    # terms of the rotation carry the aspect ratio. The zoom is drawn evenly in its logarithm.
    height, width = images.shape[2:]
    low, high = (math.log(value) for value in config.scale)
    zoom = torch.exp(draw.uniform(low, high))
    angle = draw.uniform(-config.rotate, config.rotate) * (math.pi / 180.0)
    reach = 2.0 * config.translate  # the grid runs from -1 to 1
    shift_x, shift_y = (draw.uniform(-reach, reach) for _ in range(2))
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    aspect = height / width
    rows = [[cos, -sin * aspect, shift_x], [sin / aspect, cos, shift_y]]
    matrices = torch.stack([torch.cat(row, dim=1)[..., 0, 0] for row in rows], dim=1)
    if not len(images):
        return images, masks
    grid = functional.affine_grid(matrices, [len(images), 1, height, width], align_corners=False)
    # One call for both: a mask sampled bilinearly and cut at one half stays aligned.
    both = torch.cat([images, masks.to(images.dtype)], dim=1)
    both = functional.grid_sample(
        both, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return both[:, :3], both[:, 3:] >= 0.5


def _copy_paste(images: Tensor, masks: Tensor, hit: Tensor, draw: _Draw) -> tuple[Tensor, Tensor]:
    """Pictures `hit` with the people of another one of the batch in front, uncut and unblended.

    Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation Method, CVPR 2021. What is
    ignored behind a pasted person counts again.
    """
    others = len(images) - 1
    steps = draw.uniform(0.0, others).flatten().long()
    if others < 1:
        return images[hit], masks[hit]
    donors = (hit + 1 + steps) % len(images)
    pasted = masks[donors, :1]
    behind = masks[hit].masked_fill(pasted, value=False)
    behind[:, :1] |= pasted
    return torch.where(pasted, images[donors], images[hit]), behind


def _luma(images: Tensor) -> Tensor:
    # Plain numbers: a tensor of weights would have to be copied to the device, which waits for it.
    red, green, blue = (images[:, channel : channel + 1] for channel in range(3))
    return red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]


def _colour(images: Tensor, draw: _Draw, config: AugmentationConfig) -> Tensor:
    """Gamma, brightness, contrast and saturation, each around 1."""
    gamma, brightness, contrast, saturation = (
        1.0 + draw.uniform(-reach, reach)
        for reach in (config.gamma, config.brightness, config.contrast, config.saturation)
    )
    # Gamma and brightness per pixel; contrast about the mean grey of the picture; saturation about
    # the grey of each pixel. In place from here on: the batch is ours and large.
    images = (images / 255.0).clamp_min_(1e-6).pow_(gamma).mul_(255.0 * brightness)
    middle = _luma(images).mean((2, 3), keepdim=True)
    images = images.mul_(contrast).add_(middle * (1.0 - contrast))
    grey = _luma(images).mul_(1.0 - saturation)
    return images.mul_(saturation).add_(grey).clamp_(0.0, 255.0)


def _blur(images: Tensor, draw: _Draw) -> Tensor:
    """Gaussian blur with one width per picture, as two grouped one-dimensional convolutions."""
    # A Gaussian is separable: one pass along rows, one along columns. Pictures become groups of one
    # convolution, each with a kernel of its own, cut off at 2.5 of the largest sigma.
    sigma = draw.uniform(*_BLUR_SIGMA).view(-1, 1)
    if not len(images):
        return images
    radius = math.ceil(2.5 * _BLUR_SIGMA[1])
    steps = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, dim=0)
    count, channels, height, width = images.shape
    flat = images.reshape(1, count * channels, height, width)
    for row in (True, False):
        padding = (radius, radius, 0, 0) if row else (0, 0, radius, radius)
        shape = (-1, 1, 1, len(steps)) if row else (-1, 1, len(steps), 1)
        padded = functional.pad(flat, padding, mode="reflect")
        flat = functional.conv2d(padded, kernel.view(*shape), groups=count * channels)
    return flat.reshape(images.shape)


def _noise(images: Tensor, draw: _Draw) -> Tensor:
    return images + draw.normal(images.shape) * draw.uniform(0.0, _NOISE_LEVEL)
