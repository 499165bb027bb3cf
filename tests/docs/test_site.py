"""The site builds without a warning, every link and reference in it leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.docs
def test_site__builds_without_a_warning(tmp_path: Path) -> None:
    words = [
        "-c",
        "docs",
        "-b",
        "html",
        "-W",
        "--keep-going",
        "-n",
        "-q",
        "-d",
        str(tmp_path / "t"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, ".", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    assert "Find the people in pictures" in (site / "index.html").read_text(encoding="utf-8")
    configuration = (site / "docs" / "configuration.html").read_text(encoding="utf-8")
    assert "training.ema_decay" in configuration
    assert "--smallest-region" in (site / "docs" / "commands.html").read_text(encoding="utf-8")
    name = 'id="humanseg.Segmenter.predict"'
    assert name in (site / "docs" / "api" / "humanseg.html").read_text(encoding="utf-8")
