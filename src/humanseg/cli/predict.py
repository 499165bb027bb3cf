"""`humanseg predict`: masks and effects for pictures, folders, videos, pipes and cameras."""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from humanseg.annotations.label_output import LabelOutput
from humanseg.cli import flags
from humanseg.cli.network_flags import NetworkFlags
from humanseg.cli.predict_flags import PIPE, EffectFlags, FileFlags, Request, refuse_options
from humanseg.cli.predict_frames import FrameFlags, predict_frames
from humanseg.cli.predict_report import Report
from humanseg.cli.predict_shards import predict_shards
from humanseg.cli.predict_streams import predict_pipe, record_camera
from humanseg.cli.terminal import note, numbered, shown
from humanseg.system.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from humanseg.batch.discovery import Discovery, Job
    from humanseg.batch.made_record import MadeRecord
    from humanseg.batch.runner import Encoded
    from humanseg.effects.effect import Effect
    from humanseg.inference.segmenter import Segmenter
    from humanseg.system.progress import Progress


def predict(
    *inputs: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="Files, folders with all their sub-folders, patterns in quotes, @FILE with a path "
            "per line, tar files with pictures, or - for standard input.",
        ),
    ],
    files: FileFlags | None = None,
    effect: EffectFlags | None = None,
    network: NetworkFlags | None = None,
    frames: FrameFlags | None = None,
    json: flags.JsonLines = False,
    quiet: flags.Silent = False,
) -> int:
    """Find the people in pictures and videos, and write masks, cut-outs or other backgrounds."""
    refuse_options(predict, inputs)
    request = Request(
        inputs,
        files or FileFlags(),
        effect or {},
        network or NetworkFlags(),
        as_json=json,
        quiet=quiet,
        film=frames is not None and frames.input_format is not None,
    )
    with terminable():
        if frames is not None and frames.check(request):
            return predict_frames(request, frames)
        if request.tars:
            return predict_shards(request)
        if request.files.camera is not None:
            return record_camera(request, request.files.camera)
        if PIPE in (request.output, *inputs):
            return predict_pipe(request)
        return _predict_files(request)


@dataclass(frozen=True)
class _Plan:
    """What is to be done."""

    jobs: Sequence[Job]
    every: Sequence[Job]
    """Those too that others do, or that were done before."""
    named: Path | None
    """The file that `-o` names, if it names one."""
    folder: Path
    record: MadeRecord
    """How the results are made."""

    def begin(self) -> None:
        """Write the record: nothing stands in the way of the work any more."""
        if self.named is None:
            self.record.write(self.folder)


def _predict_files(request: Request) -> int:
    """Predict files, folders and patterns into a folder, or one file into a file."""
    with closing(Report(request)) as report:
        plan = _planned(request, report)
        if request.files.dry_run:
            report.missing(plan.jobs)
        else:
            _work(request, plan, report)
    return report.code


def _planned(request: Request, report: Report) -> _Plan:
    """What is to be done; nothing is done yet."""
    from humanseg.batch.discovery import discover, pending, refuse_collisions
    from humanseg.batch.made_record import MadeRecord, claim_folder, with_inputs
    from humanseg.system.atomic import remove_leftovers

    output, overwrite = Path(request.output), request.files.overwrite
    discovery = discover(request.inputs, output=output)
    named = request.labels is None and _names_a_file(request.output, discovery)
    root = output.parent if named else output
    jobs = _jobs(request, discovery, named=named)
    refuse_collisions(jobs, inputs=request.read_files)
    if named and output.exists() and not overwrite:
        raise UsageError(f"{output}: exists already; give another name with -o, or --overwrite.")
    record = MadeRecord(request.settings())
    if not named:
        record = claim_folder(root, record.settings, jobs, overwrite=overwrite)
    chosen = pending(
        jobs, output=root, shard=request.files.shard, overwrite=overwrite, since=record.since
    )
    if not named:
        record = with_inputs(record, request.below(root), jobs, chosen.existing)
    _note_ignored(request, jobs)
    if not request.files.dry_run:
        _check_writable(root)
        remove_leftovers({job.target.parent for job in jobs})
    report.left_out(chosen, discovery)
    return _Plan(chosen.jobs, jobs, output if named else None, root, record)


