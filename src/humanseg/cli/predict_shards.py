"""`humanseg predict` from tar files and into them."""

from __future__ import annotations

import glob
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.cli.predict_flags import TAR_SUFFIXES, Request, is_tar, refuse_flags
from humanseg.cli.predict_report import Report
from humanseg.system.errors import ImageError, UsageError

if TYPE_CHECKING:
    from humanseg.batch.discovery import Job
    from humanseg.batch.runner import Outcome
    from humanseg.batch.tar_shards import Source

_MANY = 1_000_000
"""Pictures in a tar file, as nobody counts them beforehand: enough for all workers."""


def predict_shards(request: Request) -> int:
    """Predict tar files into tar files, or anything else into one.

    A tar file is whole or not there; one that is there is left alone without `--overwrite`.
    """
    files = request.files
    refuse_flags(files, "on tar files", "keep_suffix", "dry_run", "smoothing", "camera")
    if files.to is None:
        raise UsageError("-o is missing; give a tar file or a folder with -o OUT.")
    with closing(Report(request)) as report:
        if any(map(is_tar, request.inputs)):
            _from_tars(request, report)
        else:
            _into_tar(request, report)
    return report.code


def _from_tars(request: Request, report: Report) -> None:
    """Each tar file becomes one of its own."""
    from humanseg.batch.discovery import Job, pending, refuse_collisions
    from humanseg.batch.made_record import MadeRecord, claim_folder, with_inputs
    from humanseg.batch.runner import Outcome
    from humanseg.batch.tar_shards import claim_tar, read_shard

    output, named = Path(request.output), is_tar(request.output)
    shards = list(_shards(request.inputs))
    if named and len(shards) > 1:
        raise UsageError(f"{output}: names a file; several tar files need a folder with -o.")
    jobs = [Job(shard, output if named else output / f"{_stem(shard)}.tar") for shard in shards]
    refuse_collisions(jobs, inputs=request.read_files)
    root = output.parent if named else output
    overwrite, record = request.files.overwrite, MadeRecord(request.settings())
    if named:
        claim_tar(output, record.settings, overwrite=overwrite)
    else:
        record = claim_folder(root, record.settings, jobs, overwrite=overwrite)
    plan = pending(
        jobs, output=root, shard=request.files.shard, overwrite=overwrite, since=record.since
    )
    if not named:
        with_inputs(record, root, jobs, plan.existing).write(root)
    report.left_out(plan)
    if not plan.jobs:
        return
    write = _writer(request)
    for job in plan.jobs:
        try:
            pictures = read_shard(job.source, job.target, f".{request.format_of()}")
            report.tell_all(write(job.target, pictures), job.target.name)
        except ImageError as error:
            report.tell(Outcome(job, "failed", error=str(error)))


def _shards(words: Iterable[str]) -> Iterator[Path]:
    for word in words:
        if not is_tar(word):
            raise UsageError(f"{word}: is no tar file; give tar files alone, or none.")
        names = [word] if Path(word).exists() else sorted(glob.glob(word, recursive=True))  # noqa: PTH207
        if not names:
            raise UsageError(f"{word}: does not exist; give tar files, or a pattern in quotes.")
        yield from map(Path, names)


def _stem(shard: Path) -> str:
    suffix = next(suffix for suffix in TAR_SUFFIXES if shard.name.lower().endswith(suffix))
    return shard.name[: -len(suffix)]


def _into_tar(request: Request, report: Report) -> None:
    """All pictures into one tar file; those of a shard into `NAME-I-of-N.tar`."""
    from humanseg.batch.discovery import discover, output_jobs, pending, refuse_collisions
    from humanseg.batch.tar_shards import claim_tar

    index, count = request.files.shard
    target = Path(request.output)
    if target.suffix.lower() != ".tar":
        raise UsageError(f"{target}: results are written uncompressed; name it .tar.")
    if count > 1:
        target = target.with_name(f"{target.stem}-{index}-of-{count}.tar")

    discovery = discover(request.inputs, output=target)
    if any(item.video for item in discovery.items):
        raise UsageError(f"{target}: videos do not go into tar files; predict them on their own.")
    jobs = output_jobs(
        discovery.items, output=target, suffix_of=request.suffix_of, keep_suffix=False
    )
    refuse_collisions(jobs)
    claim_tar(target, request.settings(), overwrite=request.files.overwrite)
    plan = pending(jobs, output=target, shard=request.files.shard)
    report.left_out(plan, discovery)
    if target.exists() and not request.files.overwrite:
        report.remark(f"Left alone: {target}, which exists; --overwrite makes it again.")
    else:
        pictures = ((job, job.source) for job in plan.jobs)
        report.tell_all(_writer(request)(target, pictures), target.name)


def _writer(request: Request) -> Callable[[Path, Iterable[tuple[Job, Source]]], Generator[Outcome]]:
    """What writes tar files, all with one network."""
    from humanseg.batch.tar_shards import write_shard

    workers, threads = request.network.crew(_MANY)
    make = request.maker(request.network.open(threads=threads))
    return partial(write_shard, make=make, settings=request.settings(), workers=workers)
