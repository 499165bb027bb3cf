"""Training on data that are larger than memory: filling the cache, and epochs from it.

    .venv/bin/python -m benchmarks.large --pictures 50000 --size 160 160 --grid 64 64 \
        --folder DIR --output benchmarks/results/NAME.json

Draws images, fills a cache of them in a process of its own that is killed when a third is done and
begun again, compares what is cached with images decoded anew, and trains a small network from the
cache with a tenth of the images and with all of them in turn. Images below `--folder` that are
there already are used again; its cache and runs are made anew.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from humanseg.data.cache import Cache
from humanseg.data.layouts import discover
from humanseg.data.resized import stretch
from humanseg.data.samples import Sample
from humanseg.data.synthesis import synthesize
from humanseg.images.resize import Size
from humanseg.results import Environment, Record, write_record

COMPARED = 200
"""Images compared with what is decoded anew."""
NETWORK = {
    "model.encoder-name": "resnet18",
    "model.encoder-weights": "none",
    "model.decoder-channels": "16 16 16 16 16",
    "training.device": "cpu",
    "training.precision": "fp32",
    "training.memory-format": "channels_last",
    "split.test": "0.01",
    "split.validation": "0.01",
}
"""The same in all runs; small, so that reading the images would be felt."""
FILL = """
import sys
from pathlib import Path
from humanseg.data.cache import Cache
from humanseg.data.layouts import discover

data, folder, height, width = sys.argv[1:]
samples = discover(Path(data))
cache = Cache(Path(folder), note=lambda text: print(text, file=sys.stderr, flush=True))
images = cache.resized(samples, size=(int(height), int(width)), mask_resize="area")
images.prepare(range(len(samples)), lambda done, _: print(done, flush=True))
"""
"""Prints how many images are done, whenever that changes."""


class Filling(Record):
    """Filling that was killed (SIGKILL), and begun again."""

    killed_after: int
    """Images done, by the process's own count."""
    taken_as_they_are: int
    """How many of them the cache held afterwards, and the second process did not decode again."""
    images_compared: int
    """Drawn at random from all, decoded anew, and the same in every byte."""
    seconds: float
    """Of the second process, from its first image to its last."""
    images_per_second: float
    cache_bytes: int
    peak_mib: float
    """Most resident memory of the second process."""


class Training(Record):
    """One run of `humanseg train` from the cache."""

    images: int
    """Of the data set; 2 % are not trained on."""
    epochs: int
    images_per_second: float
    """Of the last epoch alone."""
    exit_code: int
    """1 where the network had learnt nothing yet, which humanseg refuses to save."""
    peak_mib: float
    """Most resident memory."""


class Result(Record):
    """The result file."""

    environment: Environment
    images: int
    size: Size
    """(height, width) of the drawn images."""
    grid: Size
    """(height, width) of the network's input, and of what is cached."""
    filling: Filling
    few: tuple[Training, ...]
    """With a tenth of the images, one per round."""
    all: tuple[Training, ...]
    """With all of them, in turn with the former."""
    ratio: float
    """Median images per second with all images, over that with a tenth."""


class _Ended(NamedTuple):
    """A process that has ended."""

    code: int
    progress: list[tuple[int, float]]
    """(images done, time.monotonic()), as it printed them."""
    peak_mib: float


def run(words: Sequence[str], *, kill_at: int | None = None) -> _Ended:
    """Run a process that prints how many images are done, and kill it when so many are."""
    progress: list[tuple[int, float]] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().isdigit():
                progress.append((int(line), time.monotonic()))
                if kill_at is not None and progress[-1][0] >= kill_at:
                    process.kill()
                    break
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return _Ended(process.returncode, progress, usage.ru_maxrss / 1024)


