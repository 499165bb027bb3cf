"""What the page does when the server refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.builders.page_visit import Visit, open_page
from tests.serving.conftest import started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Route

pytestmark = pytest.mark.browser
TOKEN = "a-token-that-nobody-guesses"
Pictures = dict[str, bytes]


@pytest.fixture
def answered(browser: Browser, server: str) -> Iterator[Callable[..., Visit]]:
    """Opens the page at a server whose API answers as the test says."""
    context = browser.new_context()

    def open_answered(answer: Callable[[Route], None]) -> Visit:
        context.route("**/v1/segment**", answer)
        return open_page(context, server)

    yield open_answered
    context.close()


def test_token__is_asked_for_once(browser: Browser, pictures: Pictures) -> None:
    context = browser.new_context()
    with started(None, "--token", TOKEN) as server:
        visited = open_page(context, server.url)
        content = pictures["00-plain.jpg"]
        visited.drop({"a.jpg": content, "b.jpg": content, "c.jpg": content})
        for token in (
            "a-wrong-one",
            "a token of words",
            "密码密码密码密码密码密码密码密码",
            f" {TOKEN} ",
        ):
            visited.page.get_by_label("Token", exact=True).fill(token)
            visited.page.get_by_role("button", name="Continue").click()
        visited.wait_until_done(3)
        assert not visited.page.locator("dialog").is_visible()
        context.close()


def test_token__that_is_not_given_is_said(browser: Browser, pictures: Pictures) -> None:
    context = browser.new_context()
    with started(None, "--token", TOKEN) as server:
        visited = open_page(context, server.url)
        visited.drop({"a.jpg": pictures["00-plain.jpg"]})
        visited.page.get_by_role("button", name="Cancel").click()
        visited.page.get_by_role("button", name="a.jpg, failed").wait_for()
        text = visited.page.locator("#message").inner_text()
        assert text.startswith("The server asks for a token, and none was given.")
        context.close()


def test_busy_server__is_asked_again(answered: Callable[..., Visit], pictures: Pictures) -> None:
    tries: list[str] = []

    def answer(route: Route) -> None:
        tries.append(route.request.method)
        if len(tries) == 1:
            route.fulfill(status=429, headers={"Retry-After": "1"}, body="{}")
        else:
            route.continue_()

    visited = answered(answer)
    visited.drop({"a.jpg": pictures["00-plain.jpg"]})
    visited.wait_until_done()
    assert tries == ["POST", "POST"]


@pytest.mark.parametrize("busy", [True, False], ids=["between-tries", "on-its-way"])
def test_private_mode__sends_nothing_more(
    answered: Callable[..., Visit], pictures: Pictures, busy: bool
) -> None:
    asked: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route)
        if busy:
            route.fulfill(status=429, headers={"Retry-After": "3"}, body="{}")

    visited = answered(answer)
    ended: list[str] = []
    visited.page.on("requestfailed", lambda request: ended.append(request.method))
    with visited.page.expect_request("**/v1/segment**"):
        visited.drop({"a.jpg": pictures["00-plain.jpg"]})
    if busy:
        visited.page.wait_for_timeout(500)
    visited.go_private()
    visited.wait_until_done()
    visited.page.wait_for_timeout(4000 if busy else 0)
    assert len(asked) == 1
    assert ended == ([] if busy else ["POST"])


def test_removed_picture__is_sent_no_more(
    answered: Callable[..., Visit], pictures: Pictures
) -> None:
    visited = answered(lambda _: None)
    ended: list[str] = []
    visited.page.on("requestfailed", lambda request: ended.append(request.method))
    with visited.page.expect_request("**/v1/segment**"):
        visited.drop({"a.jpg": pictures["00-plain.jpg"]})
    visited.page.get_by_role("button", name="Remove this picture").click()
    visited.page.wait_for_timeout(300)
    assert ended == ["POST"]


def test_refusal__is_shown_in_the_servers_words(
    answered: Callable[..., Visit], pictures: Pictures
) -> None:
    problem = json.dumps({"title": "Too large", "detail": "picture: too many pixels."})
    visited = answered(
        lambda route: route.fulfill(
            status=413, content_type="application/problem+json", body=problem
        )
    )
    visited.drop({"a.jpg": pictures["00-plain.jpg"]})
    visited.page.get_by_role("button", name="a.jpg, failed").wait_for()
    assert visited.page.locator("#message").inner_text() == "too many pixels."
    visited.go_private()
    visited.wait_until_done()


def test_server_that_is_gone__is_said(answered: Callable[..., Visit], pictures: Pictures) -> None:
    visited = answered(lambda route: route.abort())
    visited.drop({"a.jpg": pictures["00-plain.jpg"]})
    visited.page.get_by_role("button", name="a.jpg, failed").wait_for()
    text = visited.page.locator("#message").inner_text()
    assert text == "The server does not answer. Is humanseg serve still running?"
