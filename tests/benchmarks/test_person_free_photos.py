"""The table of person-free photographs is sound, and its script makes what a table says."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ARCHIVE = ["registry", "package", "version", "archive", "archive_sha256"]
HEADER = ["part", "name", *ARCHIVE, "member", "licence"]
PHOTO, RESOURCES, CUT_OUT = "usr/share/photo.png", "usr/share/some.rcc", "package/cat.png"


def _rows() -> list[dict[str, str]]:
    with (BENCHMARKS / "person-free-photos.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_table__has_known_parts_and_full_hashes_and_licences() -> None:
    for row in _rows():
        assert list(row) == HEADER
        assert row["part"] in {"train", "test", "stamps"}
        assert row["registry"] in {"debian", "npm"}
        assert re.fullmatch(r"[0-9a-f]{64}", row["archive_sha256"])
        suffix = "png" if row["part"] == "stamps" else "jpg"
        assert re.fullmatch(rf"[a-z0-9-]+\.{suffix}", row["name"])
        assert row["version"]
        assert row["licence"]


def test_table__has_no_package_in_two_parts() -> None:
    parts = defaultdict(set)
    for row in _rows():
        parts[row["registry"], row["package"]].add(row["part"])
    assert {package for package, names in parts.items() if len(names) > 1} == set()


def test_table__has_no_name_and_no_source_twice() -> None:
    rows = _rows()
    assert len({row["name"] for row in rows}) == len(rows)
    assert len({(row["archive"], row["member"]) for row in rows}) == len(rows)


def test_table__has_one_version_and_hash_for_each_archive() -> None:
    archives = {tuple(row[key] for key in ARCHIVE) for row in _rows()}
    assert len({archive for *_, archive, _ in archives}) == len(archives)


def _picture(mode: str, size: tuple[int, int]) -> bytes:
    image = Image.new(mode, size)
    image.paste((200, 30, 30, 255)[: len(mode)], (size[0] // 4, 0, size[0] * 3 // 4, size[1]))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _tar(kind: str, members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def _debian(contents: bytes) -> bytes:
    package = b"!<arch>\n"
    for name, data in {"debian-binary": b"2.0", "data.tar.xz": contents}.items():
        package += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        package += data + b"\n" * (len(data) % 2)
    return package


def _qt_resources(name: str, data: bytes) -> bytes:
    """A Qt resource file, version 1: the root and one file."""
    tree = struct.pack(">IHII", 0, 2, 1, 1) + struct.pack(">IHHHI", 0, 0, 0, 0, 0)
    names = struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    contents = struct.pack(">I", len(data)) + data
    ends = [20 + len(tree), 20 + len(tree) + len(contents)]
    return struct.pack(">4s4I", b"qres", 1, 20, *ends) + tree + contents + names


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "person_free_photos.py"), str(folder / "out")]
    command += ["--table", str(folder / "table.csv"), "--archives", str(folder / "archives")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _table(folder: Path, rows: list[tuple[str, str, str, str, str]]) -> None:
    """Write part, name, registry, archive and member of each picture as a full table."""
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for part, name, registry, archive, member in rows:
            data = (folder / "archives" / archive).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            writer.writerow([part, name, registry, "p", "1", archive, digest, member, "CC0-1.0"])


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with two packages of three pictures and their table."""
    inner = _qt_resources("dog.png", _picture("RGB", (30, 20)))
    contents = {f"./{PHOTO}": _picture("RGBA", (2048, 1000)), f"./{RESOURCES}": inner}
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "p_1.deb").write_bytes(_debian(_tar("xz", contents)))
    cut_out = {"package/more.txt": b"", CUT_OUT: _picture("RGBA", (2000, 500))}
    (tmp_path / "archives" / "p-1.tgz").write_bytes(_tar("gz", cut_out))
    _table(
        tmp_path,
        [
            ("train", "p-photo.jpg", "debian", "p_1.deb", PHOTO),
            ("train", "p-dog.jpg", "debian", "p_1.deb", f"{RESOURCES}!/dog.png"),
            ("stamps", "p-cat.png", "npm", "p-1.tgz", CUT_OUT),
        ],
    )
    return tmp_path


def test_script__makes_what_the_table_says(packages: Path) -> None:
    done = _run(packages)
    assert done.returncode == 0, done.stderr
    out = packages / "out"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == [
        "stamps/p-cat.png",
        "train/p-dog.jpg",
        "train/p-photo.jpg",
    ]
    with Image.open(out / "train" / "p-photo.jpg") as photo:
        assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (1024, 500))
        assert photo.getpixel((0, 0)) == (255, 255, 255)  # was transparent
    with Image.open(out / "train" / "p-dog.jpg") as dog:
        assert dog.size == (30, 20)
    with Image.open(out / "stamps" / "p-cat.png") as cat:
        assert (cat.mode, cat.size) == ("RGBA", (512, 256))  # without its empty border


def test_script__makes_only_what_is_missing(packages: Path) -> None:
    assert _run(packages).returncode == 0
    kept = packages / "out" / "train" / "p-photo.jpg"
    kept.write_bytes(b"kept")
    (packages / "out" / "train" / "p-dog.jpg").unlink()
    (packages / "archives" / "p-1.tgz").unlink()  # not needed again
    done = _run(packages)
    assert done.stdout.endswith("out: 1\n")
    assert kept.read_bytes() == b"kept"


def test_script__refuses_another_archive(packages: Path) -> None:
    (packages / "archives" / "p-1.tgz").write_bytes(_tar("gz", {CUT_OUT: b"another"}))
    done = _run(packages)
    assert done.returncode == 1
    assert "p-1.tgz has SHA-256" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (packages / "out" / "stamps").exists()


def test_script__names_a_missing_member(packages: Path) -> None:
    _table(packages, [("test", "p-none.jpg", "debian", "p_1.deb", "usr/share/none.jpg")])
    done = _run(packages)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("p_1.deb lacks usr/share/none.jpg.")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="reads Zstandard")
def test_script__reads_zstandard_with_dpkg(packages: Path) -> None:
    source = packages / "source"
    for path, data in {
        "DEBIAN/control": b"Package: p\nVersion: 2\nArchitecture: all\nMaintainer: n\n"
        b"Description: d\n",
        PHOTO: _picture("RGB", (40, 20)),
    }.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    archive = packages / "archives" / "p_2.deb"
    built = subprocess.run(
        ["dpkg-deb", "-Zzstd", "--build", str(source), str(archive)],
        capture_output=True,
        check=False,
    )
    if built.returncode:
        pytest.skip("this dpkg-deb writes no Zstandard")
    _table(packages, [("test", "p-two.jpg", "debian", "p_2.deb", PHOTO)])
    done = _run(packages)
    assert done.returncode == 0, done.stderr
    with Image.open(packages / "out" / "test" / "p-two.jpg") as photo:
        assert photo.size == (40, 20)
