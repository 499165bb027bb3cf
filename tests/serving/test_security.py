"""What is refused before a body is read, and what every answer carries."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from tests.builders.segmenters import BrightIsPerson
from tests.builders.sent_images import packed

from humanseg.serving.application import create_app
from humanseg.serving.server_config import ServeConfig

MakeClient = Callable[..., TestClient]
TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000", "192.168.0.7", "a.example"],
)
def test_host__addresses_and_named_hosts(client_of: MakeClient, host: str) -> None:
    client = client_of(allowed_hosts=("a.example",))
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:80", "", "127.0.0.1.x"])
def test_host__a_name_that_was_rebound(client: TestClient, host: str) -> None:
    response = client.get("/healthz", headers={"Host": host})
    assert response.status_code == 400
    assert response.json()["type"] == "urn:humanseg:problem:unknown-host"


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)],
)
def test_site__pages_of_others_may_not_post(client: TestClient, site: str, status: int) -> None:
    headers = {"Sec-Fetch-Site": site, "Content-Type": "image/jpeg"}
    assert client.post("/v1/segment", content=packed(), headers=headers).status_code == status
    assert client.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://masks.example:8000", 200),
        ("HTTP://Masks.Example:8000", 200),
        ("http://masks.example", 403),
        ("http://evil.example:8000", 403),
        ("null", 403),
    ],
)
def test_site__by_the_origin_where_browsers_tell_no_site(
    client_of: MakeClient, origin: str, status: int
) -> None:
    client = client_of(allowed_hosts=("masks.example",))
    headers = {"Host": "masks.example:8000", "Origin": origin, "Content-Type": "image/jpeg"}
    assert client.post("/v1/segment", content=packed(), headers=headers).status_code == status
    assert client.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize("given", ["", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"])
def test_token__missing_or_wrong(client_of: MakeClient, given: str) -> None:
    client = client_of(token=TOKEN)
    headers = {b"Authorization": given.encode("latin-1"), b"Content-Type": b"image/jpeg"}
    for response in (
        client.post("/v1/segment", content=packed(), headers=headers),
        client.get("/v1/models", headers=headers),
        client.get("/metrics", headers=headers),
    ):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.json()["type"] == "urn:humanseg:problem:token-needed"


def test_token__right_one(client_of: MakeClient) -> None:
    client = client_of(token=TOKEN)
    headers = {"Authorization": f"bearer {TOKEN}", "Content-Type": "image/jpeg"}
    assert client.post("/v1/segment", content=packed(), headers=headers).status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert "HTTPBearer" in client.get("/openapi.json").json()["components"]["securitySchemes"]


def test_mounted__under_a_prefix_all_is_guarded_as_without() -> None:
    config = ServeConfig(token=TOKEN, max_bytes=1000, max_batch_bytes=3000)
    app = Starlette(routes=[Mount("/seg", create_app(BrightIsPerson(), config, workers=1))])
    client = TestClient(app, base_url="http://localhost")
    for path in ("/seg/v1/models", "/seg/metrics"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/seg/healthz").status_code == 200
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "image/jpeg"}
    batch = client.post("/seg/v1/segment/batch", content=bytes(1001), headers=headers)
    assert batch.status_code == 415


def test_size__declared(client_of: MakeClient) -> None:
    client = client_of(max_bytes=1000, max_batch_bytes=3000)
    headers = {"Content-Type": "image/jpeg"}
    response = client.post("/v1/segment", content=bytes(1001), headers=headers)
    assert response.status_code == 413
    assert response.json()["detail"].startswith("The request has 1001 bytes; at most 1000 are")
    assert client.post("/v1/segment/batch", content=bytes(1001), headers=headers).status_code == 415
    assert client.post("/v1/segment/batch", content=bytes(3001), headers=headers).status_code == 413


def test_size__counted_while_it_arrives(client_of: MakeClient) -> None:
    client = client_of(max_bytes=1000)
    response = client.post(
        "/v1/segment",
        content=(bytes(100) for _ in range(11)),
        headers={"Content-Type": "image/jpeg"},
    )
    assert response.status_code == 413
    assert response.json()["type"] == "urn:humanseg:problem:too-large"


def test_size__declared_and_sent_in_chunks(client: TestClient) -> None:
    headers = {"Content-Type": "image/jpeg", "Content-Length": "1", "Transfer-Encoding": "chunked"}
    response = client.post("/v1/segment", content=packed(), headers=headers)
    assert response.status_code == 400
    assert response.json()["type"] == "urn:humanseg:problem:malformed-body"
    sentence = "The request has both Content-Length and Transfer-Encoding; send one of them."
    assert response.json()["detail"] == sentence


def test_size__of_headers(client_of: MakeClient) -> None:
    client = client_of(max_header_bytes=1024)
    assert client.get("/healthz", headers={"X": "a" * 800}).status_code == 200
    for response in (
        client.get("/healthz", headers={"X": "a" * 1024}),
        client.get("/healthz", params={"x": "a" * 1024}),
    ):
        assert response.status_code == 431
        assert response.json()["type"] == "urn:humanseg:problem:large-headers"
        assert response.json()["detail"].startswith("The address and headers have ")
        assert response.json()["detail"].endswith(" bytes; at most 1024 are taken.")


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/segment", "/openapi.json"])
def test_headers__of_every_answer(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Server" not in headers


def test_problems__of_the_framework(client: TestClient) -> None:
    missing = client.get("/nowhere")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:humanseg:problem:not-found")
    wrong = client.get("/v1/segment")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert wrong.headers["content-type"] == "application/problem+json"
    assert client.get("/docs").status_code == 404


def test_log__no_word_of_the_client(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "humanseg.requests"):
        client.get("/secret/name?of=me")
        client.post(
            "/v1/segment?threshold=0.123", content=b"x", headers={"Content-Type": "image/x"}
        )
    first, second = (record.getMessage() for record in caplog.records[-2:])
    assert first.startswith("GET other 404 not-found ")
    assert second.startswith("POST /v1/segment 415 unknown-format ")
    assert "0.123" not in second
