"""The web page: its weight, when it can be used, and how fast private mode is.

.venv/bin/python -m benchmarks.page --output benchmarks/results/NAME.json

`humanseg serve` on loopback, headless Chromium, a drawn photo of one megapixel. Every round is a
new browser profile: nothing is cached. `cold` is from the click on Private, at which a photo is
dropped, to its mask; `warm` from the drop of another one to its own. Limits: 300 KB, 1 s, 6 s, and
1.5 s.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from tests.builders.page_visit import Visit, open_page

from humanseg.data import draw_scene
from humanseg.results import Environment, Record, write_record

LIMITS = {"weight_kb": 300.0, "usable": 1.0, "cold": 6.0, "warm": 1.5}
SIZE = (864, 1152)
"""(height, width) of the photo: one megapixel."""


class Result(Record):
    """The result file."""

    environment: Environment
    browser: str
    threads: int
    """Of the network in private mode."""
    weight_kb: float
    """What is sent before private mode is chosen, in thousands of bytes."""
    usable: tuple[float, ...]
    """Seconds from the request to the page with its script run, one per round."""
    cold: tuple[float, ...]
    warm: tuple[float, ...]

    def medians(self) -> dict[str, float]:
        """One number per limit."""
        rounds = {"usable": self.usable, "cold": self.cold, "warm": self.warm}
        return {"weight_kb": self.weight_kb} | {
            name: statistics.median(seconds) for name, seconds in rounds.items()
        }


@contextmanager
def served() -> Iterator[str]:
    """Address of a server of its own process."""
    command = [sys.executable, "-m", "humanseg", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().decode().split()[2]
        finally:
            process.kill()


def photo(seed: int) -> bytes:
    """A drawn scene as JPEG."""
    image, _ = draw_scene(np.random.default_rng(seed), SIZE, clutter=0.2)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _done(visited: Visit, count: int, began: float) -> float:
    visited.wait_until_done(count)
    return time.perf_counter() - began


def visit(browser: Browser, address: str) -> dict[str, float]:
    """One round: seconds of each kind, `weight_kb`, and `threads`."""
    context = browser.new_context()
    visited = open_page(context, address)
    page = visited.page
    usable = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    weight = page.evaluate(
        "performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0)"
    )
    photos = [{f"{seed}.jpg": photo(seed)} for seed in (1, 2)]
    began = time.perf_counter()
    page.get_by_text("Private", exact=True).click()
    visited.drop(photos[0])
    cold = _done(visited, 1, began)
    began = time.perf_counter()
    visited.drop(photos[1])
    warm = _done(visited, 2, began)
    words = page.locator("#where").inner_text().split()
    threads = int(words[words.index("browser.") + 1])
    context.close()
    return {
        "usable": usable / 1000, "weight_kb": weight / 1000, "cold": cold, "warm": warm,
        "threads": threads,
    }  # fmt: skip


def main() -> int:
    """Print the table; exit code 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with served() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        rounds = [visit(browser, address) for _ in range(options.rounds)]
        version = f"Chromium {browser.version}"
        browser.close()
    from humanseg.training import describe_environment

    result = Result(
        environment=describe_environment("cpu"),
        browser=version,
        threads=int(rounds[0]["threads"]),
        weight_kb=rounds[0]["weight_kb"],
        usable=tuple(row["usable"] for row in rounds),
        cold=tuple(row["cold"] for row in rounds),
        warm=tuple(row["warm"] for row in rounds),
    )
    medians = result.medians()
    print(f"{version}, {result.threads} threads in private mode, {options.rounds} rounds")
    for name, limit in LIMITS.items():
        print(f"{name:10} {medians[name]:8.3f}  limit {limit}")
    if options.output:
        write_record(options.output, result)
    return int(any(medians[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
