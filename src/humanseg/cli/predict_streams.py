"""`humanseg predict` between pipes, and from a camera."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from humanseg.cli.predict_flags import PIPE, Request
from humanseg.cli.predict_report import Report
from humanseg.system.errors import ImageError, UsageError


def predict_pipe(request: Request) -> int:
    """Predict one picture from standard input, to standard output, or both."""
    from humanseg.batch.discovery import Job, refuse_collisions
    from humanseg.batch.runner import run_image
    from humanseg.system.atomic import write_bytes

    target = _target(request)
    request.format_of(target)
    source = _source(request)
    job = Job(Path(request.inputs[0]), target or Path(PIPE))
    if target is not None:
        refuse_collisions([job], inputs=request.read_files)
    made: list[bytes] = []
    write = made.append if target is None else partial(write_bytes, target)
    make = partial(request.maker(request.network.open(), target), source)
    report = Report(request)
    report.tell(run_image(job, make, write, called="standard input"))
    for content in made:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    report.close()
    return report.code


def _target(request: Request) -> Path | None:
    """The file to write; None for standard output."""
    from humanseg.effects.encode import SUFFIXES

    if request.output == PIPE:
        if getattr(sys.stdout, "name", "") == os.devnull:
            raise UsageError("standard output is closed; give -o FILE.")
        if sys.stdout.isatty():
            raise UsageError("the picture would go to the terminal; give -o FILE, or redirect it.")
        return None
    target = Path(request.output)
    if target.is_dir() or target.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{target}: a picture from standard input needs the name of a file with -o, with one "
            f"of the suffixes {', '.join(SUFFIXES)}."
        )
    if target.exists() and not request.files.overwrite:
        raise UsageError(f"{target}: exists already; give another name or --overwrite.")
    return target


def _source(request: Request) -> Path | bytes:
    """The picture: a file, or the content of standard input."""
    word = request.inputs[0]
    if word != PIPE:
        if len(request.inputs) > 1 or not Path(word).is_file():
            raise UsageError("-o - takes one picture; give one file that exists, or -.")
        return Path(word)
    if sys.stdin is None:
        raise UsageError("standard input is closed; pipe an image into it, or give a file.")
    if sys.stdin.isatty():
        raise UsageError("standard input is the terminal; pipe a picture into it.")
    from humanseg.images import MAX_BYTES

    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if not content:
        raise ImageError("standard input holds nothing; pipe a picture into it.")
    if len(content) > MAX_BYTES:
        raise ImageError(
            f"standard input: more than {MAX_BYTES / 1e9:.1f} GB, which is the most that a picture "
            "may have; pipe one picture."
        )
    return content


def record_camera(request: Request, camera: int) -> int:
    """Record from a camera into a video until Ctrl-C."""
    from humanseg.batch.discovery import Job
    from humanseg.batch.runner import Outcome
    from humanseg.cli.terminal import shown
    from humanseg.video.pipeline import process_video
    from humanseg.video.smoothing import Smoother
    from humanseg.video.writer import check_suffix

    target = Path(request.output)
    check_suffix(target, transparent=request.effect.output == "cutout")
    network = request.network
    segmenter = network.open()
    report = Report(request)
    with shown(f"Camera {camera}", unit="frames", quiet=request.no_bar) as progress:
        made = process_video(
            segmenter,
            camera,
            target,
            effect=request.effect,
            smoothing=None if request.files.smoothing is False else Smoother(),
            overwrite=request.files.overwrite,
            faster=None if network.model else replace(network, model="fast").open,
            progress=progress,
        )
    job = Job(Path(f"camera {camera}"), target, video=True)
    report.tell(replace(Outcome.of_video(job, made), seconds=made.seconds))
    report.close()
    return report.code
