"""Sums of three processes of one machine, by sockets and without."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from humanseg.errors import HumansegError
from humanseg.models import collective
from humanseg.models.collective import add_up, on_one_machine

_COUNT = 3


def _start(rank: int, work: Callable[[int], None], meeting: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=_COUNT
    )
    try:
        work(rank)
    finally:
        distributed.destroy_process_group()


def _in_three(work: Callable[[int], None], folder: Path) -> None:
    spawn(_start, (work, folder / "meeting"), nprocs=_COUNT)


def _by_gloo(*_: object) -> None:
    pytest.fail("A message went by gloo.")


def _check_sums() -> None:
    rank = distributed.get_rank()
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.int64):
        assert add_up(torch.tensor(rank + 1, dtype=dtype)).item() == 6
    # More than a socket holds at once.
    many = torch.arange(60_000, dtype=torch.float64).reshape(200, 300)
    assert torch.equal(add_up(many * (rank + 1)), many * 6)
    assert add_up(torch.zeros(0)).shape == (0,)


def _add_up_by_sockets(_: int) -> None:
    group = distributed.group.WORLD
    with on_one_machine(group):
        assert collective._sockets is not None
        with (
            patch.object(distributed, "send", _by_gloo),
            patch.object(distributed, "recv", _by_gloo),
        ):
            _check_sums()
    assert collective._sockets is None
    _check_sums()


def test_sums__travel_by_sockets_inside_the_block_and_by_gloo_outside(tmp_path: Path) -> None:
    _in_three(_add_up_by_sockets, tmp_path)


def _add_up_without(rank: int, without: int) -> None:
    if rank == without:
        del socket.AF_UNIX
        socket.socket = _no_socket  # type: ignore[misc,assignment]
    with on_one_machine(distributed.group.WORLD):
        assert collective._sockets is None
        _check_sums()


def _no_socket(*_: object) -> socket.socket:
    raise OSError("no such socket")


def _add_up_apart(rank: int) -> None:
    if rank == 1:  # as in a container with a file system of its own
        socket.socket.connect = _not_found  # type: ignore[method-assign]
    with on_one_machine(distributed.group.WORLD):
        assert collective._sockets is None
        _check_sums()


def _not_found(*_: object) -> None:
    raise FileNotFoundError("no such file")


def _add_up_in_a_deep_folder(rank: int, folder: Path) -> None:
    os.environ["TMPDIR"] = str(folder)
    with on_one_machine(distributed.group.WORLD):
        assert collective._sockets is None
        _check_sums()


def test_without_sockets__gloo_adds_up(tmp_path: Path) -> None:
    _in_three(partial(_add_up_without, without=0), tmp_path)


def test_processes_that_cannot_reach_each_other__add_up_by_gloo(tmp_path: Path) -> None:
    _in_three(_add_up_apart, tmp_path)


def test_too_long_a_path_for_a_socket__makes_gloo_add_up(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30)
    deep.mkdir()
    _in_three(partial(_add_up_in_a_deep_folder, folder=deep), tmp_path)


def _end_early(rank: int) -> None:
    with on_one_machine(distributed.group.WORLD):
        add_up(torch.ones(1))
        if rank == 2:
            os._exit(0)
        # The first process misses the third one; the second then misses the first.
        with pytest.raises(HumansegError, match=f"Process {2 - 2 * rank} of those.*--resume"):
            _add_up_twice()
    os._exit(0)


def _add_up_twice() -> None:
    for _ in range(2):
        add_up(torch.ones(60_000))


def test_a_process_that_ends__is_noticed_at_once(tmp_path: Path) -> None:
    _in_three(_end_early, tmp_path)


def _leave_nothing(_: int, folder: Path) -> None:
    os.environ["TMPDIR"] = str(folder)
    with on_one_machine(distributed.group.WORLD):
        assert collective._sockets is not None
        distributed.barrier()
        assert not list(folder.iterdir())


def test_sockets__leave_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    _in_three(partial(_leave_nothing, folder=folder), tmp_path)
