"""The script that tries every extra, against pyproject.toml."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from benchmarks.tables import newest

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


def test_tried__every_declared_python_worked_with_every_extra() -> None:
    """What docs/release-checklist.md says, typed by hand."""
    record = json.loads(newest("packaging").read_bytes())
    worked = {(each["python"], each["extra"]) for each in record["environments"]}
    assert {each["outcome"] for each in record["environments"]} == {"works"}
    versions = ("CPython 3.11.7", "CPython 3.12.1", "CPython 3.13.0")
    extras = ["none", "train", "tensorboard", "heic", "openvino", "hub", "video", "serve", "all"]
    assert worked == {(version, extra) for version in versions for extra in extras}
    passed = [each["outcome"].startswith("1075 passed") for each in record["base_tests"]]
    assert passed == [True] * 5 + [False]
    declared = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    assert declared == ["3.11", "3.12", "3.13"]
