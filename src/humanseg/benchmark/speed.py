"""Times and memory of every way to run a model on this machine.

Each configuration gets a fresh process in every round, one process at a time, so none disturbs
another, and each round sees all of them: a slow minute of the machine hits all alike. Every other
round goes backwards, so a steady drift cancels out.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, product
from pathlib import Path

from humanseg.benchmark.fresh import Probe, ProbeAnswer, ProbeRequest, run_probe
from humanseg.benchmark.inputs import SIZES, describe, find, generate, usual
from humanseg.benchmark.machine import describe_machine, load
from humanseg.benchmark.speed_record import (
    ColdStart,
    Configuration,
    ImageFile,
    Measured,
    SpeedRecord,
    Throughput,
    Unavailable,
)
from humanseg.benchmark.timing import summarise_times
from humanseg.model_directory import (
    VARIANTS,
    default_model,
    digests,
    find_model,
    read_model_record,
    warn_if_weak,
)
from humanseg.results.provenance import describe_environment
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import HumansegError, ModelError, UsageError
from humanseg.system.progress import Progress

AUTO = "auto"


@dataclass(frozen=True)
class SpeedOptions:
    """What is measured, and how often."""

    backends: tuple[str, ...] = ("onnxruntime", "openvino", "torch")
    """Names that `Segmenter` takes; `auto` is what a user gets who chooses nothing."""
    precisions: tuple[str, ...] = ("fp32", "bf16", "int8")
    """Likewise."""
    threads: tuple[int, ...] = ()
    """Numbers of threads of one network; 1 and all usable physical cores if empty."""
    device: str = "cpu"
    """`cpu`, `cuda` or `auto`."""
    pictures: tuple[Path, ...] = ()
    """Files or folders of images to read; generated ones if empty."""
    sizes: tuple[tuple[int, int], ...] = SIZES
    """(height, width) of the generated images."""
    rounds: int = 5
    """Fresh processes per configuration."""
    calls: int = 20
    """Timed calls of one thing per round."""
    warm_up: int = 3
    """Untimed calls of the network before them."""

    def __post_init__(self) -> None:
        """Refuse what gives no times."""
        if self.rounds < 1 or self.calls < 1 or self.warm_up < 0:
            raise UsageError(
                f"{self.rounds} rounds, {self.calls} calls, {self.warm_up} calls to warm up: give "
                "at least one round and one call."
            )
        if min(self.thread_counts) < 1:
            raise UsageError(f"{min(self.threads)} threads: give at least 1.")

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """Numbers of threads to measure, each once, ascending."""
        return tuple(sorted(set(self.threads or (1, usable_cores()))))


def quick_options() -> SpeedOptions:
    """For a look of some seconds: what a user gets who chooses nothing, one image, one round."""
    return SpeedOptions(
        backends=(AUTO,),
        precisions=(AUTO,),
        threads=(usable_cores(),),
        sizes=((864, 1152),),
        rounds=1,
        calls=5,
        warm_up=1,
    )


@dataclass
class _Job:
    """One request, repeated in every round, and the answers to it."""

    request: ProbeRequest
    answers: list[ProbeAnswer] = field(default_factory=list)
    failure: str | None = None


def measure_speed(
    model: str | Path | None = None,
    options: SpeedOptions | None = None,
    *,
    progress: Progress | None = None,
    probe: Probe = run_probe,
) -> SpeedRecord:
    """Measure a model in every combination of backend, precision and number of threads.

    Args:
        model: model directory, `fast` or `best`; the bundled model by default.
        options: what and how often; `SpeedOptions()` by default.
        progress: called with the number of processes that are done, and of all.
        probe: measures one configuration; replaced in tests.

    Raises:
        UsageError: no such image, too many of them, or no files among them.
        ImageError: an image that cannot be read.
        ModelError: no such model.
        HumansegError: not one combination could be measured, and why; or the model changed
            meanwhile.
    """
    name, options = str(model or default_model()), options or SpeedOptions()
    directory = find_model(None if name in VARIANTS else name)
    with suppress(ModelError):  # whoever opens it says what is missing
        warn_if_weak(directory, read_model_record(directory))
    files_before, load_before = digests(directory), load()
    with tempfile.TemporaryDirectory(prefix="humanseg-benchmark-") as scratch:
        opened = name if name in VARIANTS else str(directory.absolute())
        pictures, latency, throughput = _plan(opened, Path(scratch), options)
        jobs = [*latency, *throughput]
        _run(jobs, options.rounds, probe, progress)
    measured = tuple(_measured(job, pictures) for job in latency if job.failure is None)
    if not measured:
        failures = _unavailable(latency)
        raise HumansegError(
            " ".join(f"{way.backend} {way.precision}: {way.reason}" for way in failures)
        )
    if digests(directory) != files_before:
        raise HumansegError(f"{directory}: changed while it was measured; measure it again.")
    answer = next(job for job in latency if job.failure is None).answers[0]
    return SpeedRecord(
        model=name,
        model_files=files_before,
        image_size=answer.image_size,
        flip_averaging=answer.flip_averaging,
        calls=options.calls,
        warm_up=options.warm_up,
        pictures=pictures,
        measured=measured,
        throughput=tuple(_throughput(job, pictures) for job in throughput if job.failure is None),
        unavailable=tuple(_unavailable(jobs)),
        machine=describe_machine(load_before),
        environment=describe_environment(
            device=measured[0].configuration.device,
            threads=max(way.configuration.threads for way in measured),
        ),
    )


def _plan(
    model: str, scratch: Path, options: SpeedOptions
) -> tuple[tuple[ImageFile, ...], list[_Job], list[_Job]]:
    """Images, and the jobs for latency and for throughput; generated images go to `scratch`."""
    given = find(options.pictures)
    paths = given or generate(scratch, options.sizes)
    pictures = describe(paths, generated=not given)

    def job(backend: str, precision: str, *, threads: int = 1, workers: int = 0) -> _Job:
        way = Configuration(
            backend=backend, precision=precision, device=options.device, threads=threads
        )
        request = ProbeRequest(
            model=model,
            way=way,
            pictures=tuple(str(path.absolute()) for path in paths),
            usual=usual(pictures),
            calls=options.calls,
            warm_up=options.warm_up,
            workers=workers,
        )
        return _Job(request)

    ways = list(product(options.backends, options.precisions))
    latency = [job(*way, threads=count) for way in ways for count in options.thread_counts]
    return pictures, latency, [job(*way, workers=usable_cores()) for way in ways]


def _run(jobs: Sequence[_Job], rounds: int, probe: Probe, progress: Progress | None) -> None:
    """Every job once a round; one that fails is not tried again."""
    turns = (jobs if number % 2 == 0 else jobs[::-1] for number in range(rounds))
    for done, job in enumerate(chain.from_iterable(turns), start=1):
        if job.failure is None:
            answer = probe(job.request)
            if isinstance(answer, ProbeAnswer):
                job.failure = _mismatch(job.request.way, answer.opened)
                job.answers.append(answer)
            else:
                job.failure = answer
        if progress:
            progress(done, rounds * len(jobs))


def _mismatch(asked: Configuration, opened: Configuration) -> str | None:
    """What is wrong if something else was opened than was asked for."""
    for name in ("backend", "precision", "device"):
        wanted, got = getattr(asked, name), getattr(opened, name)
        if wanted not in (AUTO, got):
            return f"{wanted} was asked for and {got} came; such times would mislead."
    return None


def _measured(job: _Job, pictures: Sequence[ImageFile]) -> Measured:
    answers = job.answers
    return Measured(
        configuration=answers[0].opened,
        network=summarise_times([answer.network for answer in answers]),
        pictures={
            picture.name: summarise_times([answer.pictures[index] for answer in answers])
            for index, picture in enumerate(pictures)
        },
        cold_start=ColdStart.model_validate(
            {
                part: summarise_times([[getattr(answer, part)] for answer in answers])
                for part in ColdStart.model_fields
            }
        ),
        peak_memory=_peaks(answers),
    )


def _throughput(job: _Job, pictures: Sequence[ImageFile]) -> Throughput:
    rates = [round(answer.rate, 3) for answer in job.answers]
    return Throughput(
        configuration=job.answers[0].opened,
        workers=job.request.workers,
        picture=pictures[job.request.usual].name,
        rates=tuple(rates),
        median=round(statistics.median(rates), 3),
        peak_memory=_peaks(job.answers),
    )


def _peaks(answers: Sequence[ProbeAnswer]) -> tuple[int, ...] | None:
    peaks = tuple(answer.memory for answer in answers if answer.memory is not None)
    return peaks or None


def _unavailable(jobs: Iterable[_Job]) -> list[Unavailable]:
    """What could not be measured, each reason once whatever the number of threads."""
    ways = ((job.request.way, job.failure) for job in jobs if job.failure is not None)
    reasons = (
        Unavailable(backend=way.backend, precision=way.precision, reason=failure)
        for way, failure in ways
    )
    return list(dict.fromkeys(reasons))
