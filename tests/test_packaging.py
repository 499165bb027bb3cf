"""The script that tries every extra, against pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SCRIPT = (ROOT / ".ci" / "extras").read_text("utf-8")


def test_extras__are_all_tried() -> None:
    (tried,) = re.findall(r"^extras=\((.*)\)$", SCRIPT, re.MULTILINE)
    assert sorted(tried.split()) == sorted(PROJECT["optional-dependencies"])
    for extra in (*tried.split(), "none", "all"):
        assert f"\ntry_{extra}() {{" in SCRIPT


def test_extras__are_asked_for_where_they_miss() -> None:
    named = re.findall(r"fails_with 'humanseg\[(\w+)\]'", SCRIPT)
    assert sorted([*named, "tensorboard"]) == sorted(PROJECT["optional-dependencies"])
