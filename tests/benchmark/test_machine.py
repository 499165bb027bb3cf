from __future__ import annotations

import os

import pytest

from humanseg.benchmark import machine


def test_describe_machine__has_load_memory_and_thread_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(os, "getloadavg", lambda: (1.234, 0.0, 0.0))
    described = machine.describe_machine(0.5)
    assert described.load_before == 0.5
    assert described.load_after == 1.23
    assert described.thread_variables["OMP_NUM_THREADS"] == "3"
    assert described.usable_cores >= 1
    assert described.memory is None or described.memory > 2**28


def test_load__unknown_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg")
    assert machine.load() is None