def _names_a_file(typed: str, discovery: Discovery) -> bool:
    """Whether `-o` is the result itself and not a folder for it."""
    from humanseg.batch.discovery import IMAGE_SUFFIXES, VIDEO_SUFFIXES, VIDEO_TARGET_SUFFIXES
    from humanseg.effects.encode import SUFFIXES

    output = Path(typed)
    suffix = output.suffix.lower()
    folder = output.is_dir() or typed.endswith(("/", os.sep))
    like_a_file = discovery.single and re.fullmatch(r"\.[a-z][a-z0-9]{1,4}", suffix)
    if folder or not (suffix in (IMAGE_SUFFIXES | VIDEO_SUFFIXES) or like_a_file):
        if output.exists() and not output.is_dir():
            raise UsageError(f"{output}: is a file; -o needs a folder.")
        return False
    if not discovery.single:
        raise UsageError(f"{output}: names a file; these inputs need a folder with -o.")
    video = discovery.items[0].video
    kind, allowed = ("video", VIDEO_TARGET_SUFFIXES) if video else ("picture", SUFFIXES)
    if suffix not in allowed:
        raise UsageError(
            f"{output}: a {kind} is written as {', '.join(allowed)}; change -o, or end it with / "
            "for a folder."
        )
    return True


def _jobs(request: Request, discovery: Discovery, *, named: bool) -> list[Job]:
    from humanseg.batch.discovery import Job, output_jobs

    output, effect, keep = Path(request.output), request.effect, request.files.keep_suffix
    _refuse_videos(effect, discovery)
    if named:
        item = discovery.items[0]
        if keep:
            raise UsageError(f"--keep-suffix has no effect on -o {output}; leave it out.")
        if item.video:
            from humanseg.video.writer import check_suffix

            check_suffix(output, transparent=effect.output == "cutout")
        else:
            request.format_of(output)
        return [Job(item.path, output, item.video)]
    # Parts of one document may well be called 1.jpg.json, texts for YOLO may not.
    keep = keep or effect.output == "coco"
    return output_jobs(
        discovery.items,
        output=request.below(output),
        suffix_of=request.suffix_of,
        keep_suffix=keep,
    )


def _refuse_videos(effect: Effect, discovery: Discovery) -> None:
    """Refuse videos of which the result cannot be made."""
    video = next((item.path for item in discovery.items if item.video), None)
    if video is not None and isinstance(effect, LabelOutput):
        raise UsageError(
            f"{video}: is a video; --as {effect.output} labels pictures. Name these alone, such as "
            '"photos/**/*.jpg".'
        )
    if video is not None and getattr(effect, "trim", False):
        raise UsageError(
            f"{video}: is a video, whose frames are of one size; leave --trim out, or name the "
            "pictures alone."
        )


def _note_ignored(request: Request, jobs: Sequence[Job]) -> None:
    """Say which flags have no effect on what was found."""
    smoothing = request.files.smoothing
    if smoothing is not None and not any(job.video for job in jobs):
        flag = "--smoothing" if smoothing else "--no-smoothing"
        note(f"humanseg: note: {flag} has no effect; there is no video among the inputs.")
    options = {"format": request.files.format, "workers": request.network.workers}
    for name, value in (options | {"rank": request.files.rank or None}).items():
        if value is not None and all(job.video for job in jobs):
            note(f"humanseg: note: --{name} has no effect on videos; no input is a picture.")


