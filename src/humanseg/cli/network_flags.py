"""The flags that say which network is run, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from humanseg import __version__
from humanseg.cli import flags
from humanseg.system.errors import UsageError

if TYPE_CHECKING:
    from humanseg.inference.segmenter import Segmenter

_NETWORK = Group("Network", sort_key=3)


@Parameter(name="*", group=_NETWORK)
@dataclass(frozen=True)
class NetworkFlags:
    """Which network is run, on what, and how many pictures at a time."""

    model: Annotated[
        str | None,
        Parameter(
            help="Model directory or name; the bundled one if not given. `fast` is that one in "
            "less time, `best` in more; `humanseg doctor` lists further models that are installed."
        ),
    ] = None
    backend: flags.Backend = "auto"
    """What runs the network; the fastest that is installed."""
    precision: flags.Precision = "auto"
    """Arithmetic of the network; the fastest that there is."""
    device: flags.Device = "auto"
    """Where it runs; a device that is missing is an error."""
    flip_averaging: Annotated[
        flags.FlipAveraging,
        Parameter(help="Average with the mirrored picture: twice the network's time."),
    ] = None
    sure_share: flags.SureShare = None
    workers: int | None = None
    """Pictures at a time; one per core if not given."""
    threads: int | None = None
    """Threads of the network per picture; cores / workers if not given."""

    def check(self, single: str | None) -> None:
        """Refuse numbers that are impossible, and `--workers` where there is one image at a time.

        `single` is what gives one image at a time, such as `a pipe`; None for files and folders.
        """
        for name in ("workers", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name}: got {value}; must be at least 1.")
        if self.workers is not None and single is not None:
            raise UsageError(f"--workers has no effect on {single}; leave it out.")

    def identity(self) -> str:
        """The model's name, and what tells it from another of that name."""
        from humanseg.batch.made_record import fingerprint_files
        from humanseg.model_directory import BUNDLED, ONNX_FILE, RECORD_FILE, VARIANTS, find_model

        if self.model in (None, BUNDLED, *VARIANTS):  # or what a build without it has instead
            return f"{self.model or BUNDLED} (humanseg {__version__})"
        folder = Path(str(self.model)).expanduser()
        if not folder.is_dir():
            folder = find_model(self.model)  # says what is wrong
        return f"{self.model} ({fingerprint_files(folder, (RECORD_FILE, ONNX_FILE))})"

    def crew(self, jobs: int) -> tuple[int, int | None]:
        """Workers for so many pictures, and threads of the network for each, None for all cores."""
        if jobs <= 1:
            return 1, self.threads
        from humanseg.system.cpu import usable_cores
        from humanseg.system.malloc import expect_large_buffers

        expect_large_buffers()
        cores = usable_cores()
        workers = min(self.workers or cores, jobs)
        return workers, self.threads or max(1, cores // workers)

    def open(self, *, threads: int | None = None) -> Segmenter:
        """Load the network, which may use `threads` threads for one picture; all cores if None."""
        from humanseg.inference.segmenter import Segmenter

        return Segmenter(
            self.model,
            backend=self.backend,
            precision=self.precision,
            device=self.device,
            threads=threads or self.threads,
            flip_averaging=self.flip_averaging,
            sure_share=self.sure_share,
        )
