"""How near a training step comes to what this machine's arithmetic and memory allow.

The roofline model of Williams, Waterman and Patterson, "Roofline: an insightful visual performance
model for multicore architectures", Communications of the ACM 52(4), 2009. Counted is the network,
forward and backward; loss, optimiser, augmentation and moving average come on top in the measured
step, so the fraction errs towards too small.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from benchmarks.training.record import Ceilings, Precision, Roofline
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from humanseg.models import count_macs

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_SIZES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192, 16384)}
_COPY_BYTES = {"cpu": 2**29, "cuda": 2**32}
_REPEATS = 5


@dataclass(frozen=True)
class StepCounts:
    """What one training step does at the least."""

    flop: int
    bytes: int


class _Traffic(TorchDispatchMode):
    """Sums the bytes of all tensors that operations read and write; views move nothing."""

    def __init__(self, precision: Precision) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._width = _DTYPES[precision].itemsize
        self.bytes = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401  torch's own signature
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        given = kwargs or {}
        result = func(*args, **given)
        if not _is_view(func):
            moved = [
                tensor
                for tensor in tree_leaves((args, given, result))
                if isinstance(tensor, Tensor)
            ]
            self.bytes += sum(tensor.numel() * self._bytes_of(tensor) for tensor in moved)
        return result

    def _bytes_of(self, tensor: Tensor) -> int:
        return self._width if tensor.is_floating_point() else tensor.element_size()


def _is_view(func: Any) -> bool:  # noqa: ANN401  an overload of torch
    """Whether an operation returns its input's memory unchanged."""
    aliases = [returned.alias_info for returned in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def count_step(
    network: nn.Module, size: tuple[int, int], batch: int, precision: Precision
) -> StepCounts:
    """Operations and bytes of the forward and backward pass of one batch, without computing it.

    Floating-point tensors count with the width of `precision`, whatever they are. Operations are
    three times those of the forward pass, of convolutions and matrix products only: backward,
    PyTorch's own counter counts depthwise convolutions many times over.

    Args:
        network: takes (N, 3, H, W).
        size: (height, width).
        batch: pictures.
        precision: what the step computes in.
    """
    counted = copy.deepcopy(network).to("meta").train()
    images = torch.empty(batch, 3, *size, device="meta")
    with _Traffic(precision) as traffic:
        output = counted(images)
    gradient = torch.empty_like(output)
    with traffic:
        output.backward(gradient)
    return StepCounts(flop=3 * 2 * batch * count_macs(counted, size), bytes=traffic.bytes)


def measure_ceilings(
    device: str,
    precision: Precision,
    *,
    sizes: Sequence[int] | None = None,
    copy_bytes: int | None = None,
) -> Ceilings:
    """The best matrix product and the best large copy of this device, all threads at work.

    On CUDA, fp32 means TF32, which convolutions use there.

    Args:
        device: `cpu` or `cuda`.
        precision: of the matrices.
        sizes: sides of the square matrices; unset: what suits the device.
        copy_bytes: bytes that the copy reads; unset: what suits the device.
    """
    rates = {}
    with _tensor_float_32():
        for side in sizes or _SIZES[device]:
            first, second = (
                torch.randn(side, side, device=device).to(_DTYPES[precision]) for _ in range(2)
            )
            rates[side] = 2 * side**3 / _best(device, partial(torch.mm, first, second))
    best = max(rates, key=lambda side: rates[side])
    source = torch.zeros((copy_bytes or _COPY_BYTES[device]) // 4, device=device)
    target = torch.ones_like(source)
    seconds = _best(device, lambda: target.copy_(source))
    return Ceilings(
        precision=precision,
        flop_per_second=rates[best],
        matrix_size=best,
        bytes_per_second=2 * source.numel() * source.element_size() / seconds,
    )


@contextmanager
def _tensor_float_32() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _best(device: str, work: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls, after one that warms up."""
    seconds = []
    for _ in range(1 + _REPEATS):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def roofline_of(counts: StepCounts, ceilings: Ceilings, step_seconds: float) -> Roofline:
    """The two floors of a step, and how much of the measured step the larger one explains."""
    arithmetic = counts.flop / ceilings.flop_per_second
    memory = counts.bytes / ceilings.bytes_per_second
    return Roofline(
        precision=ceilings.precision,
        gflop=counts.flop / 1e9,
        gigabytes=counts.bytes / 1e9,
        arithmetic_seconds=arithmetic,
        memory_seconds=memory,
        bound="arithmetic" if arithmetic >= memory else "memory",
        step_seconds=step_seconds,
        fraction=max(arithmetic, memory) / step_seconds,
    )
