from __future__ import annotations

from pathlib import Path

import pytest

from humanseg.system import cpu
from humanseg.system.cpu import Processor, usable_cores


def test_cores__follow_the_quota_of_the_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8))
    monkeypatch.setattr(cpu, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr(cpu, "_QUOTA", tmp_path / "cpu.max")
    assert usable_cores() == 8
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores() == 8
    (tmp_path / "cpu.max").write_text("300000 100000\n")
    assert usable_cores() == 3
    (tmp_path / "cpu.max").write_text("20000 100000\n")
    assert usable_cores() == 1


def test_cores__two_threads_of_one_core_count_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(4):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number % 2},{number % 2 + 2}\n")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(4))
    monkeypatch.setattr(cpu, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr(cpu, "_QUOTA", tmp_path / "none")
    assert usable_cores() == 2


@pytest.mark.parametrize(
    ("machine", "features", "exact"),
    [
        ("x86_64", {"avx2"}, False),
        ("x86_64", {"avx2", "avx_vnni"}, True),
        ("x86_64", None, False),
        ("arm64", None, True),
        ("aarch64", {"asimd"}, True),
    ],
)
def test_int8__is_exact_with_vnni_and_on_arm(
    machine: str, features: set[str] | None, exact: bool
) -> None:
    flags = None if features is None else frozenset(features)
    assert Processor("p", machine, flags).exact_int8 is exact
