"""The command line in this process, with stand-ins for the workflows that it calls."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from humanseg.cli import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put functions in place of a module's own of the same names."""

    def call(module: str, **functions: Callable[..., Any]) -> None:
        for name, function in functions.items():
            monkeypatch.setattr(import_module(module), name, function)

    return call
