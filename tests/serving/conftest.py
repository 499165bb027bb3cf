"""The application in this process, and servers in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient
from tests.builders.segmenters import BrightIsPerson

from humanseg.inference.segmenter import Segmenter
from humanseg.serving.application import create_app
from humanseg.serving.server_config import ServeConfig

MakeClient = Callable[..., TestClient]
ServerOf = Callable[..., "Server"]


@pytest.fixture
def client_of() -> Iterator[MakeClient]:
    """Clients of applications in this process, whose lifespan has begun."""
    opened: list[TestClient] = []

    def make(
        segmenter: Segmenter | None = None, *, workers: int = 1, **settings: object
    ) -> TestClient:
        app = create_app(segmenter or BrightIsPerson(), ServeConfig(**settings), workers=workers)
        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        opened.append(client.__enter__())
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(client_of: MakeClient) -> TestClient:
    return client_of()


@dataclass
class Server:
    """`humanseg serve` in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def healthy(self) -> bool:
        return httpx2.get(f"{self.url}/healthz", timeout=20).status_code == 200


@contextmanager
def started(model: Path | None, *flags: str) -> Iterator[Server]:
    """Start a server, wait until it is ready, and kill it in the end."""
    words = [] if model is None else [str(model)]
    process = subprocess.Popen(
        [sys.executable, "-m", "humanseg", "serve", *words, "--port", "0", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Serving at http://"), line
        server = Server(process, line.split()[2])
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=3)) as client:
            while client.get(f"{server.url}/readyz", timeout=20).status_code != 200:
                assert process.poll() is None
        yield server
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def server(brightness_model: Path) -> Iterator[Server]:
    """A server with limits that tests can reach."""
    flags = ("--workers", "2", "--max-bytes", "2000000", "--read-seconds", "2", "--max-parts", "8")
    with started(brightness_model, *flags) as server:
        yield server


def refined_cutout(url: str, content: bytes) -> httpx2.Response:
    """What a server answers to a JPEG whose people are wanted with their finest edge: dear work."""
    return httpx2.post(
        f"{url}/v1/segment?output=cutout&refine=true",
        content=content,
        headers={"Content-Type": "image/jpeg"},
        timeout=300,
    )
