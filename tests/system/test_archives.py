from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from humanseg.system.archives import is_whole_zip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("data", b"0123456789" * 20)
    return tmp_path / "a.zip"


def test_is_whole_zip__every_changed_byte_of_a_member_is_seen(archive: Path) -> None:
    assert is_whole_zip(archive)
    content = archive.read_bytes()
    start = content.index(b"0123456789")
    for index in range(start, start + 200):
        archive.write_bytes(content[:index] + b"x" + content[index + 1 :])
        assert not is_whole_zip(archive)


@pytest.mark.parametrize("content", [b"", b"PK", b"nonsense" * 99, None])
def test_is_whole_zip__what_is_none_is_not(archive: Path, content: bytes | None) -> None:
    if content is None:
        archive.unlink()
    else:
        archive.write_bytes(content)
    assert not is_whole_zip(archive)


def test_is_whole_zip__is_not_if_cut_short(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-1])
    assert not is_whole_zip(archive)
