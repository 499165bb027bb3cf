from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import humanseg
from humanseg.results import provenance


def test_describe_environment__says_what_was_run_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/some/folder/humanseg", "benchmark", "my model"])
    described = provenance.describe_environment(device="cpu", threads=2)
    assert described.command == "humanseg benchmark 'my model'"
    assert described.humanseg == humanseg.__version__
    assert described.versions["onnxruntime"] == version("onnxruntime")
    assert described.date.endswith("+00:00")
    assert described.processor
    assert (described.device, described.threads) == ("cpu", 2)


def test_describe_environment__commit_is_the_checkouts(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(humanseg.__file__).parent
    command = ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True, check=False)
    commit = provenance.describe_environment(device="cpu", threads=None).commit
    expected = head.stdout.strip() if head.returncode == 0 else None
    assert (commit and commit.removesuffix("-dirty")) == expected


def test_describe_environment__no_git_no_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.describe_environment(device="cpu", threads=None).commit is None
