"""The page for marking masks, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from humanseg.report.review import Reviewed, write_review

pytestmark = pytest.mark.browser
PRESS = """
const press = (key) => dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const shown = () => [...document.querySelectorAll(".entry")].map((entry) => entry.dataset.mark);
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A folder with a review of three pictures."""
    Image.new("RGB", (40, 30), (90, 120, 150)).save(tmp_path / "a.png")
    mask = np.zeros((30, 40), np.bool_)
    mask[5:25, 10:30] = True
    pictures = [
        Reviewed(f"photos/{name}.png", tmp_path / "a.png", (), lambda: (mask, None))
        for name in "abc"
    ]
    write_review(tmp_path / "report.html", pictures, title="photos", order="-", total=3)
    return tmp_path


def test_keys__mark_and_move_on(page: Path, visit: Callable[..., Any]) -> None:
    script = """
      press("b"); press("g");
      const status = document.querySelector(".status").textContent;
      press("ArrowLeft"); press("u");
      return [status, shown(), document.activeElement.dataset.id];
    """
    seen = visit(page, script, library=PRESS)
    assert (seen.errors, seen.requests) == ([], [])
    assert seen.value == [
        "1 good, 1 bad, 1 unmarked", ["bad", "", ""], "photos/b.png",
    ]  # fmt: skip


def test_marks__are_downloaded_and_loaded_again(page: Path, visit: Callable[..., Any]) -> None:
    script = """
      const saved = [];
      HTMLAnchorElement.prototype.click = function () {
        saved.push([this.download, decodeURIComponent(this.href.split(",")[1])]);
      };
      document.querySelectorAll("button[data-mark=bad]").item(2).click();
      document.querySelector(".entry button[data-mark=good]").click();
      control("save").click();
      control("list").click();
      press("u");
      await load(new File([saved[0][1].replace('"bad"', '"good"')], "marks.json"));
      await load(new File(["{}"], "other.json"));
      return [saved, shown(), document.querySelector(".status").textContent];
    """
    seen = visit(page, script, library=PRESS)
    saved, marks, status = seen.value
    assert seen.errors == []
    assert saved[0][0] == "marks.json"
    assert '"photos/a.png": "good"' in saved[0][1]
    assert '"photos/c.png": "bad"' in saved[0][1]
    assert saved[1] == ["bad.txt", "photos/c.png\n"]
    assert marks == ["good", "", "good"]
    assert status == "other.json holds no marks; choose a file that this page wrote."
