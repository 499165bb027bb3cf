"""Tar files that are damaged are refused, and none of their pictures is passed over in silence."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from humanseg.batch.tar_shards import read_shard
from humanseg.system.errors import ImageError

BLOCK = 512


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Three pictures of one block each: header, content, header, content and so on."""
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("a.png", "b.png", "c.png"):
            member = tarfile.TarInfo(name)
            member.size = 100
            tar.addfile(member, io.BytesIO(bytes(100)))
    return tmp_path / "a.tar"


def names(shard: Path) -> list[str]:
    return [job.source.name for job, _ in read_shard(shard, shard.with_name("out.tar"), ".png")]


def test_whole__gives_all_pictures(shard: Path) -> None:
    assert names(shard) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_damaged_header__is_no_end(shard: Path, number: int) -> None:
    content = bytearray(shard.read_bytes())
    content[2 * number * BLOCK] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.tar: is no tar file, or damaged \(.*bad checksum"):
        names(shard)


@pytest.mark.parametrize("size", [2 * BLOCK, 4 * BLOCK, 6 * BLOCK])
def test_cut_between_pictures__is_said(shard: Path, size: int) -> None:
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(ImageError, match=r"a\.tar: .*damaged \(cut off before its end mark\)"):
        names(shard)


def test_cut_within_a_header__is_said(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[: 2 * BLOCK + 9])
    with pytest.raises(ImageError, match=r"a\.tar: .*damaged \(truncated header\)"):
        names(shard)
