"""Kill servers while they are asked: no answer may be wrong, and nothing may be left."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.faults.kills import SIGNALS, Kill, fresh
from benchmarks.faults.warm import Running
from benchmarks.faults.works import ENGINE, Material

_REQUESTS = 40


def kill_servers(material: Material, scratch: Path, *, count: int, seed: int) -> Iterator[Kill]:
    """Send a server a signal `count` times, each after a number of answers drawn by chance."""
    photos = [path.read_bytes() for path in sorted(material.photos.iterdir())]
    rng = np.random.default_rng(seed)
    folder = fresh(scratch)
    server, port = _started(material, folder)
    whole = [_answer(port, photo) for photo in photos]
    problems = _stopped(server, signal.SIGTERM, folder)
    for _ in range(count):
        sent = SIGNALS[int(rng.integers(len(SIGNALS)))]
        answers = int(rng.integers(_REQUESTS // 2))
        server, port = _started(material, folder)
        given: list[bytes | None] = []
        client = threading.Thread(target=_ask, args=(port, photos, given))
        client.start()
        while len(given) < answers and client.is_alive():
            time.sleep(0.001)
        problems += _stopped(server, sent, folder)
        client.join()
        good = [answer for answer in given if answer is not None]
        if any(answer != whole[index % len(whole)] for index, answer in enumerate(good)):
            problems.append("an answer is wrong")
        stop = f"{sent.name} after {answers} answers"
        code = server.process.exitcode
        yield Kill("serving", stop, code, len(good), _REQUESTS, tuple(problems))
        problems = []


def _started(material: Material, folder: Path) -> tuple[Running, int]:
    words = ["serve", str(material.model), *ENGINE, "--port", "0", "--workers", "2"]
    server = Running(words, folder)
    while "Serving at http://" not in server.out:
        if not server.process.is_alive():
            raise SystemExit(f"serving: does not begin: {server.end().err}")
        time.sleep(0.01)
    return server, int(server.out.split("Serving at ")[1].split()[0].rpartition(":")[2])


def _ask(port: int, photos: list[bytes], given: list[bytes | None]) -> None:
    for number in range(_REQUESTS):
        try:
            given.append(_answer(port, photos[number % len(photos)]))
        except (OSError, http.client.HTTPException):
            given.append(None)
            return


def _answer(port: int, photo: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/v1/segment", photo, {"Content-Type": "image/png"})
    response = connection.getresponse()
    content = response.read()  # IncompleteRead if it is cut short
    connection.close()
    if response.status == http.client.SERVICE_UNAVAILABLE:  # it was told to end
        raise ConnectionError
    return content if response.status == http.client.OK else b""


def _stopped(server: Running, sent: signal.Signals, folder: Path) -> list[str]:
    """Send a signal and wait: what is wrong with how the server ends."""
    server.send(sent)
    ended = server.end()
    allowed = -signal.SIGKILL if sent == signal.SIGKILL else 0
    problems = [ended.problem] if ended.problem else []
    problems += [] if ended.code == allowed else [f"ends with {ended.code}, not {allowed}"]
    return problems + [f"{path.name} is left" for path in folder.iterdir()]
