from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.serving import load_of, request_of


def test_load__figures_of_requests() -> None:
    seconds = [0.01 * number for number in range(1, 22)]  # 10 to 210 ms
    load = load_of(4, Counter({"200": 20, "429": 1}), seconds, whole=2.0)
    assert (load.concurrency, load.requests, load.statuses) == (4, 21, {"200": 20, "429": 1})
    assert load.per_second == 10.0  # those that were refused are no work
    assert load.median_ms == pytest.approx(110)
    assert load.p95_ms == pytest.approx(200)


def test_request__as_it_goes_over_the_wire() -> None:
    request = request_of("http://127.0.0.1:8000", b"abc", "?output=mask")
    assert request == (
        b"POST /v1/segment?output=mask HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
        b"Content-Type: image/jpeg\r\nContent-Length: 3\r\n\r\nabc"
    )