def fill_with_a_kill(
    arguments: argparse.Namespace, data: Path, samples: Sequence[Sample]
) -> Filling:
    """Fill, be killed, go on; then compare what is cached with the images."""
    folder: Path = arguments.folder / "cache"
    shutil.rmtree(folder, ignore_errors=True)
    words = [sys.executable, "-c", FILL, str(data), str(folder), *map(str, arguments.grid)]
    first = run(words, kill_at=len(samples) // 3)
    if first.code != -signal.SIGKILL:
        raise SystemExit(
            f"Filling ended with {first.code} before it was killed; give more --pictures."
        )
    second = run(words)
    if second.code != 0 or not second.progress or second.progress[-1][0] != len(samples):
        raise SystemExit("Filling did not go on to its end.")
    (done, begin), (_, end) = second.progress[0], second.progress[-1]
    return Filling(
        killed_after=first.progress[-1][0],
        taken_as_they_are=done - 1,
        images_compared=compare(folder, samples, arguments.grid),
        seconds=round(end - begin, 2),
        images_per_second=round((len(samples) - done) / (end - begin), 1),
        cache_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        peak_mib=round(second.peak_mib, 1),
    )


def compare(folder: Path, samples: Sequence[Sample], grid: Size) -> int:
    """Decode images drawn at random and hold them against the cache; ends at a difference."""
    notes: list[str] = []
    resized = Cache(folder, note=notes.append).resized(samples, size=grid, mask_resize="area")
    chosen = random.Random(0).sample(range(len(samples)), min(COMPARED, len(samples)))
    pixels = resized.get(chosen)
    for index, *cached in zip(chosen, pixels.images, pixels.masks, strict=True):
        sample = samples[index]
        decoded = stretch(sample.read_image(), sample.read_mask(), grid, "area")
        if not all(map(np.array_equal, cached, decoded[:2])):
            raise SystemExit(f"The cache holds something else than {sample.image.name}.")
    if notes:
        raise SystemExit(f"The cache was not whole: {notes}")
    return len(chosen)


def train(data: Path, count: int, epochs: int, arguments: argparse.Namespace) -> Training:
    """One run of the command, from the cache."""
    folder = arguments.folder / "run"
    shutil.rmtree(folder, ignore_errors=True)
    words = ["--data", str(data), "--cache", str(arguments.folder / "cache"), "-o", str(folder)]
    words += ["--model.image-size", *map(str, arguments.grid)]
    words += ["--training.epochs", str(epochs), "--training.batch-size", str(arguments.batch)]
    words += [word for name, value in NETWORK.items() for word in (f"--{name}", *value.split())]
    command = [sys.executable, "-m", "humanseg", "train", *words, "--training.no-onnx", "--quiet"]
    ended = run(command)
    log = folder / "metrics.csv"
    rows = list(csv.DictReader(log.read_text().splitlines())) if log.exists() else []
    if ended.code not in (0, 1) or len(rows) != epochs:
        raise SystemExit(f"humanseg train ended with {ended.code}.")
    return Training(
        images=count,
        epochs=epochs,
        images_per_second=round(float(rows[-1]["images_per_second"]), 2),
        exit_code=ended.code,
        peak_mib=round(ended.peak_mib, 1),
    )


def measure_training(
    arguments: argparse.Namespace, data: Path, samples: Sequence[Sample]
) -> tuple[list[Training], list[Training]]:
    """A tenth of the images and all of them, in turn."""
    few = samples[: max(len(samples) // 10, 100)]
    table = arguments.folder / "tenth.csv"
    lines = [f"pictures/images/{sample.id}.jpg,pictures/masks/{sample.id}.png" for sample in few]
    table.write_text("\n".join(["images,masks", *lines]) + "\n")
    rounds: tuple[list[Training], list[Training]] = ([], [])
    for number in range(arguments.rounds):
        rounds[0].append(train(table, len(few), arguments.few_epochs, arguments))
        rounds[1].append(train(data, len(samples), 1, arguments))
        for name, runs in zip(("tenth", "all"), rounds, strict=True):
            rate, peak = runs[-1].images_per_second, runs[-1].peak_mib
            print(f"round {number + 1}, {name}: {rate:.1f} images/s, {peak:.0f} MiB", flush=True)
    return rounds


def environment(arguments: argparse.Namespace) -> Environment:
    """Where it was measured; the command without its folders, which are nobody's business."""
    # Not above: every process that draws would import torch as well.
    from humanseg.training import describe_environment

    words = ["python -m benchmarks.large"]
    for name, value in vars(arguments).items():
        if name not in ("folder", "output"):
            values = value if isinstance(value, tuple) else (value,)
            words.append(f"--{name.replace('_', '-')} {' '.join(map(str, values))}")
    command = " ".join([*words, "--folder DIR --output FILE"])
    return describe_environment("cpu").model_copy(update={"command": command})


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--size", type=int, nargs=2, default=(160, 160), help="of the pictures")
    parser.add_argument("--grid", type=int, nargs=2, default=(64, 64), help="of the network")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--few-epochs", type=int, default=2, help="with a tenth of the pictures")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.size, arguments.grid = tuple(arguments.size), tuple(arguments.grid)
    arguments.folder = arguments.folder.absolute()
    return arguments


def main() -> None:
    """Measure, print a summary and write the result file."""
    arguments = parsed()
    data = synthesize(
        arguments.folder / "pictures",
        count=arguments.pictures,
        size=arguments.size,
    )
    samples = discover(data)
    filling = fill_with_a_kill(arguments, data, samples)
    print(filling.model_dump_json(indent=1), flush=True)
    few, everything = measure_training(arguments, data, samples)
    rates = [statistics.median(run.images_per_second for run in runs) for runs in (few, everything)]
    result = Result(
        environment=environment(arguments),
        images=len(samples),
        size=arguments.size,
        grid=arguments.grid,
        filling=filling,
        few=tuple(few),
        all=tuple(everything),
        ratio=round(rates[1] / rates[0], 3),
    )
    write_record(arguments.output, result)
    print(f"all over a tenth: {result.ratio:.3f}\nwritten to {arguments.output.name}")


if __name__ == "__main__":
    main()
