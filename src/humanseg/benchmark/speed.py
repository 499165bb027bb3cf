"""Times and memory of every way to run a model on this machine.

Each configuration gets a fresh process in every round, one process at a time, so none disturbs
another, and each round sees all of them: a slow minute of the machine hits all alike. Every other
round goes backwards, so a steady drift cancels out.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from humanseg.benchmark import inputs as pictures_module
from humanseg.benchmark.fresh import Probe, ProbeAnswer, ProbeRequest, run_probe
from humanseg.benchmark.machine import describe_machine, describe_model, load
from humanseg.benchmark.speed_record import (
    ColdStart,
    Configuration,
    Measured,
    Picture,
    SpeedRecord,
    Throughput,
    Unavailable,
)
from humanseg.benchmark.timing import summarise_times
from humanseg.errors import HumansegError, UsageError
from humanseg.model_directory import find_model
from humanseg.results.provenance import describe_environment
from humanseg.system.cpu import usable_cores

BACKENDS = ("onnxruntime", "openvino", "torch")
PRECISIONS = ("fp32", "bf16", "int8")
AUTO = "auto"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Effort:
    """How often things are timed."""

    rounds: int = 5
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


def quick_look() -> dict[str, Any]:
    """Arguments of `measure_speed` for a look of some seconds: what a user gets, one round."""
    return {
        "backends": (AUTO,),
        "precisions": (AUTO,),
        "threads": (usable_cores(),),
        "sizes": ((864, 1152),),
        "effort": Effort(rounds=1, calls=5, warm_up=1),
    }


@dataclass
class _Job:
    """One request, repeated in every round, and the answers to it."""

    request: ProbeRequest
    answers: list[ProbeAnswer] = field(default_factory=list)
    failure: str | None = None


def measure_speed(
    model: str | Path | None = None,
    *,
    backends: Sequence[str] = BACKENDS,
    precisions: Sequence[str] = PRECISIONS,
    device: str = "cpu",
    threads: Sequence[int] | None = None,
    pictures: Sequence[Path] = (),
    sizes: Sequence[tuple[int, int]] = pictures_module.SIZES,
    effort: Effort | None = None,
    progress: Progress | None = None,
    probe: Probe = run_probe,
) -> SpeedRecord:
    """Measure a model in every combination of backend, precision and number of threads.

    Args:
        model: model directory; the bundled model by default.
        backends: names for `open_backend`; `auto` is what a user gets who chooses nothing.
        precisions: likewise.
        device: `cpu`, `cuda` or `auto`.
        threads: numbers of threads of one network; 1 and all usable physical cores by default.
        pictures: files or folders of pictures to read; generated ones by default.
        sizes: (height, width) of the generated pictures.
        effort: how often; `Effort()` by default.
        progress: called with (done, total) processes.
        probe: measures one configuration; replaced in tests.

    Raises:
        UsageError: no such picture, too many of them, or numbers that cannot be.
        ImageError: a picture that cannot be read.
        ModelError: no such model.
        HumansegError: not one combination could be measured, and why; or the model changed
            meanwhile.
    """
    directory, effort = find_model(model), effort or Effort()
    counts = sorted(set(threads or (1, usable_cores())))
    if counts[0] < 1:
        raise UsageError(f"{counts[0]} threads: give at least 1.")
    with tempfile.TemporaryDirectory(prefix="humanseg-benchmark-") as scratch:
        given = pictures_module.find(pictures)
        files = given or pictures_module.generate(Path(scratch), sizes)
        described = pictures_module.describe(files, generated=not given)
        usual = pictures_module.usual(described)
        asked = ProbeRequest(
            model=str(directory.absolute()),
            backend=AUTO,
            precision=AUTO,
            device=device,
            threads=1,
            pictures=tuple(str(path.absolute()) for path in files),
            usual=usual,
            calls=effort.calls,
            warm_up=effort.warm_up,
        )
        latency, throughput = _plan(asked, list(product(backends, precisions)), counts)
        files_before, before = describe_model(directory), load()
        _run([*latency, *throughput], effort.rounds, probe, progress)
    good = [job for job in latency if job.failure is None]
    measured = tuple(_measured(job, described) for job in good)
    if not measured:
        raise HumansegError(
            "\n".join(
                f"{one.backend} {one.precision}: {one.reason}" for one in _unavailable(latency)
            )
        )
    model_files = describe_model(directory)
    if model_files != files_before:
        raise HumansegError(f"{directory}: changed while it was measured; measure it again.")
    answer = good[0].answers[0]
    return SpeedRecord(
        model=str(model or "bundled"),
        model_files=model_files,
        image_size=answer.image_size,
        flip_averaging=answer.flip_averaging,
        calls=effort.calls,
        warm_up=effort.warm_up,
        pictures=described,
        measured=measured,
        throughput=tuple(
            _throughput(job, described[usual].name) for job in throughput if job.failure is None
        ),
        unavailable=tuple(_unavailable([*latency, *throughput])),
        machine=describe_machine(before),
        environment=describe_environment(
            device=measured[0].configuration.device,
            threads=max(one.configuration.threads for one in measured),
        ),
    )


def _plan(
    asked: ProbeRequest, ways: Sequence[tuple[str, str]], threads: Sequence[int]
) -> tuple[list[_Job], list[_Job]]:
    """Jobs for latency and for throughput."""

    def job(way: tuple[str, str], **changes: int) -> _Job:
        return _Job(asked.model_copy(update={"backend": way[0], "precision": way[1]} | changes))

    latency = [job(way, threads=count) for way in ways for count in threads]
    return latency, [job(way, workers=usable_cores()) for way in ways]


def _run(jobs: Sequence[_Job], rounds: int, probe: Probe, progress: Progress | None) -> None:
    """Every job once a round; one that fails is not tried again."""
    for done, job in enumerate(_turns(jobs, rounds), start=1):
        if job.failure is None:
            answer = probe(job.request)
            if isinstance(answer, ProbeAnswer):
                job.failure = _another(job.request, answer.opened)
                job.answers.append(answer)
            else:
                job.failure = answer
        if progress:
            progress(done, rounds * len(jobs))


def _turns(jobs: Sequence[_Job], rounds: int) -> Iterator[_Job]:
    for number in range(rounds):
        yield from jobs if number % 2 == 0 else reversed(jobs)


def _another(asked: ProbeRequest, opened: Configuration) -> str | None:
    """What is wrong if something else was opened than was asked for."""
    for name in ("backend", "precision", "device"):
        wanted, got = getattr(asked, name), getattr(opened, name)
        if wanted not in (AUTO, got):
            return f"{wanted} was asked for and {got} came; such times would mislead."
    return None


def _measured(job: _Job, described: Sequence[Picture]) -> Measured:
    answers = job.answers
    return Measured(
        configuration=answers[0].opened,
        network=summarise_times([answer.network for answer in answers]),
        pictures={
            picture.name: summarise_times([answer.pictures[index] for answer in answers])
            for index, picture in enumerate(described)
        },
        cold_start=ColdStart(
            imported=summarise_times([[answer.imported] for answer in answers]),
            loaded=summarise_times([[answer.loaded] for answer in answers]),
            first=summarise_times([[answer.first] for answer in answers]),
            total=summarise_times([[answer.total] for answer in answers]),
        ),
        peak_memory=_peaks(answers),
    )


def _throughput(job: _Job, picture: str) -> Throughput:
    rates = [round(answer.rate, 3) for answer in job.answers]
    return Throughput(
        configuration=job.answers[0].opened,
        workers=job.request.workers,
        picture=picture,
        rates=tuple(rates),
        median=round(statistics.median(rates), 3),
        peak_memory=_peaks(job.answers),
    )


def _peaks(answers: Sequence[ProbeAnswer]) -> tuple[int, ...] | None:
    peaks = tuple(answer.memory for answer in answers if answer.memory is not None)
    return peaks or None


def _unavailable(jobs: Iterable[_Job]) -> list[Unavailable]:
    """What could not be measured, each reason once whatever the number of threads."""
    found = {
        (job.request.backend, job.request.precision, job.failure): Unavailable(
            backend=job.request.backend, precision=job.request.precision, reason=job.failure
        )
        for job in jobs
        if job.failure is not None
    }
    return list(found.values())
