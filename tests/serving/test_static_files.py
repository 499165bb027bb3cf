"""The page's files: what is sent, with which headers, and that the runtime is the one described."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("starlette")
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.builders.segmenters import BrightIsPerson

from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import bundled, read_model_record
from humanseg.serving import static_files
from humanseg.serving.static_files import page_files, page_routes
from humanseg.system.errors import ModelError

VENDOR = Path(static_files.__file__).parent / "static" / "vendor"
BEFORE_PRIVATE_MODE = 300_000
"""Bytes, at most, before private mode is chosen."""


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=page_routes(Segmenter(threads=1))))


def test_vendored_runtime__is_what_its_manifest_says() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    assert manifest["version"] == "1.30.0"
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name != "manifest.json"
    }
    assert sums == {name: file["sha256"] for name, file in manifest["files"].items()}
    assert set(sums) == {
        "LICENSE", "ThirdPartyNotices.txt", "ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs",
        "ort-wasm-simd-threaded.wasm.gz",
    }  # fmt: skip
    assert manifest["wasm"]["sha256"] == sums[manifest["wasm"]["file"]]
    wasm = gzip.decompress((VENDOR / manifest["wasm"]["file"]).read_bytes())
    assert wasm.startswith(b"\0asm")
    assert b"1.30.0" in (VENDOR / "ort.wasm.min.mjs").read_bytes()


def test_manifest__is_read_from_the_model(client: TestClient) -> None:
    model = client.get("/private/manifest.json").json()["model"]
    record = read_model_record(bundled())
    content = client.get(f"/private/{model['file']}").content
    assert model["file"] == "model.int8.onnx"
    assert content == (bundled() / "model.int8.onnx").read_bytes()
    assert model["sha256"] == hashlib.sha256(content).hexdigest()
    assert model["bytes"] == len(content)
    assert tuple(model["image_size"]) == record.preprocessing.image_size
    assert model["flip_averaging"] is record.config.evaluation.flip_averaging


def test_manifest__runs_the_network_as_the_server_does() -> None:
    segmenter = Segmenter(
        threads=1, image_size=(256, 192), flip_averaging=True, sure_share=0.0, threshold=0.25
    )
    client = TestClient(Starlette(routes=page_routes(segmenter)))
    model = client.get("/private/manifest.json").json()["model"]
    assert model["image_size"] == [256, 192]
    assert model["flip_averaging"] is True
    assert (model["sure_share"], model["threshold"]) == (0.0, 0.25)
    assert 'data-threshold="0.25"' in client.get("/").text


def test_network__is_sent_as_the_manifest_says_when_its_file_changes(tmp_path: Path) -> None:
    for name in ("humanseg.json", "config.json", "model.safetensors", "model.onnx"):
        shutil.copy(bundled() / name, tmp_path)
    client = TestClient(Starlette(routes=page_routes(Segmenter(tmp_path, threads=1))))
    (tmp_path / "model.onnx").write_bytes(b"another")
    model = client.get("/private/manifest.json").json()["model"]
    content = client.get("/private/model.onnx").content
    assert model["sha256"] == hashlib.sha256(content).hexdigest()


def test_files__carry_the_policy_and_a_tag(client: TestClient) -> None:
    for address in page_files():
        answer = client.get(f"/{address}")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "connect-src 'self'" in policy
        assert "script-src 'self' 'wasm-unsafe-eval'" in policy
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = client.get(f"/{address}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_scripts__have_a_type_that_browsers_run(client: TestClient) -> None:
    for address in page_files():
        if address.endswith(("js", ".css", ".html")):
            kind = client.get(f"/{address}").headers["content-type"].partition(";")[0]
            assert kind == ("text/css" if address.endswith("css") else "text/javascript")
    assert client.get("/").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "address", ["/static/../static_files.py", "/static/vendor/LICENSE", "/private/humanseg.json"]
)
def test_other_files__are_not_sent(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404


def test_page__is_light_before_private_mode() -> None:
    files = page_files()
    weight = sum(len(file.content) for name, file in files.items() if "private/" not in name)
    assert 10_000 < weight <= BEFORE_PRIVATE_MODE


def test_page__names_its_modules_and_nobody_elses(client: TestClient) -> None:
    text = page_files()[""].content.decode()
    linked = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert {name for name in page_files() if name.endswith(".js")} - set(linked) == {
        "private/ort.js", "private/ort-threaded.js", "static/segment-worker.js",
    }  # fmt: skip
    assert set(linked) <= set(page_files())
    assert 'data-modes="private" data-threshold="0.5"' in text
    assert 'data-modes="server private" data-threshold="0.5"' in client.get("/").text
    assert "http" not in re.sub(r'xmlns="[^"]+"', "", text)


def test_model_without_onnx__is_not_offered_in_private_mode(tmp_path: Path) -> None:
    for name in ("humanseg.json", "config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(bundled() / name)
    files = page_files(tmp_path, server=BrightIsPerson())
    assert b'data-modes="server"' in files[""].content
    assert not any(name.startswith("private/") for name in files)
    with pytest.raises(ModelError, match=r"has no model\.onnx, which the page's private mode runs"):
        page_files(tmp_path)
