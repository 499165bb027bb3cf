"""Models, health, readiness and metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient
from tests.builders.segmenters import BrightIsPerson
from tests.builders.sent_images import drawn, packed

MakeClient = Callable[..., TestClient]


def test_models__what_answers(client: TestClient) -> None:
    (model,) = client.get("/v1/models").json()["models"]
    assert model["image_size"] == [64, 64]
    assert (model["backend"], model["threshold"], model["workers"]) == ("function", 0.5, 1)


class _Waiting(BrightIsPerson):
    """Predicts nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.may.wait(10)
        return super().find(image)


def test_ready__after_a_real_prediction_and_not_when_stopped(client_of: MakeClient) -> None:
    segmenter = _Waiting()
    client = client_of(segmenter)
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").json()["type"] == "urn:humanseg:problem:not-ready"
    assert client.get("/healthz").json() == {"status": "alive"}
    segmenter.may.set()
    client.post("/v1/segment", content=packed(), headers={"Content-Type": "image/jpeg"})
    assert client.get("/readyz").json() == {"status": "ready"}
    client.app.state.service.stop()  # type: ignore[attr-defined]
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


class _Broken(BrightIsPerson):
    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise RuntimeError("the runtime broke")


def test_ready__never_with_a_model_that_fails(
    client_of: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(_Broken())
    response = client.post("/v1/segment", content=packed(), headers={"Content-Type": "image/jpeg"})
    assert response.status_code == 500
    assert response.json()["type"] == "urn:humanseg:problem:internal-error"
    assert "broke" not in response.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert 'humanseg_refused_total{problem="internal-error"} 1.0' in client.get("/metrics").text
    assert client.get("/readyz").status_code == 503
    assert "the first prediction failed" in caplog.text


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/v1/models", "/readyz"])
def test_head__is_answered_like_get_without_a_body(client: TestClient, path: str) -> None:
    client.post("/v1/segment", content=packed(), headers={"Content-Type": "image/jpeg"})
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")


def test_metrics__requests_pictures_and_refusals(client: TestClient) -> None:
    headers = {"Content-Type": "image/jpeg"}
    client.post("/v1/segment", content=packed(), headers=headers)
    client.post("/v1/segment", content=packed(drawn(level=0)), headers=headers)
    client.post("/v1/segment", content=b"x", headers=headers)
    client.get("/somebody's/own/words")
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'humanseg_requests_total{route="/v1/segment",status="200"} 2.0',
        'humanseg_requests_total{route="/v1/segment",status="415"} 1.0',
        'humanseg_requests_total{route="other",status="404"} 1.0',
        'humanseg_refused_total{problem="unknown-format"} 1.0',
        'humanseg_images_total{people="yes"} 1.0',
        'humanseg_images_total{people="no"} 1.0',
        "humanseg_waiting 0.0",
        "humanseg_held_bytes 0.0",
    ):
        assert line in lines, line
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
