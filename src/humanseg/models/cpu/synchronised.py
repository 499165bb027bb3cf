"""Batch normalisation over the batches of all processes, so that their number changes no result.

torch's own `SyncBatchNorm` has no kernels for CPUs and needs the network's modules exchanged, each
library's own kind included. Here every call of `batch_norm` is caught instead.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from humanseg.models.collective import add_up
from humanseg.models.cpu.patching import Calling


class SynchronisedStatistics(Calling):
    """Inside this block, batch normalisation in training takes the statistics of all processes.

    Every process must make the same calls in the same order, even with a batch of no pictures.
    """

    def __init__(self) -> None:
        super().__init__(instead_of=functional.batch_norm, function=_batch_norm)


def _batch_norm(
    images: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.batch_norm`, whose arguments these are."""
    if not training:
        return functional.batch_norm(
            images, running_mean, running_var, weight, bias, False, momentum, eps
        )
    channels = images.shape[1]
    scale = images.new_ones(channels, dtype=torch.float32) if weight is None else weight
    shift = images.new_zeros(channels, dtype=torch.float32) if bias is None else bias
    mean, var, count = _statistics(images.detach())
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * (count / (count - 1).clamp_min(1)).float(), momentum)
    result: Tensor = _Normalise.apply(images, scale, shift, mean, var, count, eps)
    return result


def _statistics(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance per channel over all processes, float32, and the number of values.

    Summed in float64: a difference of large sums must not lose a small variance.
    """
    channels = images.shape[1]
    sums = torch.zeros(2 * channels + 1, dtype=torch.float64, device=images.device)
    if images.numel():
        unused = torch.zeros(2, channels, device=images.device)
        mean, var = torch.batch_norm_update_stats(images, unused[0], unused[1], 0.0)
        count = images.numel() // channels
        mean, var = mean.double(), var.double()
        sums[:channels] = count * mean
        sums[channels:-1] = count * (var + mean.square())
        sums[-1].fill_(count)
    add_up(sums)
    count_all = sums[-1]
    mean = sums[:channels] / count_all
    var = (sums[channels:-1] / count_all - mean.square()).clamp_min(0.0)
    return mean.float(), var.float(), count_all


class _Normalise(torch.autograd.Function):
    """Normalise by statistics that depend on the pictures of all processes.

    Ioffe and Szegedy 2015, with the sums of the backward pass over all processes.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  torch's own type
        images: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        var: Tensor,
        count: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(images, weight, mean, var, count)
        ctx.eps = eps
        if not images.numel():  # torch's kernels would divide by zero
            return images.clone()
        return torch.native_batch_norm(images, weight, bias, mean, var, False, 0.0, eps)[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        images, weight, mean, var, count = ctx.saved_tensors
        gradient, own = gradients[0], torch.zeros(2, len(weight), device=images.device)
        moved = gradient
        # In fp32, a pass less over the feature maps; in 16 bits that kernel is the slow one.
        at_once = images.dtype == torch.float32
        if images.numel():
            # As if the statistics were constants; what moves through them is taken off below.
            moved, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
                gradient, images, weight, mean, var, None, None, False, ctx.eps,
                [not at_once, True, True],
            )  # fmt: skip
            own = torch.stack([by_weight, by_bias])
        sums = add_up(own.double())
        deviation = (var + ctx.eps).rsqrt()
        factor = weight * deviation
        slope = factor * deviation * (sums[0] / count).float()
        offset = factor * (sums[1] / count).float() - slope * mean
        if images.numel() and at_once:
            per_channel = factor.view(-1, *[1] * (images.ndim - 2))
            moved = _affine(images, -slope, -offset).addcmul_(gradient, per_channel)
        elif images.numel():
            moved.sub_(_affine(images, slope, offset))
        return moved, own[0], own[1], None, None, None, None


def _affine(images: Tensor, slope: Tensor, offset: Tensor) -> Tensor:
    """Give slope * images + offset per channel, by the kernel that is fast for every dtype."""
    zero, one = torch.zeros_like(slope), torch.ones_like(slope)
    return torch.native_batch_norm(images, slope, offset, zero, one, False, 0.0, 0.0)[0]
