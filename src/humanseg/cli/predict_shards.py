"""`humanseg predict` from tar files and into them."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.cli.predict_flags import TAR_SUFFIXES, Request, is_tar, refuse_flags
from humanseg.cli.predict_report import Report
from humanseg.cli.terminal import shown
from humanseg.system.errors import ImageError, UsageError

if TYPE_CHECKING:
    from humanseg.batch.discovery import Job
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
    report = Report(request.output, as_json=request.as_json, quiet=request.quiet, ranked=files.rank)
    try:
        if any(map(is_tar, request.inputs)):
            _from_tars(request, report)
        else:
            _into_tar(request, report)
    finally:
        report.close()
    return report.code


def _from_tars(request: Request, report: Report) -> None:
    """Each tar file becomes one of its own."""
    from humanseg.batch.discovery import Job, pending, refuse_collisions
    from humanseg.batch.made_record import claim_folder, with_inputs
    from humanseg.batch.runner import Outcome
    from humanseg.batch.tar_shards import claim_tar, read_shard

    output = Path(request.output)
    shards = list(_shards(request.inputs))
    if is_tar(request.output) and len(shards) > 1:
        raise UsageError(f"{output}: names a file; several tar files need a folder with -o.")
    jobs = [Job(shard, output if is_tar(request.output) else output / f"{_stem(shard)}.tar")
            for shard in shards]  # fmt: skip
    refuse_collisions(jobs, inputs=request.read_files)
    root = output.parent if is_tar(request.output) else output
    overwrite, record = request.files.overwrite, None
    if is_tar(request.output):
        claim_tar(output, request.settings(), overwrite=overwrite)
    else:
        record = claim_folder(root, request.settings(), jobs, overwrite=overwrite)
    since = 0.0 if record is None else record.since
    plan = pending(jobs, output=root, shard=request.files.shard, overwrite=overwrite, since=since)
    if record is not None:
        with_inputs(record, root, jobs, plan.existing).write(root)
    report.left_out(plan)
    if not plan.jobs:
        return
    writer = _Writer(request, report)
    for job in plan.jobs:
        try:
            suffix = f".{request.format_of()}"
            writer.write(job.target, read_shard(job.source, job.target, suffix))
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
    from humanseg.batch.discovery import Item, discover, output_jobs, pending, refuse_collisions
    from humanseg.batch.tar_shards import claim_tar

    index, count = request.files.shard
    target = Path(request.output)
    if target.suffix.lower() != ".tar":
        raise UsageError(f"{target}: results are written uncompressed; name it .tar.")
    if count > 1:
        target = target.with_name(f"{target.stem}-{index}-of-{count}.tar")

    def suffix_of(_: Item) -> str:
        return f".{request.format_of()}"

    discovery = discover(request.inputs, output=target)
    if any(item.video for item in discovery.items):
        raise UsageError(f"{target}: videos do not go into tar files; predict them on their own.")
    jobs = output_jobs(discovery.items, output=target, suffix_of=suffix_of, keep_suffix=False)
    refuse_collisions(jobs)
    claim_tar(target, request.settings(), overwrite=request.files.overwrite)
    report.unreadable(discovery.problems)
    plan = pending(jobs, output=target, shard=request.files.shard)
    report.left_out(plan, others=discovery.others, results=discovery.results)
    if target.exists() and not request.files.overwrite:
        report.remark(f"Left alone: {target}, which exists; --overwrite makes it again.")
    else:
        _Writer(request, report).write(target, ((job, job.source) for job in plan.jobs))


class _Writer:
    """Writes tar files with one network, and tells what came of each picture."""

    def __init__(self, request: Request, report: Report) -> None:
        self._request, self._report = request, report
        self._workers, threads = request.network.crew(_MANY)
        self._settings = request.settings()
        self._make = request.maker(request.network.open(threads=threads))

    def write(self, target: Path, pictures: Iterable[tuple[Job, Source]]) -> None:
        """Write one tar file."""
        from humanseg.batch.tar_shards import write_shard

        with shown(target.name, unit="pictures", quiet=self._request.no_bar) as progress:
            outcomes = write_shard(
                target, pictures, self._make, settings=self._settings, workers=self._workers
            )
            for number, outcome in enumerate(outcomes, start=1):
                self._report.tell(outcome)
                progress(number, None)
