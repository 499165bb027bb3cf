"""`humanseg predict` from tar files and into them."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.cli.predict_flags import Request
from humanseg.cli.predict_report import Report
from humanseg.cli.terminal import shown
from humanseg.system.errors import ImageError, UsageError

if TYPE_CHECKING:
    from humanseg.batch.discovery import Job
    from humanseg.batch.tar_shards import Made, Source

_TAR = (".tar.gz", ".tar", ".tgz")
_MANY = 1_000_000
"""Pictures in a tar file, as nobody counts them beforehand: enough for all workers."""


def _is_tar(word: str) -> bool:
    return word.lower().endswith(_TAR)


def is_sharded(request: Request) -> bool:
    """Whether tar files are read or written."""
    return _is_tar(request.output) or any(map(_is_tar, request.inputs))


def predict_shards(request: Request) -> int:
    """Predict tar files into tar files, or anything else into one.

    A tar file is whole or not there; one that is there is left alone without `--overwrite`.
    """
    files = request.files
    for name, flag in (("keep_suffix", "--keep-suffix"), ("dry_run", "--dry-run"),
                       ("smoothing", "--smoothing"), ("camera", "--camera")):  # fmt: skip
        if getattr(files, name) not in (None, False):
            raise UsageError(f"{flag} has no effect on tar files; leave it out.")
    if files.to is None:
        raise UsageError("-o is missing; give a tar file or a folder with -o OUT.")
    report = Report(request.output, as_json=request.as_json, quiet=request.quiet, ranked=files.rank)
    try:
        if any(map(_is_tar, request.inputs)):
            _from_tars(request, report)
        else:
            _into_tar(request, report)
    finally:
        report.close()
    return report.code


def _from_tars(request: Request, report: Report) -> None:
    """Each tar file becomes one of its own."""
    from humanseg.batch.discovery import Job, pending, refuse_collisions
    from humanseg.batch.made_record import claim_folder
    from humanseg.batch.runner import Outcome
    from humanseg.batch.tar_shards import read_shard

    output = Path(request.output)
    shards = list(_shards(request.inputs))
    if _is_tar(request.output) and len(shards) > 1:
        raise UsageError(f"{output}: names a file; several tar files need a folder with -o.")
    jobs = [Job(shard, output if _is_tar(request.output) else output / f"{_stem(shard)}.tar")
            for shard in shards]  # fmt: skip
    refuse_collisions(jobs, inputs=request.read_files)
    root = output.parent if _is_tar(request.output) else output
    overwrite, since = request.files.overwrite, 0.0
    if not _is_tar(request.output):
        record = claim_folder(root, request.settings(), jobs, overwrite=overwrite)
        since = record.since
        record.write(root)
    plan = pending(jobs, output=root, shard=request.shard, overwrite=overwrite, since=since)
    report.left_out(plan, others=0)
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
        if not _is_tar(word):
            raise UsageError(f"{word}: is no tar file; give tar files alone, or none.")
        names = [word] if Path(word).exists() else sorted(glob.glob(word, recursive=True))  # noqa: PTH207
        if not names:
            raise UsageError(f"{word}: does not exist; give tar files, or a pattern in quotes.")
        yield from map(Path, names)


def _stem(shard: Path) -> str:
    suffix = next(suffix for suffix in _TAR if shard.name.lower().endswith(suffix))
    return shard.name[: -len(suffix)]


def _into_tar(request: Request, report: Report) -> None:
    """All pictures into one tar file; those of a shard into `NAME-I-of-N.tar`."""
    from humanseg.batch.discovery import Item, discover, output_jobs, pending, refuse_collisions

    index, count = request.shard
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
    report.unreadable(discovery.problems)
    plan = pending(jobs, output=target, shard=request.shard)
    report.left_out(plan, others=discovery.others)
    if target.exists() and not request.files.overwrite:
        report.remark(f"Left alone: {target}, which exists; --overwrite makes it again.")
    else:
        _Writer(request, report).write(target, ((job, job.source) for job in plan.jobs))


class _Writer:
    """Writes tar files with one network, and tells what came of each picture."""

    def __init__(self, request: Request, report: Report) -> None:
        self._request, self._report = request, report
        self._workers, threads = request.network.crew(_MANY)
        self._segmenter = request.open(threads=threads)

    def write(self, target: Path, pictures: Iterable[tuple[Job, Source]]) -> None:
        """Write one tar file."""
        from humanseg.batch.tar_shards import write_shard

        with shown(target.name, unit="pictures", quiet=self._request.no_bar) as progress:
            outcomes = write_shard(target, pictures, self._made, workers=self._workers)
            for number, outcome in enumerate(outcomes, start=1):
                self._report.tell(outcome)
                progress(number, None)

    def _made(self, given: tuple[Job, Source]) -> Made:
        from humanseg.batch.runner import Outcome, predict_image, run_job

        job, source = given
        request = self._request
        contents: list[bytes] = []

        def make(job: Job) -> Outcome:
            try:
                content, prediction = predict_image(
                    source,
                    segmenter=self._segmenter,
                    effect=request.effect,
                    name=request.format_of(),
                    quality=request.files.quality,
                    keep_metadata=request.files.keep_metadata,
                    uncertainty=request.files.rank,
                )
            except ImageError as error:
                raise ImageError(str(error).replace("picture:", f"{job.source}:", 1)) from error
            contents.append(content)
            return Outcome.of_prediction(job, prediction)

        outcome = run_job(job, make)
        return (contents[0] if contents else None), outcome
