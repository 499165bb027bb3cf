"""Run another project's network in its own interpreter, and measure how long it takes.

Started as `PYTHON worker.py ADAPTER [ARGUMENT]`: needs NumPy and what the adapter needs, nothing of
humanseg. An adapter is a Python file with

    PACKAGES: tuple[str, ...]                   distributions whose versions are recorded
    def load(argument: str) -> Segment: ...     the network, ready

where `Segment` takes an RGB image, uint8 (H, W, 3), and gives its person mask: bool (H, W), or
probabilities, float (H, W), that are cut at `THRESHOLD`.

A message is one line of JSON whose `bytes` says how many bytes of a .npy file follow it. The worker
first says hello, `{"versions": {...}, "load_seconds": S, "bytes": 0}`; then, for every image that
comes with `{"calls": N, "bytes": B}`, it answers `{"seconds": [S, ...], "bytes": B}` and the mask.
Where something fails it answers `{"error": TEXT, "bytes": 0}`. The end of its input ends it.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import IO, Any

import numpy as np

THRESHOLD = 0.5
"""A pixel is a person where its probability is at least this; the same for all peers."""

Segment = Callable[["np.typing.NDArray[np.uint8]"], "np.typing.NDArray[Any]"]
Message = tuple[dict[str, Any], "np.typing.NDArray[Any] | None"]


def send(
    stream: IO[bytes], message: dict[str, Any], array: np.typing.NDArray[Any] | None = None
) -> None:
    """Write a message, at once."""
    payload = b""
    if array is not None:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        payload = buffer.getvalue()
    line = json.dumps(message | {"bytes": len(payload)}) + "\n"
    stream.write(line.encode() + payload)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read a message; None at the end of the stream.

    Raises:
        ValueError: something that is no message, or one that is cut short.
    """
    line = stream.readline()
    if not line:
        return None
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("bytes"), int):
        raise ValueError(f"No message: {line[:80]!r}.")
    payload = stream.read(message["bytes"])
    if len(payload) != message["bytes"]:
        raise ValueError("A message was cut short.")
    array = np.load(io.BytesIO(payload), allow_pickle=False) if payload else None
    return message, array


def time_mask(segment: Segment, image: np.typing.NDArray[np.uint8], calls: int) -> Message:
    """Seconds of each call, from the decoded image to its mask, and the mask."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        output = segment(image)
        mask = output if output.dtype == np.bool_ else output >= THRESHOLD
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}, np.asarray(mask)


def _main(adapter: str, argument: str) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not come between the messages
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  no need of pathlib
    sys.path = [folder for folder in sys.path if folder != here]  # its names would hide others
    try:
        start = time.perf_counter()
        names = runpy.run_path(adapter)
        segment: Segment = names["load"](argument)
        elapsed = time.perf_counter() - start
        send(answers, {"versions": _versions(names["PACKAGES"]), "load_seconds": elapsed})
        while (request := receive(sys.stdin.buffer)) is not None:
            message, image = request
            assert image is not None
            send(answers, *time_mask(segment, image, message["calls"]))
    except Exception as error:  # noqa: BLE001  the parent reports it, whatever it is
        send(answers, {"error": f"{type(error).__name__}: {error}"})


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
