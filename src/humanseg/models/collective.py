"""Sums over all processes that train together; with one process everything stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, distributed

from humanseg.models.messages import Sockets, open_sockets

_SMALL = 65_536  # numbers; larger ones are better cut up and passed around
_sockets: Sockets | None = None


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


@contextmanager
def on_one_machine(group: Any) -> Iterator[None]:  # noqa: ANN401  torch's own type
    """Inside this block, add up by the quickest messages; for gloo processes of one machine.

    Every process must enter it.

    Args:
        group: of all processes, to agree by.
    """
    global _sockets  # as torch's process group, which it stands beside
    _sockets = open_sockets(process_rank(), process_count(), group)
    try:
        yield
    finally:
        if _sockets is not None:
            _sockets.close()
        _sockets = None


def add_up(tensor: Tensor) -> Tensor:
    """Sum of a contiguous tensor over all processes, without a gradient; in place.

    Raises:
        HumansegError: another process has ended.
    """
    if process_count() == 1 or not tensor.numel():
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
    send = distributed.send if _sockets is None else _sockets.send
    receive = distributed.recv if _sockets is None else _sockets.receive
    others = range(1, process_count())
    if process_rank() > 0:
        send(tensor, 0)
        receive(tensor, 0)
        return
    received = torch.empty_like(tensor)
    for other in others:
        receive(received, other)
        tensor += received
    for other in others:
        send(tensor, other)


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
