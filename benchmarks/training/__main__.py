"""Training speed of `humanseg train` against the loop of a notebook, run by run in turn.

    .venv/bin/python -m benchmarks.training --output benchmarks/results/NAME.json
    .venv/bin/python -m benchmarks.training --pictures 96 --epochs 3   # rates alone
    .venv/bin/python -m benchmarks.training --data DIR \
        --encoder timm-tf_efficientnet_lite0 --weights FILE.safetensors    # scores compare too

Per architecture and round: one run of the plain loop (`plain.py`), then one of the command
`humanseg train` with the preset `default`, each a fresh process, on the same pictures, split,
initial weights, input size, batch size and number of epochs. Run it on a machine that does nothing
else. From random weights, batch statistics follow faster in ours, so that validation scores compare
recipes: give the ImageNet weights of the encoder with `--weights`, or `--plain-batch-norm ours`.
`--set` changes ours only: `--set 'training.early_size=[192, 192]' training.onnx=false`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from benchmarks.training.figures import figures, rates, summary
from benchmarks.training.options import absolute, add_settings, drawn, environment_of, pathless
from benchmarks.training.ours import (
    PROGRAM,
    RETURNING_MEMORY,
    OurEnd,
    configuration,
    run_ours,
    settings_of,
)
from benchmarks.training.plain_run import PlainEnd, opencv_version, parts, run_plain
from benchmarks.training.record import (
    ArchResult,
    Ceilings,
    OurRun,
    PlainBatchNorm,
    Precision,
    Result,
    Run,
)
from benchmarks.training.roofline import count_step, measure_ceilings, roofline_of
from benchmarks.training.task import Task, load_average

from humanseg.config.architectures import PUBLISHED, Arch
from humanseg.models import build_network
from humanseg.results import write_record
from humanseg.system.errors import HumansegError

PICTURES = 290
"""As many as the public data set has."""


@dataclass(frozen=True)
class Options:
    """What is asked for besides the task."""

    archs: tuple[Arch, ...]
    rounds: int
    further: dict[str, str]
    return_memory: bool


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    parser.add_argument("--archs", nargs="+", default=PUBLISHED, choices=PUBLISHED)
    parser.add_argument("--encoder", default="efficientnet-b0")
    parser.add_argument(
        "--weights",
        default="none",
        help="of the encoder, in both loops: none, or a safetensors file with timm's names",
    )
    parser.add_argument(
        "--plain-batch-norm",
        default="library",
        choices=get_args(PlainBatchNorm),
        help="momentum of batch statistics in the plain loop: the library's, or that of ours, "
        "which differs from it where the encoder's weights are random",
    )
    parser.add_argument("--data", type=Path, help="data set with mask files; drawn if not given")
    parser.add_argument("--pictures", type=int, help=f"number of drawn pictures ({PICTURES})")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto", choices=("cpu", "cuda", "auto"))
    parser.add_argument("--size", type=int, nargs=2, default=(320, 320))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=42, help="of the first round; then the next")
    add_settings(parser)
    parser.add_argument(
        "--return-memory",
        action="store_true",
        help="run ours without what keeps freed memory in the process, to see what it brings",
    )
    parser.add_argument("--output", type=Path)
    return parser


def _task(arguments: argparse.Namespace, data: Path) -> Task:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Task(
        arch=arguments.archs[0],
        encoder=arguments.encoder,
        weights=absolute(arguments.weights),
        data=data.resolve(),
        epochs=arguments.epochs,
        size=(arguments.size[0], arguments.size[1]),
        batch=arguments.batch,
        device=device if arguments.device == "auto" else arguments.device,
        seed=arguments.seed,
        plain_batch_norm=arguments.plain_batch_norm,
    )


def _plain_run(task: Task, number: int, scratch: Path) -> Run:
    load = load_average()
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        end: PlainEnd = run_plain(task, Path(folder))
    return Run(
        round=number,
        seed=task.seed,
        load_average=load,
        seconds=end.seconds,
        epochs=end.epochs,
        **end.ending.model_dump(),
    )


def _our_run(task: Task, number: int, scratch: Path, options: Options) -> OurRun:
    load = load_average()
    settings = settings_of(task, options.further)
    program = RETURNING_MEMORY if options.return_memory else PROGRAM
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        end: OurEnd = run_ours(settings, Path(folder), program=program)
    cost = end.result.cost if end.result else None
    return OurRun(
        round=number,
        seed=task.seed,
        load_average=load,
        seconds=end.seconds,
        epochs=end.epochs,
        peak_memory_bytes=cost.peak_memory_bytes if cost else None,
        parameters=cost.parameters if cost else None,
        precision=end.resolved.precision,
        memory_format=end.resolved.memory_format,
        early_epochs=end.early_epochs,
        refusal=end.refusal,
    )


def _show_run(name: str, task: Task, run: Run) -> None:
    rate = statistics.median(rates([run]))
    iou = run.epochs[-1].validation_iou
    print(
        f"{task.arch:14} round {run.round}  {name:5} {rate:8.2f} images/s  {run.seconds:8.1f} s  "
        f"validation IoU {iou:.3f}",
        flush=True,
    )


def measure(task: Task, options: Options, scratch: Path) -> ArchResult:
    """Both loops of one architecture in turn."""
    plain, ours = [], []
    for number in range(1, options.rounds + 1):
        current = replace(task, seed=task.seed + number - 1)
        plain.append(_plain_run(current, number, scratch))
        _show_run("plain", current, plain[-1])
        ours.append(_our_run(current, number, scratch, options))
        _show_run("ours", current, ours[-1])
    return figures(task.arch, plain, ours)


def with_rooflines(
    results: Sequence[ArchResult], task: Task
) -> tuple[tuple[ArchResult, ...], tuple[Ceilings, ...]]:
    """Results with how near they come to this machine's ceilings, and these."""
    ceilings: dict[Precision, Ceilings] = {}
    completed = []
    for result in results:
        precision: Precision = statistics.mode(run.precision for run in result.ours)
        full = rates([run for run in result.ours if run.precision == precision], full_size=True)
        if not full:
            completed.append(result)
            continue
        if precision not in ceilings:
            ceilings[precision] = measure_ceilings(task.device, precision)
        network = build_network(replace(task, arch=result.arch, weights="none").model)
        counts = count_step(network.network, task.size, task.batch, precision)
        step = task.batch / statistics.median(full)
        roofline = roofline_of(counts, ceilings[precision], step)
        completed.append(result.model_copy(update={"roofline": roofline}))
    return tuple(completed), tuple(ceilings.values())


