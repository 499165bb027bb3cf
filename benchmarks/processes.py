"""Training in two processes of one thread each against one process of two threads, on a CPU.

    .venv/bin/python -m benchmarks.processes --output benchmarks/results/NAME.json

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m humanseg train ...
    OMP_NUM_THREADS=2 python -m humanseg train ...

Both train the same network on the same pictures by the same settings, in turn. In fp32 the losses
of their epochs are compared; in the default precision only the speed is of interest. The encoder
has no random depth, whose draws would differ between one process and two. Run it on a machine that
does nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from benchmarks.tables import table
from benchmarks.training.figures import pair_of
from benchmarks.training.options import absolute, add_settings, drawn, environment_of, pathless
from benchmarks.training.ours import PROGRAM, Settings, run_ours, settings_of
from benchmarks.training.record import Epoch, Pair, Precision
from benchmarks.training.task import Task, load_average

from humanseg.config.architectures import Arch
from humanseg.errors import HumansegError
from humanseg.results import Environment, Record, write_record

Asked = Literal["fp32", "auto"]

_TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
_ONE = (PROGRAM, {"OMP_NUM_THREADS": "2"})
_TWO = ((*_TORCHRUN, "-m", "humanseg"), {"OMP_NUM_THREADS": "1"})


class ProcessRun(Record):
    """One run, in one process or in two."""

    processes: int
    round: int
    """Counted from 1."""
    precision: Precision
    """What was computed in."""
    memory_format: str
    load_average: float
    """Of the machine over the minute before the run."""
    seconds: float
    """From start to end, everything included."""
    images_per_second: float
    """Training pictures of an epoch, all processes together, over the seconds of its training
    iterations; median of the epochs after the first."""
    epochs: tuple[Epoch, ...]
    refusal: str | None = None
    """Why the network was not kept after its last epoch: it may have learnt too little by then."""


class Comparison(Record):
    """Runs in one process (`one`) and in two (`two`)."""

    precision: Asked
    """What was asked for."""
    one: tuple[ProcessRun, ...]
    two: tuple[ProcessRun, ...]
    images_per_second: Pair
    """`plain` is of one process, `ours` of two; medians over rounds."""
    wall_seconds: Pair
    train_loss_difference: float
    """Largest over rounds and epochs, relative to the loss in one process."""
    validation_loss_difference: float


class ProcessesResult(Record):
    """The result file."""

    schema_version: Literal[1] = 1
    arch: Arch
    encoder_name: str
    encoder_weights: str
    data: str
    """Name of the data set, or `drawn`."""
    image_size: tuple[int, int]
    batch_size: int
    epochs: int
    settings: dict[str, str]
    """Further settings."""
    environment: Environment
    comparisons: tuple[Comparison, ...]


def largest_difference(
    one: Sequence[Epoch], two: Sequence[Epoch], figure: Callable[[Epoch], float]
) -> float:
    """The largest difference of a figure of the same epoch, relative to that of `one`."""
    return max(
        abs(figure(second) - figure(first)) / max(abs(figure(first)), 1e-12)
        for first, second in zip(one, two, strict=True)
    )


def _run(processes: int, number: int, settings: Settings, scratch: Path) -> ProcessRun:
    program, environment = _ONE if processes == 1 else _TWO
    load = load_average()
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        end = run_ours(settings, Path(folder), program=program, environment=environment)
    rates = [epoch.images_per_second for epoch in end.epochs[1:] or end.epochs]
    run = ProcessRun(
        processes=processes,
        round=number,
        precision=end.resolved.precision,
        memory_format=end.resolved.memory_format,
        load_average=load,
        seconds=end.seconds,
        images_per_second=statistics.median(rates),
        epochs=end.epochs,
        refusal=end.refusal,
    )
    print(
        f"{processes} process(es), round {number}, {run.precision}: "
        f"{run.images_per_second:.2f} images/s, {run.seconds:.1f} s",
        flush=True,
    )
    return run


def compare(precision: Asked, rounds: int, settings: Settings, scratch: Path) -> Comparison:
    """Runs in one process and in two, in turn."""
    training = {**settings["training"], "precision": precision}
    chosen = {**settings, "training": training}
    one, two = [], []
    for number in range(1, rounds + 1):
        one.append(_run(1, number, chosen, scratch))
        two.append(_run(2, number, chosen, scratch))
    train, validation = (
        max(
            largest_difference(first.epochs, second.epochs, figure)
            for first, second in zip(one, two, strict=True)
        )
        for figure in (lambda epoch: epoch.train_loss, lambda epoch: epoch.validation_loss)
    )
    return Comparison(
        precision=precision,
        one=tuple(one),
        two=tuple(two),
        images_per_second=pair_of(
            [run.images_per_second for run in one], [run.images_per_second for run in two]
        ),
        wall_seconds=pair_of([run.seconds for run in one], [run.seconds for run in two]),
        train_loss_difference=train,
        validation_loss_difference=validation,
    )


def summary(comparisons: Sequence[Comparison]) -> str:
    """A Markdown table."""
    header = [
        "precision",
        "images/s, 1 process",
        "2 processes",
        "ratio",
        "largest difference of training loss",
        "of validation loss",
    ]
    rows = [
        [
            one.precision,
            f"{one.images_per_second.plain:.2f}",
            f"{one.images_per_second.ours:.2f}",
            f"{one.images_per_second.ratio:.2f}x",
            f"{one.train_loss_difference:.1e}",
            f"{one.validation_loss_difference:.1e}",
        ]
        for one in comparisons
    ]
    return table(header, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.processes",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    parser.add_argument("--arch", default="unet", choices=get_args(Arch))
    parser.add_argument("--encoder", default="tu-tf_efficientnet_lite0")
    parser.add_argument("--weights", default="none", help="none, or a safetensors file")
    parser.add_argument("--data", type=Path, help="data set; drawn if not given")
    parser.add_argument("--pictures", type=int, default=96, help="number of drawn pictures")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 320))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precisions", nargs="+", default=get_args(Asked), choices=get_args(Asked))
    add_settings(parser)
    parser.add_argument("--output", type=Path)
    return parser


def _result(
    arguments: argparse.Namespace, weights: str, comparisons: tuple[Comparison, ...]
) -> ProcessesResult:
    return ProcessesResult(
        arch=arguments.arch,
        encoder_name=arguments.encoder,
        encoder_weights=Path(weights).name,
        data=arguments.data.resolve().name if arguments.data else "drawn",
        image_size=(arguments.size[0], arguments.size[1]),
        batch_size=arguments.batch,
        epochs=arguments.epochs,
        settings={key: pathless(value) for key, value in arguments.further},
        environment=environment_of("cpu", "benchmarks.processes"),
        comparisons=comparisons,
    )


def main() -> None:
    """Measure, print the table, and write the result file if asked to."""
    arguments = _parser().parse_args()
    weights = absolute(arguments.weights)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        try:
            data = arguments.data or drawn(scratch, arguments.pictures)
            task = Task(
                arch=arguments.arch,
                encoder=arguments.encoder,
                weights=weights,
                data=data.resolve(),
                epochs=arguments.epochs,
                size=(arguments.size[0], arguments.size[1]),
                batch=arguments.batch,
                device="cpu",
                seed=42,
            )
            settings = settings_of(task, dict(arguments.further))
            comparisons = tuple(
                compare(one, arguments.rounds, settings, scratch) for one in arguments.precisions
            )
        except HumansegError as error:
            raise SystemExit(str(error)) from error
    print(f"\n{summary(comparisons)}")
    if arguments.output:
        write_record(arguments.output, _result(arguments, weights, comparisons))
        print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
