"""Pictures from tar files, and results into them: few large files, where small ones are slow."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self

from humanseg.batch.discovery import IMAGE_SUFFIXES, Job
from humanseg.batch.made_record import difference
from humanseg.batch.runner import Encoded, Outcome, run_image
from humanseg.images import MAX_BYTES
from humanseg.images.files import open_file
from humanseg.system.atomic import replacing
from humanseg.system.errors import ImageError, UsageError
from humanseg.system.threads import ordered_map

Source = Path | bytes | ImageError
"""A picture's file, its content, or why it has none."""
_COMMENT = "comment"
"""Of the first member: a header that all programs know and pass over."""


class _Member(tarfile.TarInfo):
    """Members of a file that must be whole: tarfile takes a damaged header for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not buf.strip(b"\0"):  # the mark of the end
                raise
            raise tarfile.ReadError(str(error) if buf else "cut off before its end mark") from error


def read_shard(shard: Path, target: Path, suffix: str) -> Iterator[tuple[Job, Source]]:
    """Pictures of a tar file, in its order; other and hidden members are passed over.

    Results go into the tar file `target`, named like the pictures but with their own suffix.

    Yields:
        a job, whose paths are those of the members below both files, and the picture's content.

    Raises:
        ImageError: no tar file, or one that is damaged or may not be read.
    """
    try:
        with (
            open_file(shard) as file,
            tarfile.open(fileobj=file, mode="r|*", tarinfo=_Member) as tar,
        ):
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.suffix.lower() not in IMAGE_SUFFIXES:
                    continue
                inside = Path(*(part for part in name.parts if part not in ("/", "..")))
                if any(part.startswith(".") for part in inside.parts):
                    continue
                job = Job(shard / inside, (target / inside).with_suffix(suffix))
                stream = tar.extractfile(member)
                if member.size > MAX_BYTES:
                    large = f"{member.size / 1e9:.1f} GB"
                    most = f"pictures of at most {MAX_BYTES / 1e9:.1f} GB are read."
                    yield job, ImageError(f"picture: {large}; {most}")
                elif stream is not None:
                    yield job, stream.read()
    except (tarfile.TarError, EOFError) as error:
        raise ImageError(f"{shard}: is no tar file, or damaged ({error}).") from error


def claim_tar(target: Path, settings: Mapping[str, str], *, overwrite: bool) -> None:
    """Refuse a tar file that is there, unless it was made with these settings or is to be replaced.

    Raises:
        UsageError: it has results of other settings, or of unknown ones.
    """
    if overwrite or not target.exists():
        return
    try:
        with tarfile.open(target) as tar:
            first = tar.next()
        before = dict(json.loads(first.pax_headers[_COMMENT])["humanseg"]) if first else None
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError, TypeError):
        before = None
    if before == settings:
        return
    how = (
        f"its results were made with {difference(before, settings)}"
        if before
        else ("exists, and how it was made is not known")
    )
    raise UsageError(f"{target}: {how}; give another name with -o, or --overwrite to replace it.")


def write_shard(
    target: Path,
    pictures: Iterable[tuple[Job, Source]],
    make: Callable[[Path | bytes], Encoded],
    *,
    settings: Mapping[str, str],
    workers: int,
) -> Generator[Outcome, None, None]:
    """Make results of pictures and write them into a tar file, all of it or nothing.

    The same pictures give the same bytes: results come in their order, without times or owners.
    Targets of jobs lie below `target`; `make`, see `predict_image`, is called in threads. The file
    keeps the settings for `claim_tar`.

    Yields:
        what came of each picture, in order. A second result of one name is a failure.

    Raises:
        OSError: the disk is full.
    """

    def work(given: tuple[Job, Source]) -> tuple[list[bytes], Outcome]:
        job, source = given
        contents: list[bytes] = []
        name = str(job.source)
        return contents, run_image(job, partial(_made, make, source), contents.append, called=name)

    names: set[str] = set()
    with (
        replacing(target) as temporary,
        tarfile.open(temporary, "w") as tar,
        closing(ordered_map(work, pictures, threads=workers)) as made,
    ):
        for contents, outcome in made:
            name = outcome.job.target.relative_to(target).as_posix()
            if contents and name in names:
                problem = f"{outcome.job.source}: another picture gives {name} too."
                yield Outcome(outcome.job, "failed", error=problem)
                continue
            for content in contents:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                if not names:
                    member.pax_headers = {_COMMENT: json.dumps({"humanseg": dict(settings)})}
                names.add(name)
                tar.addfile(member, io.BytesIO(content))
            yield outcome


def _made(make: Callable[[Path | bytes], Encoded], source: Source) -> Encoded:
    if isinstance(source, ImageError):
        raise source
    return make(source)
