"""Messages between the processes of one machine, by sockets of its file system.

gloo passes every message through a thread of its own. Where all cores compute, that thread waits
for one, up to some milliseconds, and batch normalisation asks a hundred times a step. A socket that
the computing thread itself reads wakes it at once.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from humanseg.errors import HumansegError


class Sockets:
    """Lines between the first process and each of the others."""

    def __init__(self, lines: dict[int, socket.socket]) -> None:
        """Take connected stream sockets, by the rank of the process at the other end."""
        self._lines = lines

    def send(self, tensor: Tensor, receiver: int) -> None:
        """Send a contiguous tensor of the CPU.

        Raises:
            HumansegError: the other process has ended.
        """
        try:
            self._lines[receiver].sendall(_bytes_of(tensor))
        except OSError as error:
            raise _ended(receiver) from error

    def receive(self, tensor: Tensor, sender: int) -> None:
        """Receive into a contiguous tensor of the CPU, of the shape and dtype that is sent.

        Raises:
            HumansegError: the other process has ended.
        """
        room = _bytes_of(tensor)
        while len(room):  # a signal may cut a message
            try:
                received = self._lines[sender].recv_into(room, len(room), socket.MSG_WAITALL)
            except OSError as error:
                raise _ended(sender) from error
            if not received:
                raise _ended(sender)
            room = room[received:]

    def close(self) -> None:
        """End all lines."""
        for line in self._lines.values():
            line.close()


def open_sockets(rank: int, count: int, group: Any) -> Sockets | None:  # noqa: ANN401  torch's type
    """Connect the first process with each of the others; all must call it.

    Args:
        rank: of this process.
        count: number of processes, all on this machine.
        group: to agree by.

    Returns:
        None if they cannot be connected: on Windows, or where they see different file systems.
    """
    if rank == 0:
        # Only this user may enter a folder that mkdtemp makes.
        with tempfile.TemporaryDirectory(prefix="humanseg-") as folder:
            return _listen(Path(folder, "lines"), count, group)
    return _call(rank, group)


def _listen(place: Path, count: int, group: Any) -> Sockets | None:  # noqa: ANN401
    listener = _listener(place, count)
    _tell(str(place) if listener else None, group)
    if listener is None:
        return None
    with listener:
        return Sockets(_accepted(listener, count)) if _all_agree(True, group) else None


def _listener(place: Path, count: int) -> socket.socket | None:
    if not hasattr(socket, "AF_UNIX"):
        return None
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(place))
        listener.listen(count)
    except OSError:  # too long a path for a socket, or a file system that has none
        listener.close()
        return None
    return listener


def _accepted(listener: socket.socket, count: int) -> dict[int, socket.socket]:
    lines = {}
    for _ in range(count - 1):
        line, _ = listener.accept()
        rank = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "little")
        lines[rank] = line
    return lines


def _call(rank: int, group: Any) -> Sockets | None:  # noqa: ANN401
    place = _tell(None, group)
    if place is None:
        return None
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(place)
        line.sendall(rank.to_bytes(4, "little"))
        connected = True
    except OSError:
        connected = False
    if _all_agree(connected, group):
        return Sockets({0: line})
    line.close()
    return None


def _tell(place: str | None, group: Any) -> str | None:  # noqa: ANN401
    """What the first process says."""
    said: list[str | None] = [place]
    distributed.broadcast_object_list(said, src=0, group=group)
    return said[0]


def _all_agree(mine: bool, group: Any) -> bool:  # noqa: ANN401
    answers = [mine] * distributed.get_world_size(group)
    distributed.all_gather_object(answers, mine, group=group)
    return all(answers)


def _bytes_of(tensor: Tensor) -> memoryview:
    return tensor.detach().view(-1).view(torch.uint8).numpy().data


def _ended(rank: int) -> HumansegError:
    return HumansegError(
        f"Process {rank} of those that train together has ended; its own message says why. "
        "Go on with --resume."
    )
