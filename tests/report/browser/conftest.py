"""A real browser that looks at a page: headless Chromium, without any driver.

A copy of the page gets a script that acts on it and leaves what it saw as JSON; Chromium prints the
document when it is done.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import pytest

from humanseg.config.comparison_config import CompareConfig
from humanseg.report import write_report

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=15000",
)

_WATCH = """
window.seen = { errors: [] };
addEventListener("error", (event) => seen.errors.push(event.message));
addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => seen.errors.push(event.violatedDirective));
for (const kind of ["error", "warn"]) {
  console[kind] = (...words) => seen.errors.push(words.join(" "));
}
"""
_ACT = """
(async () => {
  try {
    seen.value = await (async () => { SCRIPT })();
  } catch (error) {
    seen.errors.push(error.stack);
  }
  seen.requests = performance.getEntriesByType("resource").map((entry) => entry.name)
    .filter((name) => !name.startsWith("data:"));
  parent.postMessage(JSON.stringify(seen), "*");
})();
"""
_FRAME = """<!doctype html><title>Frame</title>
<pre id="outcome"></pre>
<script>
addEventListener("message", (event) => { document.querySelector("pre").textContent = event.data; });
</script>
<iframe src="visited.html" style="border: 0; width: WIDTHpx; height: 844px"></iframe>
"""


@dataclass(frozen=True)
class Seen:
    """What a visit to a page came to."""

    value: object
    """What the script returned."""
    errors: list[str]
    """Uncaught errors, console messages and unfinished security rules."""
    requests: list[str]
    """Everything that the page loaded from elsewhere."""


Visit = Callable[..., Seen]


@pytest.fixture(scope="session")
def chromium() -> str:
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    return program


@pytest.fixture
def dump(chromium: str, tmp_path: Path) -> Callable[..., str]:
    """Opens a file and gives the document as it stands in the end."""

    def dump(page: Path, *, dark: bool = False) -> str:
        command = [
            chromium,
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1400,900",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            "--dump-dom",
            page.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return dump


@pytest.fixture
def visit(dump: Callable[..., str], tmp_path: Path) -> Visit:
    """Acts on a report.

    `script` is the body of an async function; `library` is run before it. With `own_script` False
    the page's own script is taken out, as where scripts are off.
    """

    def visit(
        folder: Path,
        script: str,
        *,
        library: str = "",
        own_script: bool = True,
        dark: bool = False,
        width: int = 1280,
    ) -> Seen:
        text = (folder / "report.html").read_text(encoding="utf-8")
        text = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", text)
        if not own_script:
            text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
        acted = f"{library}\n{_ACT.replace('SCRIPT', script)}"
        text = text.replace("<head>", f"<head><script>{_WATCH}</script>", 1)
        text = text.replace("</body>", f"<script>{acted}</script></body>")
        (tmp_path / "visited.html").write_text(text, encoding="utf-8")
        frame = tmp_path / "frame.html"  # a window is never as narrow as a phone
        frame.write_text(_FRAME.replace("WIDTH", str(width)), encoding="utf-8")
        match = re.search(r'<pre id="outcome">(.+?)</pre>', dump(frame, dark=dark), re.DOTALL)
        assert match, "the script did not come to its end"
        outcome = json.loads(html.unescape(match[1]))
        return Seen(outcome.get("value"), outcome["errors"], outcome["requests"])

    return visit


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
