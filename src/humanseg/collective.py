"""Sums over all processes that train together; with one process everything stays as it is."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, distributed

_SMALL = 65_536  # numbers; larger ones are better cut up and passed around


def process_count() -> int:
    """Number of processes that train together."""
    return distributed.get_world_size() if _joined() else 1


def process_rank() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if _joined() else 0


def total(tensor: Tensor) -> Tensor:
    """Sum of a tensor over all processes, through which gradients flow.

    Every process must call it, in the same order. It is meant for figures from which each process
    then computes one and the same loss: the gradient that comes back is that of the loss times the
    number of processes, which the average over processes in data-parallel training cancels.

    Args:
        tensor: of the same shape and dtype in every process; kept.
    """
    return cast(Tensor, _Total.apply(tensor)) if process_count() > 1 else tensor


def add_up(tensor: Tensor) -> Tensor:
    """Sum of a tensor over all processes, without a gradient; in place."""
    if process_count() == 1:
        return tensor
    if distributed.get_backend() == "gloo" and tensor.numel() <= _SMALL:
        _add_up_by_hand(tensor)
    else:
        distributed.all_reduce(tensor)
    return tensor


def _add_up_by_hand(tensor: Tensor) -> None:
    """The first process adds up and sends back.

    gloo's `all_reduce` hands over to threads of its own, which takes a millisecond on one machine;
    a message and its answer take a tenth, and batch normalisation asks a hundred times a step.
    """
    others = range(1, process_count())
    if process_rank() > 0:
        distributed.send(tensor, 0)
        distributed.recv(tensor, 0)
        return
    received = torch.empty_like(tensor)
    for other in others:
        distributed.recv(received, other)
        tensor += received
    for other in others:
        distributed.send(tensor, other)


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ANN401  torch's own type
        return add_up(tensor.detach().clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        # The same loss in every process: the sum of all gradients needs no further exchange.
        return gradients[0] * process_count()
