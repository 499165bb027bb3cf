"""A real browser at a real server."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal

import pytest
from tests.builders.browser import chromium
from tests.builders.page_pictures import draw_pictures
from tests.builders.page_visit import Open, Visit, open_page
from tests.serving.conftest import started

from humanseg.serving.static_files import export_static

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ViewportSize


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of `humanseg serve`, in int8 as the page's private mode."""
    with started(None, "--precision", "int8", "--backend", "onnxruntime") as server:
        yield server.url


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="session")
def static_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a plain file server with the static build."""
    folder = tmp_path_factory.mktemp("static") / "page"
    export_static(folder)
    handler = functools.partial(_Silent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{host.server_address[1]}"
        host.shutdown()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens an address; see `open_page`."""
    contexts = []

    def visit(
        address: str, *, width: int = 1280, dark: bool = False, private: bool = False
    ) -> Visit:
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        size: ViewportSize = {"width": width, "height": 844}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        return open_page(contexts[-1], address, private=private)

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pictures() -> dict[str, bytes]:
    return draw_pictures(6)
