"""A real browser that looks at a page.

The page stays as it is, with its security policy; scripts come from outside, as a debugger's do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

import pytest
from tests.builders.browser import chromium

from humanseg.config.comparison_config import CompareConfig
from humanseg.report import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Request, ViewportSize


@dataclass(frozen=True)
class Seen:
    """What a visit to a page came to."""

    value: object
    """What the script returned."""
    errors: list[str]
    """Uncaught errors, warnings of the console and breaches of the security policy."""
    requests: list[str]
    """Everything that the page loaded from elsewhere."""


Visit = Callable[..., Seen]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    """Acts on a report.

    `script` is the body of an async function; `library` stands before it. With `own_script` False
    the page's own script is taken out, as where scripts are off.
    """
    contexts = []

    def visit(
        folder: Path,
        script: str,
        *,
        library: str = "",
        own_script: bool = True,
        dark: bool = False,
        width: int = 1280,
    ) -> Seen:
        path = folder / "report.html"
        if not own_script:
            text = path.read_text(encoding="utf-8")
            path = tmp_path / "without-script.html"
            text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
            path.write_text(text, encoding="utf-8")
        errors: list[str] = []
        requests: list[str] = []

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                errors.append(message.text)

        def on_request(request: Request) -> None:
            if not request.url.startswith("data:") and request.url != path.as_uri():
                requests.append(request.url)

        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        size: ViewportSize = {"width": width, "height": 844}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", on_console)
        page.on("request", on_request)
        page.goto(path.as_uri())
        value = page.evaluate(f"async () => {{\n{library}\n{script}\n}}")
        return Seen(value, errors, requests)

    yield visit
    for context in contexts:
        context.close()


class Builder(Protocol):
    """What draws comparison folders."""

    def build(self, folder: Path, config: CompareConfig, *, epoch_count: int) -> Path: ...


@pytest.fixture(scope="session")
def crowded(drawn: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of more pictures than the rule chooses, with its report. Do not change it."""
    many = cast(Callable[[int], Builder], type(drawn))(36)
    folder = many.build(tmp_path_factory.mktemp("crowded"), CompareConfig(), epoch_count=2)
    write_report(folder)
    return folder