def _check_writable(folder: Path) -> None:
    """Refuse an output folder that cannot be made or written to, before anything slow begins."""
    above = next(path for path in (folder, *folder.parents, Path.cwd()) if path.exists())
    if not above.is_dir():
        raise UsageError(f"{above}: is a file, not a folder; -o {folder} cannot be made.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(above.absolute()))


def _work(request: Request, plan: _Plan, report: Report) -> None:
    """Do the jobs: images several at a time, then videos one after the other."""
    stop = Stop()
    with stop.listening():
        _predict_images(request, plan, report, stop)
        _predict_videos(request, plan, report, stop)
    left = len(plan.jobs) - report.told
    if left:
        raise stop.error(
            f"stopped with {numbered(left, 'input')} left; run the same command again for the rest."
        )
    if request.labels is not None:
        from humanseg.batch.discovery import is_written

        since = plan.record.since
        made = (job.target for job in plan.every if is_written(job.target, since))
        request.labels.finish(plan.folder, made)


def _predict_images(request: Request, plan: _Plan, report: Report, stop: Stop) -> None:
    jobs = [job for job in plan.jobs if not job.video]
    if not jobs:
        return
    from humanseg.batch.runner import predict_images

    workers, threads = request.network.crew(len(jobs))
    make = _maker(request, plan, request.network.open(threads=threads))
    plan.begin()
    outcomes = predict_images(
        jobs,
        make,
        workers=workers,
        overwrite=request.files.overwrite,
        since=plan.record.since,
        stop=stop,
    )
    report.tell_all(outcomes, "Predicting", total=len(jobs))


def _maker(request: Request, plan: _Plan, segmenter: Segmenter) -> Callable[[Job], Encoded]:
    """What makes the result of a job."""
    if request.labels is not None:
        from humanseg.batch.label_files import labels_made

        return partial(
            labels_made,
            segmenter=segmenter,
            labels=request.labels,
            folder=request.below(plan.folder),
            uncertainty=request.files.rank,
        )
    make = request.maker(segmenter, plan.named)
    return lambda job: make(job.source)


def _predict_videos(request: Request, plan: _Plan, report: Report, stop: Stop) -> None:
    """With a network of their own: it has all threads for one frame at a time."""
    jobs = [job for job in plan.jobs if job.video]
    if not jobs or stop.is_set():
        return
    from humanseg.batch.runner import predict_video

    segmenter = request.network.open()
    plan.begin()
    for job in jobs:
        with shown(job.source.name, unit="frames", quiet=request.no_bar) as show:

            def progress(done: int, total: int | None, show: Progress = show) -> None:
                if stop.is_set():  # half a video is no result
                    raise Interrupted("stopped.")
                show(done, total)

            try:
                outcome = predict_video(
                    job,
                    segmenter=segmenter,
                    effect=request.effect,
                    smooth=request.files.smoothing is not False,
                    overwrite=request.files.overwrite,
                    since=plan.record.since,
                    progress=progress,
                )
            except Interrupted:
                return
        report.tell(outcome)


class Terminated(Interrupted):
    """SIGTERM ended the work. Exit code 143, as shells expect."""

    exit_code = 143


class _Terminate(KeyboardInterrupt):
    """SIGTERM as Python knows Ctrl-C: no decoder takes it for damage to its file."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that no temporary file is left.

    Raises:
        Terminated: SIGTERM came.
    """

    def on_terminate(*_: object) -> None:
        raise _Terminate

    before = signal.signal(signal.SIGTERM, on_terminate)
    try:
        yield
    except _Terminate as error:
        raise Terminated("stopped.") from error
    finally:
        signal.signal(signal.SIGTERM, before)


class Stop(threading.Event):
    """Set by the first Ctrl-C or SIGTERM; the second one ends at once."""

    error: type[Interrupted] = Interrupted
    """What to raise for work that is left, by what stopped it."""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Set the event on these signals while the block runs."""

        def on_signal(number: int, _: object) -> None:
            terminated = number == signal.SIGTERM
            if self.is_set():
                raise _Terminate if terminated else KeyboardInterrupt
            self.error = Terminated if terminated else Interrupted
            self.set()

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
