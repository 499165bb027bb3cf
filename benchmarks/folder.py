"""Masks of a folder of one-megapixel JPEG files, and of one 12-megapixel file.

    .venv/bin/python benchmarks/folder.py --output benchmarks/results/NAME.json

Pictures are drawn, or made of the photographs below `--data`, scaled to one megapixel. The command
runs as a process of its own; its time includes starting Python and loading the network, its memory
is the largest resident set. The large file is predicted in this process, where the network is
loaded already: from file to mask file, the median of several.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from humanseg import Segmenter
from humanseg.batch.runner import predict_image
from humanseg.effects.effect import MaskEffect
from humanseg.results import Environment, Record, write_record
from humanseg.system.atomic import write_bytes
from humanseg.training import describe_environment

SMALL = (1152, 864)  # pixels: 1.0 megapixels
LARGE = (4000, 3000)
# Linux counts a parent's memory as its child's until the child's program begins; this one is small.
WATCHED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
SUFFIXES = {".jpg", ".jpeg", ".png"}


class FolderRow(Record):
    """The folder with one number of workers."""

    workers: int | None
    """None: as many as the command chooses."""
    pictures: int
    seconds: float
    pictures_per_second: float
    peak_memory_mib: float


class Result(Record):
    """The result file."""

    environment: Environment
    backend: str
    precision: str
    source: str
    """`drawn`, or the name of the folder of photographs."""
    mean_bytes: float
    """Of the one-megapixel files."""
    folder: tuple[FolderRow, ...]
    large_bytes: int
    large_ms: tuple[float, ...]
    """File to mask file, each time."""
    large_median_ms: float


def drawn(seed: int, size: tuple[int, int]) -> Image.Image:
    """Shapes on soft noise, which JPEG packs about as photographs."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 256, (size[1] // 6, size[0] // 6, 3), dtype=np.uint8))
    image = noise.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
        radius = int(rng.integers(size[1] // 20, size[1] // 4))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        pen.ellipse((x - radius, y - radius, x + radius, y + 2 * radius), fill=colour)
    grain = rng.normal(0, 6, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def photographs(root: Path | None, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Pictures of one size without end."""
    if root is None:
        yield from (drawn(seed, size) for seed in cycle(range(50)))
        return
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"{root}: holds no pictures.")
    for path in cycle(files):
        with Image.open(path) as image:
            yield image.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def run_folder(source: Path, target: Path, count: int, workers: int | None) -> FolderRow:
    """The command over the folder, in a process of its own."""
    words = [sys.executable, "-m", "humanseg", "predict", str(source), "-o", str(target), "--quiet"]
    if workers is not None:
        words += ["--workers", str(workers)]
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *words], stdout=subprocess.PIPE, text=True, check=False
    )
    seconds = time.perf_counter() - begin
    if done.returncode != 0 or len(list(target.iterdir())) != count:
        raise SystemExit("The command failed.")
    return folder_row(workers, count, seconds, peak_kib=int(done.stdout))


def folder_row(workers: int | None, count: int, seconds: float, *, peak_kib: int) -> FolderRow:
    """The figures of `count` pictures in `seconds`."""
    return FolderRow(
        workers=workers,
        pictures=count,
        seconds=seconds,
        pictures_per_second=count / seconds,
        peak_memory_mib=peak_kib / 1024,
    )


def run_large(source: Path, target: Path, segmenter: Segmenter, repeats: int) -> list[float]:
    """Milliseconds from file to mask file; the first time, which warms up, is left out."""
    effect = MaskEffect(threshold=segmenter.threshold)
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        write_bytes(
            target, predict_image(source, segmenter=segmenter, effect=effect, name="png")[0]
        )
        times.append((time.perf_counter() - begin) * 1000)
    return times[1:]


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of photographs; drawn ones if not given")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="*", default=[], help="numbers to try as well")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "in").mkdir()
        pictures = photographs(arguments.data, SMALL)
        for number, picture in enumerate(islice(pictures, arguments.pictures)):
            picture.save(root / "in" / f"{number:05}.jpg", quality=90)
        large = root / "large.jpg"
        next(photographs(arguments.data, LARGE)).save(large, quality=90)
        rows = []
        for workers in (None, *arguments.workers):
            target = root / f"out-{workers}"
            row = run_folder(root / "in", target, arguments.pictures, workers)
            rows.append(row)
            print(
                f"workers {workers}: {row.pictures_per_second:.1f} pictures/s, "
                f"{row.peak_memory_mib:.0f} MiB"
            )
        segmenter = Segmenter()
        times = run_large(large, root / "large.png", segmenter, arguments.repeats)
        print(f"12 megapixels, file to mask file: {statistics.median(times):.1f} ms")
        sizes = [path.stat().st_size for path in (root / "in").iterdir()]
        result = Result(
            environment=describe_environment("cpu"),
            backend=segmenter.engine.name,
            precision=segmenter.engine.precision,
            source="drawn" if arguments.data is None else arguments.data.name,
            mean_bytes=statistics.mean(sizes),
            folder=tuple(rows),
            large_bytes=large.stat().st_size,
            large_ms=tuple(times),
            large_median_ms=statistics.median(times),
        )
    write_record(arguments.output, result)


if __name__ == "__main__":
    main()
