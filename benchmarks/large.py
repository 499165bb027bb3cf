"""Training on data that are larger than memory: filling the cache, and epochs from it.

    .venv/bin/python -m benchmarks.large --pictures 50000 --size 160 160 --grid 64 64 \
        --folder DIR --output benchmarks/results/NAME.json

Draws pictures, fills a cache of them in a process of its own that is killed when a third is done
and begun again, compares rows of the cache with pictures decoded anew, and trains a small network
from the cache with a tenth of the pictures and with all of them in turn. Pictures below `--folder`
that are there already are used again; its cache and runs are made anew.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.large_record import Drawing, Filling, Restart, Result, Training
from benchmarks.large_watch import Watch

from humanseg.data.cache import Cache
from humanseg.data.layouts import discover
from humanseg.data.resized import stretch
from humanseg.data.samples import Sample
from humanseg.data.synthesis import synthesize
from humanseg.images.resize import Size
from humanseg.results import Environment, write_record
from humanseg.system.cpu import usable_cores

COMMITTED = 300
"""The cache keeps what it did after 256 pictures; a process that is killed before shows nothing."""
COMPARED = 200
"""Rows compared with pictures decoded anew."""
DECODED = 2000
"""Pictures decoded to see how fast that is."""
WRITTEN = 256 * 2**20
"""Bytes written to see how fast the disk is."""
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
"""The same in all runs; small, so that reading the pictures would be felt."""


@dataclass
class Fill:
    """What one filling process told."""

    told: list[tuple[int, float]]
    """(pictures done, time.monotonic())."""
    watch: Watch
    code: int


def fill(data: Path, cache: Path, grid: Size, *, kill_at: int | None = None) -> Fill:
    """Fill the cache in a process, and kill it when so many pictures are done."""
    program = str(Path(__file__).with_name("large_fill.py"))
    words = [sys.executable, program, str(data), str(cache), *map(str, grid)]
    told: list[tuple[int, float]] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        watch = Watch(process.pid)
        watcher = threading.Thread(target=watch.look_until_it_ends)
        watcher.start()
        assert process.stdout is not None
        for line in process.stdout:
            if not line.endswith("]\n"):  # cut off
                break
            done, moment = json.loads(line)
            told.append((done, moment))
            if kill_at is not None and done >= kill_at:
                process.kill()
                break
    watcher.join()
    return Fill(told, watch, process.returncode)


def fill_with_a_kill(
    arguments: argparse.Namespace, data: Path, samples: Sequence[Sample]
) -> tuple[Restart, Fill]:
    """Fill, be killed, go on; then compare rows with their pictures."""
    folder: Path = arguments.folder / "cache"
    shutil.rmtree(folder, ignore_errors=True)
    kill_at = max(len(samples) // 3, COMMITTED)
    first = fill(data, folder, arguments.grid, kill_at=kill_at)
    if first.code != -9:
        raise SystemExit(
            f"Filling ended with {first.code} before it was killed at {kill_at} pictures; "
            f"--pictures must be above {COMMITTED}."
        )
    kept = len(Cache(folder, note=print).digests(samples))
    print(f"killed after {first.told[-1][0]} pictures, of which {kept} are kept", flush=True)
    second = fill(data, folder, arguments.grid)
    if second.code != 0 or not second.told or second.told[-1][0] != len(samples):
        raise SystemExit("Filling did not go on to its end.")
    compared = compare_rows(folder, samples, arguments.grid)
    return Restart(
        killed_after=first.told[-1][0],
        kept=kept,
        taken_as_they_are=second.told[0][0] - 1,
        rows_compared=compared,
    ), second


def compare_rows(folder: Path, samples: Sequence[Sample], grid: Size) -> int:
    """Decode pictures drawn at random and hold them against their rows; ends at a difference."""
    made: list[str] = []
    resized = Cache(folder, note=made.append).resized(samples, size=grid, mask_resize="area")
    chosen = random.Random(0).sample(range(len(samples)), min(COMPARED, len(samples)))
    images, masks = resized.get(chosen)
    for place, row in enumerate(chosen):
        sample = samples[row]
        image, mask = stretch(sample.read_image(), sample.read_mask(), grid, "area")
        if not np.array_equal(image, images[place]) or not np.array_equal(mask, masks[place]):
            raise SystemExit(f"The cache holds something else than {sample.image.name}.")
    if made:
        raise SystemExit(f"The cache was not whole: {made}")
    return len(chosen)


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def decoding_rate(samples: Sequence[Sample], grid: Size) -> float:
    """Pictures per second, decoded and stretched in threads and kept nowhere."""
    chosen = samples[:: max(1, len(samples) // DECODED)]

    def decode(sample: Sample) -> None:
        stretch(sample.read_image(), sample.read_mask(), grid, "area")

    with ThreadPoolExecutor(usable_cores()) as pool:
        return len(chosen) / timed(lambda: list(pool.map(decode, chosen)))


def disk_rate(folder: Path) -> float:
    """Bytes per second of one large file on the disk of the folder."""
    block = np.random.default_rng(0).bytes(2**20)
    path = folder / "disk-speed"

    def write() -> None:
        with path.open("wb") as stream:
            for _ in range(WRITTEN // len(block)):
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())

    seconds = timed(write)
    path.unlink()
    return WRITTEN / seconds


def measure_filling(
    done: Fill, restart: Restart, arguments: argparse.Namespace, samples: Sequence[Sample]
) -> Filling:
    """What the second process did, against decoding alone and against the disk."""
    begin, end = done.told[0][1], done.told[-1][1]
    count, seconds = len(done.told) - 1, end - begin
    rate = count / seconds
    files = [path for path in (arguments.folder / "cache").rglob("*") if path.is_file()]
    cache_bytes = sum(path.stat().st_size for path in files)
    written = rate * cache_bytes / len(samples)
    decoding, disk = decoding_rate(samples, arguments.grid), disk_rate(arguments.folder)
    shares = {"decoding": rate / decoding, "disk": written / disk}
    largest = max(shares, key=lambda name: shares[name])
    return Filling.model_validate(
        {
            "pictures": len(samples) - restart.taken_as_they_are,
            "seconds": round(seconds, 2),
            "pictures_per_second": round(rate, 1),
            "decoding_per_second": round(decoding, 1),
            "share_of_decoding": round(shares["decoding"], 3),
            "cache_bytes": cache_bytes,
            "written_mb_per_second": round(written / 1e6, 2),
            "disk_mb_per_second": round(disk / 1e6, 1),
            "share_of_disk": round(shares["disk"], 3),
            "limit": largest if shares[largest] > 0.5 else "neither",
            "memory": done.watch.during(begin, end),
        }
    )


def train(data: Path, count: int, epochs: int, arguments: argparse.Namespace) -> Training:
    """One run of the command, from the cache."""
    run = arguments.folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    words = ["--data", str(data), "--cache", str(arguments.folder / "cache"), "-o", str(run)]
    words += ["--model.image-size", *map(str, arguments.grid)]
    words += ["--training.epochs", str(epochs), "--training.batch-size", str(arguments.batch)]
    words += [word for name, value in NETWORK.items() for word in (f"--{name}", *value.split())]
    command = [sys.executable, "-m", "humanseg", "train", *words, "--training.no-onnx", "--quiet"]
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = Watch(process.pid)
        watcher = threading.Thread(target=watch.look_until_it_ends)
        watcher.start()
        _, said = process.communicate()
        watcher.join()
    wall = time.monotonic() - began
    log = run / "metrics.csv"
    rows = list(csv.DictReader(log.read_text().splitlines())) if log.exists() else []
    refused = process.returncode == 1 and "Traceback" not in said
    if not (process.returncode == 0 or refused) or len(rows) != epochs:
        raise SystemExit(f"humanseg train ended with {process.returncode}: {said}")
    if refused:
        print(said.strip().rpartition("\n")[2], flush=True)
    # The log is written when an epoch ends; its clock is the wall's.
    end = log.stat().st_mtime - time.time() + time.monotonic()
    return Training(
        pictures=count,
        epochs=epochs,
        images_per_second=round(float(rows[-1]["images_per_second"]), 2),
        wall_seconds=round(wall, 2),
        exit_code=process.returncode,
        memory=watch.during(end - float(rows[-1]["seconds"]), end),
    )


def table_of(samples: Sequence[Sample], path: Path) -> Path:
    """A CSV data set of some pictures, which the cache knows by their files."""
    lines = ["images,masks"]
    for sample in samples:
        picture = sample.image.relative_to(path.parent)
        lines.append(f"{picture},{picture.parent.with_name('masks') / picture.stem}.png")
    path.write_text("\n".join(lines) + "\n")
    return path


def measure_training(
    arguments: argparse.Namespace, data: Path, samples: Sequence[Sample]
) -> tuple[list[Training], list[Training]]:
    """A tenth and all, in turn."""
    few = samples[: max(len(samples) // 10, 100)]
    table = table_of(few, arguments.folder / "tenth.csv")
    rounds: tuple[list[Training], list[Training]] = ([], [])
    for number in range(arguments.rounds):
        rounds[0].append(train(table, len(few), arguments.few_epochs, arguments))
        rounds[1].append(train(data, len(samples), 1, arguments))
        for name, done in zip(("tenth", "all"), rounds, strict=True):
            memory = done[-1].memory
            print(
                f"round {number + 1}, {name}: {done[-1].images_per_second:.1f} images/s, "
                f"memory {memory.first_third_mib:.0f} to {memory.last_third_mib:.0f} MiB, "
                f"peak {memory.peak_mib:.0f} MiB",
                flush=True,
            )
    return rounds


def draw(arguments: argparse.Namespace) -> tuple[Path, Drawing]:
    """The pictures, those that are there already included."""
    data: Path = arguments.folder / "pictures"
    percent: list[int] = []

    def progress(done: int, total: int) -> None:
        percent.append(100 * done // total)
        if len(percent) > 1 and percent[-1] // 5 > percent[-2] // 5:
            print(f"drawn {done} of {total}", flush=True)

    before = len(list(data.glob("images/*.jpg")))
    seconds = timed(
        lambda: synthesize(
            data,
            count=arguments.pictures,
            size=arguments.size,
            workers=arguments.workers,
            progress=progress,
        )
    )
    sizes = [path.stat().st_size for path in data.glob("*/*")]
    return data, Drawing(
        pictures=arguments.pictures,
        size=arguments.size,
        drawn_now=arguments.pictures - before,
        workers=arguments.workers,
        seconds=round(seconds, 2),
        mean_bytes=round(sum(sizes) / arguments.pictures, 1),
    )


def environment(arguments: argparse.Namespace) -> Environment:
    """Where it was measured; the command without its folders, which are nobody's business."""
    # Not above: every process that draws would import torch as well.
    from humanseg.training import describe_environment

    said = {
        name: value
        for name, value in vars(arguments).items()
        if name not in ("folder", "output") and value is not None
    }
    words = [
        f"--{name.replace('_', '-')} "
        + (" ".join(map(str, value)) if isinstance(value, tuple) else str(value))
        for name, value in said.items()
    ]
    command = " ".join(["python -m benchmarks.large", *words, "--folder DIR --output FILE"])
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
    parser.add_argument("--workers", type=int, default=usable_cores(), help="processes that draw")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.size, arguments.grid = tuple(arguments.size), tuple(arguments.grid)
    arguments.folder = arguments.folder.absolute()
    return arguments


