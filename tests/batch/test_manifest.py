"""Lists of inputs in a file."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from humanseg.batch.discovery import discover
from humanseg.batch.manifest import read_manifest
from humanseg.system.errors import UsageError


def test_manifest__keeps_paths_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# pictures\n\na/1.jpg\n  b/1.jpg \n")
    assert read_manifest(tmp_path / "list.txt") == [
        (Path("a/1.jpg"), PurePath("a/1.jpg")),
        (Path("b/1.jpg"), PurePath("b/1.jpg")),
    ]


def test_manifest__of_windows_begins_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa/1.jpg\r\n# b\r\nc.jpg\r\n")
    names = [name.as_posix() for _, name in read_manifest(tmp_path / "list.txt")]
    assert names == ["a/1.jpg", "c.jpg"]


def test_manifest__of_absolute_paths_counts_from_what_they_share(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("/data/x/a/1.jpg\n/data/x/b/2.jpg\n")
    names = [name.as_posix() for _, name in read_manifest(tmp_path / "list.txt")]
    assert names == ["a/1.jpg", "b/2.jpg"]


@pytest.mark.parametrize("content", [None, b"", b"# nothing\n", b"\xff\xfe\x00", b"a\x00.jpg"])
def test_manifest__missing_or_empty_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(UsageError, match=r"list.txt: (names no file|cannot be read as a list)"):
        read_manifest(tmp_path / "list.txt")


def test_discovery__takes_what_a_list_names_without_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("a/1.jpg\nclip.MP4\n")
    discovery = discover(["@list.txt"], output=Path("out"))
    assert [(str(item.path), item.video) for item in discovery.items] == [
        ("a/1.jpg", False),
        ("clip.MP4", True),
    ]
    assert not discovery.single
