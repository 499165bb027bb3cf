"""Pictures from tar files, and results into them: few large files, where small ones are slow."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self

from humanseg.batch.discovery import IMAGE_SUFFIXES, Job
from humanseg.batch.runner import Encoded, Outcome, run_image
from humanseg.images import MAX_BYTES
from humanseg.system.atomic import replacing
from humanseg.system.errors import ImageError
from humanseg.system.threads import ordered_map

Source = Path | bytes


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
    """Pictures of a tar file, in its order; other members are passed over.

    Args:
        shard: tar file, compressed or not.
        target: tar file for the results, which are named like the pictures.
        suffix: of the results.

    Yields:
        a job, whose paths are those of the members below both files, and the picture's content.

    Raises:
        ImageError: no tar file, or one that is damaged.
    """
    try:
        with tarfile.open(shard, "r|*", tarinfo=_Member) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.suffix.lower() not in IMAGE_SUFFIXES:
                    continue
                inside = Path(*(part for part in name.parts if part not in ("/", "..")))
                job = Job(shard / inside, (target / inside).with_suffix(suffix))
                stream = tar.extractfile(member)
                if stream is not None and member.size <= MAX_BYTES:
                    yield job, stream.read()
    except (tarfile.TarError, EOFError) as error:
        raise ImageError(f"{shard}: is no tar file, or damaged ({error}).") from error


def write_shard(
    target: Path,
    pictures: Iterable[tuple[Job, Source]],
    make: Callable[[Source], Encoded],
    *,
    workers: int,
) -> Generator[Outcome, None, None]:
    """Make results of pictures and write them into a tar file, all of it or nothing.

    The same pictures give the same bytes: results come in their order, without times or owners.

    Args:
        target: tar file to write.
        pictures: jobs, whose targets lie below `target`, and what is to be read.
        make: see `predict_image`; called in threads.
        workers: threads.

    Yields:
        what came of each picture, in order. A second result of one name is a failure.

    Raises:
        OSError: the disk is full.
    """

    def work(given: tuple[Job, Source]) -> tuple[list[bytes], Outcome]:
        job, source = given
        contents: list[bytes] = []
        name = str(job.source)
        return contents, run_image(job, partial(make, source), contents.append, called=name)

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
                names.add(name)
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            yield outcome
