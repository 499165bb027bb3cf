"""Several processes that train one network together, started by torchrun or SLURM.

Every process runs the same program. What must happen once, such as writing files, the main process
does; the others get its result, or its error.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.plugins.layer_sync import LayerSync
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, distributed, nn

from humanseg.system.cpu import usable_cores
from humanseg.system.errors import HumansegError, UsageError

T = TypeVar("T")

_log = logging.getLogger(__name__)

_PATIENCE = timedelta(days=7)  # others wait while the main process fills a cache or scores


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    environment: ClusterEnvironment | None = None
    """How they were started; None for a single process."""
    _group: Any = None

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def nodes(self) -> int:
        """Number of machines."""
        return self.count // self.local_count

    def share(self, size: int) -> slice:
        """This process's positions in a batch of `size`: the shares differ by at most one."""
        first, end = (size * rank // self.count for rank in (self.rank, self.rank + 1))
        return slice(first, end)

    def device(self, kind: str) -> str:
        """This process's device of a kind, such as `cuda:1`."""
        return f"{kind}:{self.local_rank}" if kind == "cuda" and self.count > 1 else kind

    def on_main_process(self, work: Callable[[], T]) -> T:
        """Do something in the main process only; all get its result.

        Raises:
            HumansegError: what `work` raised, in every process.
        """
        if self.count == 1:
            return work()
        outcome = [_tried(work) if self.is_main else (None, None)]
        distributed.broadcast_object_list(outcome, src=0, group=self._group)
        result, failure = outcome[0]
        if failure is not None:
            raise failure
        return result  # type: ignore[return-value]

    def local_first(self, work: Callable[[], T]) -> T:
        """Do something first in one process of every machine, then in the others.

        So that only one of them decodes pictures into a cache that all then read.

        Raises:
            HumansegError: what `work` raised in the first, in every process of all machines.
        """
        result, failure = _tried(work) if self.local_rank == 0 else (None, None)
        self._agree(failure)
        if self.local_rank != 0:
            result, failure = _tried(work)
        self._agree(failure)
        return result  # type: ignore[return-value]

    def _agree(self, failure: HumansegError | None) -> None:
        """Go on together, or fail together with the first failure."""
        failures: list[HumansegError | None] = [failure]
        if self.count > 1:
            failures = [None] * self.count
            distributed.all_gather_object(failures, failure, group=self._group)
        for error in failures:
            if error is not None:
                raise error


SINGLE_PROCESS = Processes()
"""One process that trains by itself."""


def _tried(work: Callable[[], T]) -> tuple[T | None, HumansegError | None]:
    try:
        return work(), None
    except HumansegError as error:
        return None, error


class SynchronisedBatchNorm(LayerSync):
    """Lightning's `sync_batchnorm=True`, for the layers of timm too.

    torch's own conversion would drop the activation that timm has inside its batch normalisation.
    """

    def __init__(self) -> None:
        self._before: dict[str, nn.Module] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        """Exchange every batch normalisation for one with the statistics of all processes."""
        kind = nn.modules.batchnorm._BatchNorm
        self._before = {name: m for name, m in model.named_modules() if isinstance(m, kind)}
        return cast(nn.Module, convert_sync_batchnorm(model))  # type: ignore[no-untyped-call]

    def revert(self, model: nn.Module) -> nn.Module:
        """Put the plain layers back, with the parameters and statistics of now."""
        for name, plain in self._before.items():
            synchronised = model.get_submodule(name)
            plain.load_state_dict(synchronised.state_dict())
            model.set_submodule(name, plain.train(synchronised.training))
        return model


def find_environment() -> ClusterEnvironment | None:
    """How this process was started together with others; None if it is alone.

    Raises:
        UsageError: a SLURM job of several tasks without srun, or without --ntasks-per-node.
    """
    with warnings.catch_warnings():
        # On a machine that has srun, Lightning remarks on every program that is run without it.
        warnings.filterwarnings("ignore", message=".*`srun` command is available")
        if TorchElasticEnvironment.detect():
            return TorchElasticEnvironment()
        if not SLURMEnvironment.detect():
            return None
        tasks = os.environ["SLURM_NTASKS"]
        if tasks != "1" and "SLURM_STEP_ID" not in os.environ:
            raise UsageError(
                f"This job has {tasks} tasks, but srun did not start this process; put srun before "
                "the command, or ask SLURM for one task."
            )
        try:
            # Requeueing writes checkpoints of its own; a run goes on from its folder instead.
            return SLURMEnvironment(auto_requeue=False)
        except RuntimeError as error:
            raise UsageError(f"SLURM: {' '.join(str(error).split())}") from error


def started_by_torchrun() -> bool:
    """Whether torchrun started this process together with others."""
    environment = find_environment()
    return isinstance(environment, TorchElasticEnvironment) and environment.world_size() > 1


def local_count(count: int) -> int:
    """Processes per machine, by the variables of torchrun or SLURM; all of them without these."""
    for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return count


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that were started together with this one, if there are any.

    On the device `cpu` they exchange by gloo, on `cuda` by NCCL, one GPU each.

    Raises:
        UsageError: more processes than GPUs on this machine, or not equally many on every machine.
    """
    environment = find_environment()
    if environment is None or environment.world_size() == 1:
        yield SINGLE_PROCESS
        return
    count, local_rank = environment.world_size(), environment.local_rank()
    local = local_count(count)
    _check(device, count, local)
    if device == "cuda":
        torch.cuda.set_device(local_rank)
    if "OMP_NUM_THREADS" not in os.environ:  # else the user has divided the cores
        torch.set_num_threads(max(1, usable_cores() // local))
    if device == "cpu" and environment.global_rank() == 0:
        _log.warning(
            "%d processes train on CPUs: batch statistics are those of each process's own images, "
            "so results differ from those of one process. On one machine, train in one process.",
            count,
        )
    os.environ["MASTER_ADDR"] = environment.main_address
    os.environ["MASTER_PORT"] = str(environment.main_port)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
        rank=environment.global_rank(),
        world_size=count,
    )
    try:
        group = distributed.new_group(backend="gloo", timeout=_PATIENCE)
        yield Processes(environment.global_rank(), count, local_rank, local, environment, group)
    finally:
        distributed.destroy_process_group()


def _check(device: str, count: int, local: int) -> None:
    if count % local:
        raise UsageError(
            f"{count} processes cannot be {local} on every machine; start equally many on each."
        )
    if device == "cuda" and local > torch.cuda.device_count():
        raise UsageError(
            f"{local} processes for {torch.cuda.device_count()} GPU(s) on this machine; start one "
            "per GPU, or train with --training.device cpu."
        )


def process_count() -> int:
    """Number of processes that train together."""
    together = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if together else 1


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """Sum of a tensor over all processes, through which gradients flow.

    Every process must call it, in the same order, with the same shape. It is meant for figures from
    which each process then computes one and the same loss: the gradient that comes back is that of
    the loss times the number of processes, which the average over processes in data-parallel
    training cancels.
    """
    return cast(Tensor, _AllReduceSum.apply(tensor)) if process_count() > 1 else tensor


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
