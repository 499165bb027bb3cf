"""1080p video to a blurred background: frames a second, peak memory, flicker.

    .venv/bin/python -m benchmarks.video --output benchmarks/results/NAME.json

The clip is made on the spot: a window of 1920x1080 pixels over a photograph (`--photo`) or a drawn
scene, which stands still for the first half and pans in the second, with new sensor noise in every
frame, as H.264 at 30 frames a second. `--clip` takes a video instead. Every round runs the whole
product, file to file, once with smoothing and once without, in turns. Flicker is measured apart
from the time, on the network's grid. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import threading
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from benchmarks.flicker import Flicker, FlickerMeter
from PIL import Image

from humanseg.data.synthesis import draw_scene
from humanseg.effects.effect import BlurEffect
from humanseg.images import read_image
from humanseg.images.resize import Size, resize_image
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import find_model
from humanseg.results import Environment, Record, write_record
from humanseg.results.provenance import describe_environment
from humanseg.video.pipeline import VideoReport, process_video
from humanseg.video.reader import VideoSource
from humanseg.video.smoothing import Smoother

SIZE: Size = (1080, 1920)
MARGIN = 1.25
"""The image that the window moves over is this much larger than the window."""
RATE = 30
NOISE = 3.0
"""Standard deviation of the sensor noise in grey levels."""


class FlickerRow(Record):
    """Flicker as `benchmarks.flicker` defines it, per thousand."""

    smoothing: bool
    change: float | None
    flips: float | None
    unchanged: float


class Speed(Record):
    """One way of running, one figure per round."""

    smoothing: bool
    frames_per_second: tuple[float, ...]
    median: float


class Result(Record):
    """The result file."""

    environment: Environment
    model: str
    backend: str
    precision: str
    clip: str
    size: tuple[int, int]
    frames: int
    encoder: str
    coverage: float
    speed: tuple[Speed, ...]
    flicker: tuple[FlickerRow, ...]
    peak_memory_short_mib: float
    """Largest resident memory after the first tenth of the clip, written once."""
    peak_memory_mib: float
    """Largest resident memory after all rounds over the whole clip."""


def make_clip(path: Path, photo: Path | None, frames: int) -> None:
    """Write a clip with `frames` frames, see the module's description."""
    rng = np.random.default_rng(0)
    wide = (round(SIZE[0] * MARGIN), round(SIZE[1] * MARGIN))
    if photo is None:
        small, _ = draw_scene(rng, (wide[0] // 2, wide[1] // 2), clutter=0.3)
        image = np.asarray(Image.fromarray(small).resize((wide[1], wide[0])))
    else:
        image = resize_image(read_image(photo), wide)
    room = (wide[0] - SIZE[0], wide[1] - SIZE[1])
    # Drawn once: numbers by the millions for each frame would take longer than encoding it.
    noise = rng.normal(0, NOISE, (SIZE[0] + 64, SIZE[1] + 64, 1)).astype(np.int16)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "faster"})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        for number in range(frames):
            share = max(0.0, 2 * number / frames - 1)
            top, left = round(share * room[0]), round(share * room[1])
            y, x = rng.integers(0, 64, 2)
            grain = noise[y : y + SIZE[0], x : x + SIZE[1]]
            view = image[top : top + SIZE[0], left : left + SIZE[1]] + grain
            frame = av.VideoFrame.from_ndarray(np.clip(view, 0, 255).astype(np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def measure_flicker(segmenter: Segmenter, clip: Path) -> tuple[Flicker, Flicker]:
    """Flicker without and with smoothing."""
    meters = (
        FlickerMeter(threshold=segmenter.threshold),
        FlickerMeter(threshold=segmenter.threshold),
    )
    smoother = Smoother()
    before = 0
    with VideoSource(clip, stopped=threading.Event()) as source:
        for step in source.steps():
            if step.frame is None:
                continue
            grid = resize_image(step.frame.pixels, segmenter.image_size)
            probability = segmenter.predict(grid).grid
            meters[0].add(probability, grid)
            seconds = float((step.frame.pts - before) * source.timeline.time_base)
            before = step.frame.pts
            meters[1].add(smoother.update(probability, grid, seconds=seconds), grid)
    return meters[0].result(), meters[1].result()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _run(
    segmenter: Segmenter, clip: Path, folder: Path, *, smooth: bool, frames: int | None = None
) -> VideoReport:
    """Blur the whole clip, or its first `frames` frames."""
    stop = threading.Event()

    def count(done: int, total: int | None) -> None:
        if frames is not None and done >= frames:
            stop.set()

    return process_video(
        segmenter,
        clip,
        folder / "blurred.mp4",
        effect=BlurEffect(threshold=segmenter.threshold),
        smoothing=Smoother() if smooth else None,
        overwrite=True,
        progress=count,
        stop=stop,
    )


def speeds(rates: Mapping[bool, Sequence[float]]) -> tuple[Speed, ...]:
    """Frames a second of every round, by whether masks were smoothed, and their median."""
    return tuple(
        Speed(smoothing=smooth, frames_per_second=tuple(values), median=statistics.median(values))
        for smooth, values in rates.items()
    )


def flicker_rows(plain: Flicker, smoothed: Flicker) -> tuple[FlickerRow, ...]:
    """Flicker without and with smoothing."""
    return tuple(
        FlickerRow(
            smoothing=smoothing,
            change=flicker.change,
            flips=flicker.flips,
            unchanged=flicker.unchanged,
        )
        for smoothing, flicker in ((False, plain), (True, smoothed))
    )


def main() -> None:
    """Make the clip, run the rounds, measure flicker and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--backend", default="auto", choices=["auto", "onnxruntime", "openvino"])
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    segmenter = Segmenter(arguments.model, backend=arguments.backend)
    rates: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = arguments.clip or folder / "clip.mp4"
        if arguments.clip is None:
            make_clip(clip, arguments.photo, arguments.frames)
        _run(segmenter, clip, folder, smooth=True, frames=max(1, arguments.frames // 10))
        short = _peak()
        for number in range(arguments.rounds):
            for smooth in (True, False) if number % 2 == 0 else (False, True):
                report = _run(segmenter, clip, folder, smooth=smooth)
                rates[smooth].append(report.frames / report.seconds)
                print(f"round {number + 1}, smoothing {smooth}: {rates[smooth][-1]:.1f} frames/s")
        peak = _peak()
        flicker = measure_flicker(segmenter, clip)
    write_record(
        arguments.output,
        Result(
            environment=describe_environment(device="cpu", threads=segmenter.engine.threads),
            model=find_model(arguments.model).name,
            backend=segmenter.engine.name,
            precision=segmenter.engine.precision,
            clip="given" if arguments.clip else "photograph" if arguments.photo else "drawn",
            size=report.size,
            frames=report.frames,
            encoder=report.encoder,
            coverage=report.coverage,
            speed=speeds(rates),
            flicker=flicker_rows(*flicker),
            peak_memory_short_mib=short,
            peak_memory_mib=peak,
        ),
    )
    for word, measured in zip(("without", "with"), flicker, strict=True):
        print(f"{word} smoothing: change {measured.change}, flips {measured.flips} per thousand")


if __name__ == "__main__":
    main()
