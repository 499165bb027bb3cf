"""Models on the hub: a stand-in server at 127.0.0.1, and a stand-in of the client that writes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from humanseg.cli import main
from humanseg.model_directory import find_model, read_model_record
from humanseg.model_directory.card import model_card
from humanseg.model_directory.hub import fetch, is_address, pinned
from humanseg.system.errors import UsageError

Run = Callable[..., tuple[int, str, str]]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
pytest.importorskip("huggingface_hub")


class _Hub(BaseHTTPRequestHandler):
    """The four answers of the hub that a download asks for."""

    directory: Path
    asked: list[str]

    def _answer(self) -> tuple[int, bytes, dict[str, str]]:
        path = self.path.partition("?")[0]
        type(self).asked.append(path)
        if path in (f"/api/models/me/mine/revision/{name}" for name in ("main", "v1", COMMIT)):
            return 200, json.dumps({"id": "me/mine", "sha": COMMIT, "siblings": []}).encode(), {}
        if path == f"/api/models/me/mine/tree/{COMMIT}":
            files = [
                {"type": "file", "path": file.name, "size": file.stat().st_size,
                 "oid": hashlib.sha1(file.read_bytes()).hexdigest()}
                for file in self.directory.iterdir()
            ]  # fmt: skip
            return 200, json.dumps(files).encode(), {}
        file = self.directory / path.rpartition("/")[2]
        if path.startswith(f"/me/mine/resolve/{COMMIT}/") and file.is_file():
            tag = hashlib.sha1(file.read_bytes()).hexdigest()
            return 200, file.read_bytes(), {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}
        code = "RevisionNotFound" if "/me/mine/" in path else "RepoNotFound"
        return 404, b"{}", {"X-Error-Code": code}

    def do_GET(self) -> None:
        status, content, headers = self._answer()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401
        """Say nothing."""


@pytest.fixture
def hub(brightness_model: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment of a process whose hub is the stand-in, with a model `me/mine` on it."""
    directory = tmp_path / "hub"
    directory.mkdir()
    for file in brightness_model.iterdir():
        (directory / file.name).write_bytes(file.read_bytes())
    (directory / "evil.pkl").write_bytes(b"a pickle")
    _Hub.directory, _Hub.asked = directory, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    yield kept | {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home")}
    server.shutdown()
    thread.join()
    server.server_close()


def _open(environment: dict[str, str], name: str) -> subprocess.CompletedProcess[str]:
    program = f"from humanseg import Segmenter; print(Segmenter({name!r}).model)"
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.command
class TestFetch:
    def test_model_is_fetched_by_name_and_kept_by_commit(self, hub: dict[str, str]) -> None:
        done = _open(hub, "hf://me/mine@v1")
        assert done.returncode == 0, done.stderr
        directory = Path(done.stdout.strip())
        assert directory.name == COMMIT
        assert not (directory / "evil.pkl").exists()
        assert not any("evil" in path or "telemetry" in path for path in _Hub.asked)
        assert pinned("hf://me/mine@v1", directory) == f"hf://me/mine@{COMMIT}"

    def test_a_commit_that_was_fetched_needs_no_hub(self, hub: dict[str, str]) -> None:
        assert _open(hub, f"hf://me/mine@{COMMIT}").returncode == 0
        nowhere = hub | {"HF_ENDPOINT": "http://127.0.0.1:9"}
        done = _open(nowhere, f"hf://me/mine@{COMMIT}")
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("name", ["hf://me/other", "hf://me/mine@nothing"])
    def test_what_is_not_there_is_answered_with_a_sentence(
        self, hub: dict[str, str], name: str
    ) -> None:
        done = _open(hub, name)
        assert done.returncode == 1
        assert "the hub has no such model or revision, or it is private" in done.stderr

    def test_command__takes_it_and_says_when_the_hub_is_away(self, hub: dict[str, str]) -> None:
        words = [sys.executable, "-m", "humanseg", "evaluate", "hf://me/mine", "--data", "."]
        away = hub | {"HF_ENDPOINT": "http://127.0.0.1:9"}
        done = subprocess.run(
            words, env=away, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 1
        assert "hf://me/mine: the hub could not be used" in done.stderr
        assert len(done.stderr.splitlines()) == 1


class TestNames:
    def test_an_address_and_what_path_makes_of_it(self) -> None:
        assert is_address("hf://me/mine")
        assert is_address(Path("hf://me/mine@v1"))
        assert not is_address("runs/hf/model")

    @pytest.mark.parametrize("name", ["hf://mine", "hf://a/b/c", "hf://a/b@", "hf:///b"])
    def test_no_address_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match="is no model; give hf://OWNER/NAME or"):
            fetch(name)

    def test_a_folder_is_pinned_to_nothing(self) -> None:
        assert pinned("runs/a/model", Path("runs/a/model")) == "runs/a/model"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line: exit code, stdout, stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


class TestPublish:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
        """What the client was asked to do."""
        made: list[tuple[str, dict[str, Any]]] = []

        class Api:
            def create_repo(self, repository: str, **options: Any) -> None:  # noqa: ANN401
                made.append((repository, options))

            def upload_folder(self, **options: Any) -> SimpleNamespace:  # noqa: ANN401
                made.append((options.pop("repo_id"), options))
                return SimpleNamespace(oid=COMMIT)

        monkeypatch.setattr("huggingface_hub.HfApi", Api)
        return made

    def test_directory_goes_up_private_and_without_pickles(
        self, calls: list[tuple[str, dict[str, Any]]], brightness_model: Path, run: Run
    ) -> None:
        code, out, _ = run("export", str(brightness_model), "--hub", "me/mine")
        assert (code, out) == (0, f"hf://me/mine@{COMMIT}\n")
        (created, options), (uploaded, what) = calls
        assert created == uploaded == "me/mine"
        assert options == {"private": True, "exist_ok": True}
        assert what["folder_path"] == brightness_model
        assert {Path(name).suffix for name in what["allow_patterns"]} == {
            ".md", ".json", ".safetensors", ".onnx",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ("--hub mine", "--hub: got 'mine'; give OWNER/NAME."),
            ("--hub me/mine --half", "as it is; leave out --half, and give it alone"),
            ("--hub me/mine -o x.onnx", "--hub takes the model directory as it is"),
        ],
    )
    def test_bad_use(
        self, calls: list[object], brightness_model: Path, run: Run, words: str, sentence: str
    ) -> None:
        code, _, err = run("export", str(brightness_model), *words.split())
        assert (code, calls) == (2, [])
        assert sentence in err


def test_card__tells_the_hub_task_and_scores() -> None:
    record = read_model_record(find_model())
    front = yaml.safe_load(model_card(record).split("---\n")[1])
    assert front["pipeline_tag"] == "image-segmentation"
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert result["dataset"]["revision"] == record.data_fingerprint
    assert [(metric["type"], metric["value"]) for metric in result["metrics"]] == [
        ("mean_iou", pytest.approx(0.9024, abs=5e-4)),
        ("boundary_iou", pytest.approx(0.7078, abs=5e-4)),
    ]
