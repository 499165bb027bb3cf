"""Many pictures through one network: several at a time, and none that fails stops the others.

Each worker thread takes a picture all the way from file to file. Decoding, resizing, the network
and compression run outside Python's lock, so that threads keep all cores busy, share one copy of
the weights and need no pickling.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from humanseg.batch.discovery import Job, is_written
from humanseg.effects.effect import Effect
from humanseg.effects.encode import FormatName, encode
from humanseg.system.atomic import write_bytes
from humanseg.system.errors import HumansegError, ImageError, Interrupted, first_line

if TYPE_CHECKING:
    from humanseg.inference.prediction import Prediction
    from humanseg.inference.segmenter import Segmenter
    from humanseg.video.pipeline import VideoReport

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_AHEAD = 2  # jobs handed out per worker: none waits for the main thread


Encoded: TypeAlias = "tuple[bytes, Prediction]"
"""The content of a result, and the prediction that it shows."""
KeepMetadata: TypeAlias = Literal["camera", "all"]
"""`camera`: date, camera and resolution; `all`: the place too."""


@dataclass(frozen=True)
class Outcome:
    """What came of one job."""

    job: Job
    status: Literal["done", "failed", "skipped"]
    """`skipped`: another process made the result meanwhile."""
    seconds: float = 0.0
    people: bool | None = None
    """Whether anybody was found; None where it is not known."""
    coverage: float | None = None
    """Share of the picture that is person, 0 to 1."""
    error: str | None = None
    """What went wrong, as a sentence."""
    notes: tuple[str, ...] = ()
    uncertainty: float | None = None
    """How unsure the network is, 0 to 1; None where it was not measured."""

    @classmethod
    def of_video(cls, job: Job, made: VideoReport) -> Outcome:
        """The outcome of a job that made a video."""
        people = made.frames_with_people > 0
        return cls(job, "done", people=people, coverage=made.coverage, notes=made.notes)

    @classmethod
    def of_prediction(cls, job: Job, prediction: Prediction) -> Outcome:
        """The outcome of a job that made a file of a prediction."""
        measured = prediction.uncertainty
        return cls(
            job,
            "done",
            people=prediction.found,
            coverage=prediction.coverage,
            notes=prediction.notes,
            uncertainty=None if measured is None else measured.value,
        )


def predict_image(
    source: Path | bytes,
    *,
    segmenter: Segmenter,
    effect: Effect,
    name: FormatName,
    quality: int | None = None,
    keep_metadata: KeepMetadata | None = None,
    uncertainty: bool = False,
) -> Encoded:
    """Take an image file or its content through the network and encode the result.

    Where only a mask or a probability is wanted, a JPEG is decoded at a reduced scale that is still
    as large as the network's grid. `keep_metadata` writes date, camera and resolution of the source
    too; `all` the place as well. Also gives the prediction as the effect shows it.

    Raises:
        ImageError: not an image, damaged, or too large for the format.
    """
    prediction = segmenter.predict(
        source, full_size=effect.needs_image, uncertainty=uncertainty
    ).under(effect)
    metadata = None
    if keep_metadata is not None:
        from humanseg.images.camera_metadata import read_camera_metadata

        metadata = read_camera_metadata(source, place=keep_metadata == "all")
        prediction.notes = (*prediction.notes, *metadata.notes)
    made = prediction.apply(effect)
    try:
        return encode(made, name, quality=quality, metadata=metadata), prediction
    except ImageError as error:
        raise ImageError(f"{source if isinstance(source, Path) else 'picture'}: {error}") from error


def run_job(job: Job, work: Callable[[Job], Outcome]) -> Outcome:
    """Do a job; what is wrong with it becomes a sentence in the outcome.

    Raises:
        OSError: the disk is full, which no other job would survive either.
        Interrupted: the user stopped the work.
    """
    began = time.perf_counter()
    try:
        return replace(work(job), seconds=time.perf_counter() - began)
    except Interrupted:
        raise
    except HumansegError as error:
        text = str(error)
    except MemoryError:
        text = f"{job.source}: not enough memory; make the picture smaller first."
    except OSError as error:
        if error.errno in _FULL or isinstance(error, BrokenPipeError):
            raise
        where = error.filename or job.source
        text = f"{where}: {(error.strerror or str(error)).lower()}."
    except Exception as error:  # noqa: BLE001  of one picture; the others go on
        kind = type(error).__name__
        text = f"{job.source}: unexpected {kind} ({first_line(error)}); please report it."
    return Outcome(job, "failed", seconds=time.perf_counter() - began, error=text)


def run_image(
    job: Job,
    make: Callable[[], Encoded],
    write: Callable[[bytes], object],
    *,
    called: str = "picture",
) -> Outcome:
    """Do the job of one image; see `run_job`. `called` is what errors call one that is no file."""

    def work(job: Job) -> Outcome:
        try:
            content, prediction = make()
        except ImageError as error:
            raise ImageError(str(error).replace("picture:", f"{called}:", 1)) from error
        write(content)
        return Outcome.of_prediction(job, prediction)

    return run_job(job, work)


def predict_images(
    jobs: Iterable[Job],
    make: Callable[[Job], Encoded],
    *,
    workers: int,
    overwrite: bool = True,
    since: float = 0.0,
    stop: threading.Event | None = None,
) -> Generator[Outcome]:
    """Make files of images, each written at once or not at all.

    The jobs are read lazily, so that memory does not grow with their number; `make` is called from
    all workers at once. Without `overwrite`, results that are there, or have come since the jobs
    were planned, are left alone; see `is_written` for `since`. Once `stop` is set no further image
    is begun; those begun are finished.

    Yields:
        the outcome of each job as soon as it is done, in no particular order.

    Raises:
        OSError: the disk is full; what was begun beside it is finished and yielded first.
    """

    def work(job: Job) -> Outcome:
        if not overwrite and is_written(job.target, since):
            return Outcome(job, "skipped")
        return run_image(job, partial(make, job), partial(write_bytes, job.target))

    return in_threads(jobs, work, workers=workers, stop=stop)


def predict_video(
    job: Job,
    *,
    segmenter: Segmenter,
    effect: Effect,
    smooth: bool,
    overwrite: bool = True,
    since: float = 0.0,
    progress: Callable[[int, int | None], None],
) -> Outcome:
    """Predict one video into a file, whole or not at all.

    `smooth` steadies the masks over time. Without `overwrite` a result that is there is left alone,
    see `is_written` for `since`. `progress` is called with the frames done and, where known, their
    number; what it raises ends the video and is raised here.

    Raises:
        OSError: the disk is full.
    """
    from humanseg.video.pipeline import process_video
    from humanseg.video.smoothing import Smoother

    def work(job: Job) -> Outcome:
        if not overwrite and is_written(job.target, since):
            return Outcome(job, "skipped")
        made = process_video(
            segmenter,
            job.source,
            job.target,
            effect=effect,
            smoothing=Smoother() if smooth else None,
            overwrite=True,
            progress=progress,
        )
        return Outcome.of_video(job, made)

    return run_job(job, work)


def in_threads(
    jobs: Iterable[Job],
    work: Callable[[Job], Outcome],
    *,
    workers: int,
    stop: threading.Event | None = None,
) -> Generator[Outcome]:
    """Outcomes of jobs that are done `workers` at a time; see `predict_images`.

    An exception of `work` ends it: jobs not begun are dropped, those begun are finished and
    yielded, then it is raised.
    """
    stop = stop or threading.Event()
    left = iter(jobs)
    running: set[Future[Outcome]] = set()
    failure: BaseException | None = None
    pool = ThreadPoolExecutor(workers, thread_name_prefix="predict")
    try:
        while True:
            if failure is not None or stop.is_set():
                for future in running:
                    future.cancel()
            else:
                more = islice(left, _READ_AHEAD * workers - len(running))
                running |= {pool.submit(work, job) for job in more}
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                if future.cancelled():
                    continue
                failure = failure or future.exception()
                if future.exception() is None:
                    yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
    if failure is not None:
        raise failure
