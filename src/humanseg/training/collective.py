"""Sums over all processes that train together; with one process everything stays as it is."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, distributed


def process_count() -> int:
    """Number of processes that train together."""
    return distributed.get_world_size() if _joined() else 1


def process_rank() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if _joined() else 0


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """Sum of a tensor over all processes, through which gradients flow.

    Every process must call it, in the same order, with the same shape. It is meant for figures from
    which each process then computes one and the same loss: the gradient that comes back is that of
    the loss times the number of processes, which the average over processes in data-parallel
    training cancels.
    """
    return cast(Tensor, _AllReduceSum.apply(tensor)) if process_count() > 1 else tensor


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


class _AllReduceSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ANN401  torch's own type
        summed = tensor.detach().clone().contiguous()
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        # All processes compute the same loss, so all gradients are alike: their sum needs no
        # further exchange, which `torch.distributed.nn.functional.all_reduce` would make.
        return gradients[0] * process_count()