def main() -> None:
    """Measure, print a summary and write the result file."""
    arguments = parsed()
    data, drawing = draw(arguments)
    samples = discover(data)
    restart, second = fill_with_a_kill(arguments, data, samples)
    filling = measure_filling(second, restart, arguments, samples)
    print(
        f"went on with {restart.taken_as_they_are} taken as they are; {restart.rows_compared} rows "
        f"are right\nfilling: {filling.pictures_per_second:.0f} pictures/s, "
        f"{filling.share_of_decoding:.0%} of decoding alone, {filling.share_of_disk:.1%} of the "
        f"disk; memory {filling.memory.first_third_mib:.0f} to "
        f"{filling.memory.last_third_mib:.0f} MiB",
        flush=True,
    )
    few, everything = measure_training(arguments, data, samples)
    rates = [statistics.median(run.images_per_second for run in runs) for runs in (few, everything)]
    result = Result(
        environment=environment(arguments),
        grid=arguments.grid,
        drawing=drawing,
        restart=restart,
        filling=filling,
        few=tuple(few),
        all=tuple(everything),
        ratio=round(rates[1] / rates[0], 3),
    )
    write_record(arguments.output, result)
    print(f"all over a tenth: {result.ratio:.3f}\nwritten to {arguments.output.name}")


if __name__ == "__main__":
    main()
