from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from humanseg.data import discover, download
from humanseg.data.download import default_folder, known_hashes, table_text
from humanseg.system.errors import HumansegError, UsageError
from humanseg.system.progress import Progress

CONTENT = {
    f"{folder}/{name}.{suffix}": f"{folder} {name}".encode() * 50
    for folder, suffix in (("Training_Images", "jpg"), ("Ground_Truth", "png"))
    for name in ("1", "10", "2")
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


TABLE = table_text(CONTENT)
REGISTRY = {name: sha256(content) for name, content in CONTENT.items()} | {
    "train.csv": sha256(TABLE.encode())
}


@dataclass
class Server:
    """A web server of `CONTENT` that counts requests and can fail."""

    content: dict[str, bytes] = field(default_factory=lambda: dict(CONTENT))
    asked: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    breaking: set[str] = field(default_factory=set)
    url: str = ""

    def fetch(self, folder: Path, progress: Progress | None = None) -> Path:
        return download(folder, base_url=self.url, registry=REGISTRY, retries=0, progress=progress)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/data/")
            state.asked.append(name)
            if name in state.failing or name not in state.content:
                self.send_error(503)
                return
            body = state.content[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if name in state.breaking else body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        state.url = f"http://127.0.0.1:{web.server_address[1]}/data/"
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        web.shutdown()
        thread.join()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_download__brings_everything_and_writes_the_table(server: Server, tmp_path: Path) -> None:
    folder = server.fetch(tmp_path / "data")
    assert folder == tmp_path / "data"
    assert files(folder) == CONTENT | {"train.csv": TABLE.encode()}
    assert sorted(server.asked) == sorted(CONTENT)
    assert [sample.id for sample in discover(folder)] == ["1", "10", "2"]
    assert discover(folder, "csv") == discover(folder)


def test_download__fetches_nothing_twice(server: Server, tmp_path: Path) -> None:
    server.fetch(tmp_path)
    server.asked.clear()
    (tmp_path / "train.csv").write_text("changed")
    server.fetch(tmp_path)
    assert server.asked == []
    assert (tmp_path / "train.csv").read_text() == TABLE


def test_download__goes_on_after_a_failure(server: Server, tmp_path: Path) -> None:
    server.failing = {"Ground_Truth/2.png"}
    with pytest.raises(HumansegError, match=r"Ground_Truth/2\.png: cannot be fetched \(503"):
        server.fetch(tmp_path)
    there = files(tmp_path)
    assert all(there[name] == CONTENT[name] for name in there)
    server.failing = set()
    server.asked.clear()
    server.fetch(tmp_path)
    assert set(server.asked) == set(CONTENT) - set(there)
    assert files(tmp_path) == CONTENT | {"train.csv": TABLE.encode()}


def test_download__repairs_a_changed_file(server: Server, tmp_path: Path) -> None:
    server.fetch(tmp_path)
    server.asked.clear()
    (tmp_path / "Training_Images/1.jpg").write_bytes(b"changed")
    server.fetch(tmp_path)
    assert server.asked == ["Training_Images/1.jpg"]
    assert files(tmp_path)["Training_Images/1.jpg"] == CONTENT["Training_Images/1.jpg"]


def test_download__refuses_another_content(server: Server, tmp_path: Path) -> None:
    server.content["Training_Images/1.jpg"] = b"something else"
    with pytest.raises(HumansegError, match=r"1\.jpg: is not the file it should be \(wrong SHA"):
        server.fetch(tmp_path)
    assert "Training_Images/1.jpg" not in files(tmp_path)
    assert set(files(tmp_path)) <= set(CONTENT)


def test_download__keeps_nothing_of_a_broken_transfer(server: Server, tmp_path: Path) -> None:
    server.breaking = set(CONTENT)
    with pytest.raises(HumansegError, match=r"cannot be fetched .* run it again to go on"):
        server.fetch(tmp_path)
    assert files(tmp_path) == {}


def test_download__no_server(server: Server, tmp_path: Path) -> None:
    with pytest.raises(HumansegError, match="check the network"):
        download(tmp_path, base_url="http://127.0.0.1:9/", registry=REGISTRY, retries=0)
    assert files(tmp_path) == {}


def test_download__tries_again(server: Server, tmp_path: Path) -> None:
    server.failing = {"Training_Images/1.jpg"}
    threading.Timer(0.5, server.failing.clear).start()
    download(tmp_path, base_url=server.url, registry=REGISTRY, retries=1)
    assert server.asked.count("Training_Images/1.jpg") == 2


def test_download__counts_files(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts: list[tuple[int, int | None]] = []

    def show(done: int, total: int | None, **_: object) -> None:
        counts.append((done, total))

    server.fetch(tmp_path, progress=show)
    files = len(REGISTRY) - ("train.csv" in REGISTRY)
    assert counts == [(done, files) for done in range(1, files + 1)]
    assert capsys.readouterr() == ("", "")


def test_download__table_must_be_the_published_one(server: Server, tmp_path: Path) -> None:
    with pytest.raises(HumansegError, match=r"train\.csv: .* reinstall humanseg"):
        download(tmp_path, base_url=server.url, registry=REGISTRY | {"train.csv": "0" * 64})
    assert "train.csv" not in files(tmp_path)


def test_download__destination_is_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file: is a file; name a folder"):
        server.fetch(tmp_path / "file")
    with pytest.raises(HumansegError, match=r"cannot be written to \(Not a directory\)"):
        server.fetch(tmp_path / "file/below")


def test_default_folder__can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUMANSEG_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "human-segmentation-dataset"
    monkeypatch.delenv("HUMANSEG_CACHE")
    assert default_folder().parts[-2:] == ("humanseg", "human-segmentation-dataset")


def test_known_hashes__are_the_581_files_of_the_public_data_set() -> None:
    hashes = known_hashes()
    ids = {str(number) for number in range(1, 290)} | {"300"}
    expected = {f"Training_Images/{name}.jpg" for name in ids}
    expected |= {f"Ground_Truth/{name}.png" for name in ids} | {"train.csv"}
    assert set(hashes) == expected
    assert all(len(digest) == 64 for digest in hashes.values())
    # Two pictures of the data set are the same file.
    assert hashes["Training_Images/102.jpg"] == hashes["Training_Images/270.jpg"]
    assert sha256(table_text(hashes).encode()) == hashes["train.csv"]
