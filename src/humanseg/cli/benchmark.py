"""`humanseg benchmark`: times and memory of a model on this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import note, say, shown
from humanseg.images import MAX_PIXELS
from humanseg.results import write_record
from humanseg.system.errors import UsageError

if TYPE_CHECKING:
    from humanseg.benchmark.speed import SpeedOptions


@Parameter(name="*", consume_multiple=True, negative_iterable="")
@dataclass(frozen=True)
class SpeedFlags:
    """What was typed of `SpeedOptions`; None where nothing was."""

    backends: tuple[flags.Backend, ...] | None = None
    """What runs the network; every one by default, `auto` with --quick."""
    precisions: tuple[flags.Precision, ...] | None = None
    """Its arithmetic; every one by default, `auto` with --quick."""
    threads: tuple[int, ...] | None = None
    """Threads of the network; 1 and all cores by default."""
    device: flags.Device | None = None
    """Where the network runs; cpu by default."""
    pictures: tuple[Path, ...] | None = None
    """Files or folders to time; generated ones by default."""
    sizes: tuple[str, ...] | None = None
    """WIDTHxHEIGHT of generated pictures, such as 4000x3000."""
    rounds: int | None = None
    """Fresh processes per configuration; 5 by default."""
    calls: int | None = None
    """Timed calls per round; 20 by default."""

    def over(self, options: SpeedOptions) -> SpeedOptions:
        """The options, with what was typed in their place."""
        if self.sizes and self.pictures:
            raise UsageError("--sizes is for generated pictures; leave it or --pictures out.")
        typed = vars(self) | {"sizes": parsed_sizes(self.sizes)}
        return replace(
            options, **{name: value for name, value in typed.items() if value is not None}
        )


def benchmark(
    model: Annotated[
        Path | None, Parameter(help="Model directory; the bundled model if not given.")
    ] = None,
    /,
    *,
    speed: SpeedFlags | None = None,
    quick: Annotated[
        bool, flags.option(help="One round of what is chosen for you: a look, nothing to quote.")
    ] = False,
    json: Annotated[bool, flags.option(help="Print the record as JSON instead of tables.")] = False,
    output: Annotated[Path | None, flags.output("JSON file for the record.")] = None,
) -> None:
    """Time a model on this machine, by backend, precision, threads and picture size."""
    flags.free_output_file(output)
    from humanseg.benchmark.speed import SpeedOptions, measure_speed, quick_options
    from humanseg.cli.benchmark_text import noise_in_words, speed_in_words

    options = (speed or SpeedFlags()).over(quick_options() if quick else SpeedOptions())
    with shown("Measuring") as progress:
        record = measure_speed(model, options, progress=progress)
    if output is not None:
        write_record(output, record)
    say(*([record.model_dump_json(indent=1)] if json else speed_in_words(record)))
    note(*noise_in_words(record))


def parsed_sizes(texts: Sequence[str] | None) -> tuple[tuple[int, int], ...] | None:
    """(height, width) of every WIDTHxHEIGHT."""
    if texts is None:
        return None
    sizes = []
    for text in texts:
        match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
        width, height = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 0 < width * height <= MAX_PIXELS:
            raise UsageError(
                f"--sizes {text}: give WIDTHxHEIGHT in pixels, such as 1920x1080, of at most "
                f"{MAX_PIXELS // 1_000_000} million."
            )
        sizes.append((height, width))
    return tuple(sizes)
