from __future__ import annotations

from pathlib import Path

import pytest

from humanseg.system import memory


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 MB available, without control groups."""
    (tmp_path / "meminfo").write_text("MemTotal: 9999 kB\nMemAvailable: 8192 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    return tmp_path


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_available__is_what_the_machine_has(system: Path) -> None:
    assert memory.available_memory() == 8 << 20
    (system / "meminfo").write_text("MemTotal: 9999 kB\n")
    assert memory.available_memory() is None
    (system / "meminfo").unlink()
    assert memory.available_memory() is None


def test_available__is_what_the_tightest_group_leaves(system: Path) -> None:
    (system / "own").write_text("0::/a/b\n")
    stat = "anon 5\ninactive_file 50\n"
    group(system / "groups/a/b", memory__max="max", memory__current="7", memory__stat=stat)
    group(system / "groups/a", memory__max="1000", memory__current="300", memory__stat=stat)
    assert memory.available_memory() == 750
    group(system / "groups/a/b", memory__max="100", memory__current="300")
    assert memory.available_memory() == 0


def test_available__older_groups_too(system: Path) -> None:
    (system / "own").write_text("5:cpu:/x\n3:memory:/a\n")
    group(
        system / "groups/memory",  # a container sees its own group as the top one
        memory__limit_in_bytes="1000",
        memory__usage_in_bytes="300",
        memory__stat="total_inactive_file 20\n",
    )
    assert memory.available_memory() == 720
