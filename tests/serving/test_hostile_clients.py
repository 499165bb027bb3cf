"""Slow, lying, broken and leaving clients: the right answer, and the server is as before."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image
from tests.builders.sent_images import bomb, drawn, packed
from tests.serving.conftest import Server, refined_cutout, started

from humanseg import images
from humanseg.system.errors import ImageError

pytestmark = pytest.mark.fault

MUTATIONS = int(os.environ.get("HUMANSEG_MUTATIONS", "150"))
DISCONNECTS = int(os.environ.get("HUMANSEG_DISCONNECTS", "20"))
POST = b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
GROWTH = 64 << 20
"""Bytes that buffers of allocators and threads may take up once."""


@contextmanager
def _connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        yield client


def _answer(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while part := client.recv(65_536):
            received += part
    return received


def _settled(server: Server) -> None:
    """Wait until nothing is under way any more."""
    for _ in range(500):
        lines = httpx2.get(f"{server.url}/metrics").text.splitlines()
        if {"humanseg_waiting 0.0", "humanseg_held_bytes 0.0"} <= set(lines):
            return
        time.sleep(0.02)
    raise AssertionError("something is under way for ever")


@pytest.fixture(autouse=True)
def _as_before(server: Server) -> Iterator[None]:
    yield
    _settled(server)
    assert server.healthy()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: loc", POST])
def test_slow_headers__are_closed(server: Server, sent: bytes) -> None:
    with _connected(server) as client:
        client.sendall(sent)
        assert _answer(client) == b""


def test_slow_headers__after_a_first_request(server: Server) -> None:
    with _connected(server) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
        answer = _answer(client)
    assert answer.count(b"HTTP/1.1 200") == 1


def test_slow_body__is_answered_and_closed(server: Server) -> None:
    with _connected(server) as client:
        client.sendall(POST + b"Content-Length: 1000\r\n\r\nx")
        answer = _answer(client)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:humanseg:problem:slow-body" in answer


def test_announced_bytes__keep_nobody_out(brightness_model: Path) -> None:
    flags = ("--max-held-bytes", "5000000")
    with started(brightness_model, *flags) as small, ExitStack() as clients:
        for _ in range(20):
            client = clients.enter_context(_connected(small))
            client.sendall(POST + b"Content-Length: 4000000\r\n\r\n")
        answer = httpx2.post(
            f"{small.url}/v1/segment", content=packed(), headers={"Content-Type": "image/jpeg"}
        )
        assert answer.status_code == 200


def test_oversize__is_refused_before_it_is_sent(server: Server) -> None:
    with _connected(server) as client:
        client.sendall(POST + b"Content-Length: 2000001\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 413 ")


def _send_for(client: socket.socket, chunk: bytes, *, seconds: float) -> None:
    """Send a chunk again and again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.sendall(chunk)


def test_chunked_without_end__is_refused_and_closed(server: Server) -> None:
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    with _connected(server) as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            _send_for(client, chunk, seconds=120)
    # what was answered, a client that reads sees
    with _connected(server) as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(31):
            client.sendall(chunk)
        assert client.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_content_length__longer_than_the_body(server: Server) -> None:
    with _connected(server) as client:
        client.sendall(POST + b"Content-Length: 5000\r\n\r\n" + bytes(100))
        client.shutdown(socket.SHUT_WR)
        answer = _answer(client)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_content_length__shorter_than_the_body(server: Server) -> None:
    with _connected(server) as client:
        client.sendall(POST + b"Content-Length: 10\r\n\r\n" + packed())
        answer = _answer(client)
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert answer.count(b"HTTP/1.1 400") == 1  # the rest is no request


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000,
        POST + b"Content-Length: ten\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_no_http__is_refused(server: Server, sent: bytes) -> None:
    with _connected(server) as client:
        client.sendall(sent)
        assert _answer(client).startswith(b"HTTP/1.1 400 ")


def test_bomb__is_refused_by_its_header(server: Server) -> None:
    before = server.memory
    response = httpx2.post(
        f"{server.url}/v1/segment", content=bomb(), headers={"Content-Type": "image/png"}
    )
    assert response.status_code == 413
    assert server.memory - before < GROWTH


def test_slow_reader__is_closed(server: Server) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", server.port))
        noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
        large = packed(Image.fromarray(noise), quality=5)
        words = POST.replace(b"/v1/segment", b"/v1/segment?output=overlay&format=tiff")
        client.sendall(words + b"Content-Length: %d\r\n\r\n" % len(large) + large)
        head = client.recv(1000)
        assert head.startswith(b"HTTP/1.1 200 ")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        time.sleep(7)  # several times as long as it would be waited for
        assert len(_answer(client)) < length / 2


def _mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with some bytes changed, left out or put in twice."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(len(data)))
        match rng.integers(4):
            case 0:
                data[at] = int(rng.integers(256))
            case 1:
                del data[at : at + int(rng.integers(1, 50))]
            case 2:
                data[at:at] = data[at : at + int(rng.integers(1, 50))]
            case _:
                del data[at:]
        data = data or bytearray(b"x")
    return bytes(data)


def test_mutated_bodies__are_answered_as_predict_would(server: Server) -> None:
    rng = np.random.default_rng(20)
    originals = [packed(drawn(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")]
    with httpx2.Client(timeout=300) as client:
        before = None
        for number in range(MUTATIONS):
            content = _mutated(originals[number % len(originals)], rng)
            try:
                images.load(content)
                expected = {200}
            except ImageError as error:
                expected, sentence = {413, 415, 422}, str(error)
            response = client.post(
                f"{server.url}/v1/segment?output=cutout",
                content=content,
                headers={"Content-Type": "application/octet-stream"},
            )
            assert response.status_code in expected, (number, response.text)
            if response.status_code != 200:
                assert response.json()["detail"] == sentence
            before = before or (server.memory if number > 20 else None)
    assert before is None or server.memory - before < GROWTH


def test_disconnects__in_the_middle_of_the_work(server: Server) -> None:
    content = packed(drawn((1500, 2000)))
    words = POST.replace(b"/v1/segment", b"/v1/segment?output=blur")
    request = words + b"Content-Length: %d\r\n\r\n" % len(content) + content

    def leave(number: int) -> None:
        with _connected(server) as client:
            client.sendall(request if number % 4 else request[:-100])
            time.sleep(0.01 * (number % 7))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    leave(1)
    _settled(server)
    before = server.memory
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(leave, range(DISCONNECTS)))
    _settled(server)
    assert server.memory - before < 3 * GROWTH
    assert httpx2.get(f"{server.url}/readyz").status_code == 200


def test_load__more_than_the_queue_is_answered_429(brightness_model: Path) -> None:
    content = packed(drawn((1000, 1500)))

    flags = ("--workers", "1", "--queue", "3")
    with started(brightness_model, *flags) as small, ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(refined_cutout, [small.url] * 12, [content] * 12))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 4
    refused = answers[statuses.index(429)]
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["type"] == "urn:humanseg:problem:busy"
