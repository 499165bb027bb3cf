"""The static build works from a plain file server, which sends no headers of its own."""

from __future__ import annotations

import pytest
from tests.builders.page_visit import Open

pytestmark = pytest.mark.browser


def test_static_build__works_in_private_mode_alone(
    visit: Open, static_host: str, pictures: dict[str, bytes]
) -> None:
    visited = visit(static_host, private=True)
    assert not visited.page.locator("#modes").is_visible()
    assert "1 thread." in visited.page.locator("#where").inner_text()
    visited.drop({"plain.jpg": pictures["00-plain.jpg"]})
    visited.wait_until_done()
    name, content = visited.download("Download")
    assert name == "plain-cutout.png"
    assert content.startswith(b"\x89PNG")
    assert all(request.method == "GET" for request in visited.requests)
    visited.assert_sound()


def test_static_build__keeps_the_policy_in_the_page(visit: Open, static_host: str) -> None:
    visited = visit(static_host, private=True)
    refused = visited.page.evaluate(
        "() => fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.message)"
    )
    assert refused == "Failed to fetch"
    assert "connect-src" in visited.page.evaluate("violations")
