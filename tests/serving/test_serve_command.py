"""`humanseg serve` as a process: the bytes of `predict`, sentences, and how it stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image
from tests.builders.sent_images import drawn, packed
from tests.serving.conftest import Server, refined_cutout, started

from humanseg.data.synthesis import draw_scene
from humanseg.model_directory import BUNDLED

pytestmark = pytest.mark.command


def _run(*words: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
    start = ["-m", "humanseg"] if program is None else ["-c", program]
    return subprocess.run(
        [sys.executable, *start, *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HUMANSEG_TOKEN": ""},
    )


@pytest.fixture(scope="module")
def bundled_server() -> Iterator[Server]:
    with started(None) as server:
        yield server


@pytest.mark.parametrize(
    ("options", "suffix"),
    [
        ({"output": "mask", "fill_holes": "0.01"}, "png"),
        ({"output": "probability"}, "png"),
        ({"output": "cutout", "format": "webp"}, "webp"),
        ({"output": "blur", "keep_metadata": "all"}, "jpg"),
        ({"output": "replace", "background": "white", "quality": "80"}, "jpg"),
        ({"output": "overlay", "threshold": "0.3", "format": "png"}, "png"),
    ],
)
def test_serve__bytes_of_the_file_that_predict_writes(
    bundled_server: Server, tmp_path: Path, options: dict[str, str], suffix: str
) -> None:
    scene = Image.fromarray(draw_scene(np.random.default_rng(3), (480, 640), clutter=0.0)[0])
    exif = Image.Exif()
    exif[0x0110] = "a camera"
    exif[0x0112] = 6
    (tmp_path / "scene.jpg").write_bytes(packed(scene, quality=92, exif=exif))
    flags = [
        word
        for name, value in options.items()
        for word in (f"--{name.replace('_', '-')}".replace("--output", "--as"), value)
    ]
    target = tmp_path / f"made.{suffix}"
    done = _run("predict", str(tmp_path / "scene.jpg"), "-o", str(target), *flags)
    assert done.returncode == 0, done.stderr
    response = httpx2.post(
        f"{bundled_server.url}/v1/segment",
        params=options,
        content=(tmp_path / "scene.jpg").read_bytes(),
        headers={"Content-Type": "image/jpeg"},
        timeout=300,
    )
    assert response.status_code == 200, response.text
    assert response.content == target.read_bytes()


def test_serve__busy_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _run("serve", "--port", str(port))
    assert done.returncode == 2
    sentence = f"127.0.0.1:{port}: is taken by another program; give another --port, or 0 for any."
    assert done.stderr == f"humanseg: {sentence}\n"


def test_serve__other_machines_need_a_token() -> None:
    done = _run("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    assert done.stderr == (
        "humanseg: --host: 0.0.0.0 can be reached from other machines; give --token (better: "
        "HUMANSEG_TOKEN in the environment), or --no-auth if everybody may ask.\n"
    )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--port", "70000"], "--port: got 70000; must be at least 0 and at most 65535."),
        (["--workers", "0"], "--workers: got 0; must be at least 1."),
        (["--token", "short"], "--token: give at least 16 letters"),
        (["--host", "203.0.113.9", "--no-auth"], "203.0.113.9:8000: cannot be listened on ("),
        (["nowhere"], "nowhere"),
        ([BUNDLED, "--model", BUNDLED], "--model and bundled are the same setting"),
    ],
)
def test_serve__bad_use(flags: list[str], sentence: str) -> None:
    done = _run("serve", *flags)
    assert done.returncode == 2
    assert done.stderr.startswith(f"humanseg: {sentence}")
    assert done.stderr.count("\n") == 1


def test_serve__unreadable_model(tmp_path: Path) -> None:
    (tmp_path / "humanseg.json").write_text("{")
    done = _run("serve", str(tmp_path), "--port", "0")
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_serve__writes_the_page_for_other_servers(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    done = _run("serve", "--export-static", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(folder))}: the page in private mode, 8\.\d MB\.\n", done.stdout
    )
    assert (folder / "index.html").is_file()
    again = _run("serve", "--export-static", str(folder))
    assert again.returncode == 2
    assert again.stderr == (f"humanseg: {folder}: exists already; give a new or an empty folder.\n")


@pytest.mark.parametrize("flags", [["--port", "9000"], ["--precision", "int8"]])
def test_serve__page_for_other_servers_takes_no_servers_flags(flags: list[str]) -> None:
    done = _run("serve", "--export-static", "page", *flags)
    assert done.returncode == 2
    assert done.stderr == (
        "humanseg: --export-static serves nothing; besides it give a model or nothing.\n"
    )


def test_serve__missing_extra() -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = None; from humanseg.cli import main; "
        "sys.exit(main(['serve', '--port', '0']))"
    )
    done = _run(program=program)
    assert done.returncode == 2
    assert done.stderr == (
        "humanseg: uvicorn is not installed; `humanseg serve` needs it: pip install "
        '"humanseg[serve]"\n'
    )


def test_serve__token_from_the_environment(
    brightness_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMANSEG_TOKEN", "0123456789abcdef")
    with started(brightness_model) as server:
        assert httpx2.get(f"{server.url}/v1/models").status_code == 401
        headers = {"Authorization": "Bearer 0123456789abcdef"}
        assert httpx2.get(f"{server.url}/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("flags", [(), ("--drain-seconds", "1")], ids=["again", "drained"])
def test_serve__stops_at_once_and_says_so(brightness_model: Path, flags: tuple[str, ...]) -> None:
    content = packed(drawn((6000, 8000)))

    with started(brightness_model, "--workers", "1", *flags) as server:
        half = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        half.sendall(
            b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 100\r\n\r\nhalf"
        )
        with ThreadPoolExecutor(3) as clients, half:
            answers = [clients.submit(refined_cutout, server.url, content) for _ in range(3)]
            while "humanseg_waiting 3.0" not in httpx2.get(f"{server.url}/metrics").text:
                assert not any(answer.done() for answer in answers)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port))
            if not flags:
                server.process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            assert server.process.wait(timeout=60) == 0
            assert time.monotonic() - told < 3
            for answer in answers:
                assert answer.result().status_code == 503
                assert answer.result().json()["type"] == "urn:humanseg:problem:stopping"
            assert half.recv(65_536).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_serve__stops_when_what_was_taken_on_is_done(
    brightness_model: Path, sent: signal.Signals
) -> None:
    content = packed(drawn((2000, 3000)))

    def ask(url: str) -> int:
        response = httpx2.post(
            f"{url}/v1/segment?output=cutout&refine=true",
            content=content,
            headers={"Content-Type": "image/jpeg"},
            timeout=300,
        )
        return response.status_code if len(response.content) else 0

    with started(brightness_model, "--workers", "1") as server, ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(ask, server.url) for _ in range(4)]
        while "humanseg_waiting 4.0" not in httpx2.get(f"{server.url}/metrics").text:
            assert not any(answer.done() for answer in answers)
        server.process.send_signal(sent)
        assert [answer.result() for answer in answers] == [200] * 4
        assert server.process.wait(timeout=120) == 0