def _result(
    task: Task, options: Options, results: Sequence[ArchResult], data: str, opencv: str
) -> Result:
    train, validation = parts(task)
    archs, ceilings = with_rooflines(results, task)
    return Result(
        encoder_name=task.encoder,
        encoder_weights=build_network(task.model).weights,
        plain_batch_norm=task.plain_batch_norm,
        data=data,
        training_pictures=len(train),
        validation_pictures=len(validation),
        image_size=task.size,
        batch_size=task.batch,
        epochs=task.epochs,
        settings={key: pathless(value) for key, value in options.further.items()},
        return_memory=options.return_memory,
        opencv=opencv,
        environment=environment_of(task.device, "benchmarks.training"),
        ceilings=ceilings,
        archs=archs,
    )


def main() -> None:
    """Measure, print the table, and write the result file if asked to."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.data and arguments.pictures:
        parser.error("--pictures says how many to draw; leave it out with --data.")
    opencv = opencv_version()
    options = Options(
        archs=tuple(arguments.archs),
        rounds=arguments.rounds,
        further=dict(arguments.further),
        return_memory=arguments.return_memory,
    )
    try:
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            data = arguments.data or drawn(scratch, arguments.pictures or PICTURES)
            task = _task(arguments, data)
            configuration(settings_of(task, options.further))  # before hours of the plain loop
            results = [
                measure(replace(task, arch=arch), options, scratch) for arch in options.archs
            ]
            name_of_data = "drawn" if arguments.data is None else task.data.name
            result = _result(task, options, results, name_of_data, opencv)
    except HumansegError as error:
        raise SystemExit(str(error)) from error
    print(f"\n{summary(result)}")
    if arguments.output:
        write_record(arguments.output, result)
        print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
