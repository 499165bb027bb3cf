"""A visit to the page of `humanseg serve` in a real browser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request

_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""
_DROP = """(files) => {
  const transfer = new DataTransfer();
  for (const { name, type, content } of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  window.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable: true }));
}"""
TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "txt": "text/plain"}


@dataclass
class Visit:
    """A page in the browser, and what it did."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def drop(self, files: dict[str, bytes]) -> None:
        """Drop files on the page."""
        given = [
            {
                "name": name,
                "type": TYPES[name.rpartition(".")[2]],
                "content": base64.b64encode(content).decode(),
            }
            for name, content in files.items()
        ]
        self.page.evaluate(_DROP, given)

    def go_private(self) -> None:
        """Switch to private mode if there is another, and wait until it is ready."""
        if self.page.locator("#modes").is_visible():
            self.page.get_by_text("Private", exact=True).click()
        self.page.get_by_text("No picture leaves this browser.").wait_for(timeout=60_000)

    def wait_until_done(self, count: int = 1) -> None:
        """Wait until so many pictures are segmented."""
        self.page.locator('.tile[data-state="done"]').nth(count - 1).wait_for(timeout=60_000)

    def download(self, button: str) -> tuple[str, bytes]:
        """Press a button that downloads; the file's name and content."""
        with self.page.expect_download() as expected:
            self.page.get_by_role("button", name=button, exact=True).click()
        return expected.value.suggested_filename, Path(expected.value.path()).read_bytes()

    def assert_sound(self) -> None:
        """No error, no message on the console, no breach of the page's policy."""
        assert self.problems == []
        assert self.page.evaluate("violations") == []


def open_page(context: BrowserContext, address: str, *, private: bool = False) -> Visit:
    """Open the page and watch it.

    Args:
        context: of a browser; not used before.
        address: of the page.
        private: switch to private mode, and wait until it is ready.
    """
    context.add_init_script(_WATCH)
    visited = Visit(context.new_page())
    page = visited.page
    context.on("request", lambda request: visited.requests.append(request))
    page.on("pageerror", lambda error: visited.problems.append(str(error)))
    page.on("console", lambda message: visited.problems.append(message.text))
    page.goto(address)
    if private:
        visited.go_private()
    return visited


Open = Callable[..., Visit]
