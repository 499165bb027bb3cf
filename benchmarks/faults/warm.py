"""Commands of humanseg in processes of their own that begin with everything imported.

A server that has imported the libraries once forks them off, so that hundreds take minutes. Each
may be ended by a signal: after some seconds, or just before the nth time that it opens a file for
writing, or makes, renames or removes one.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

CPU_SECONDS = 60
"""More than any command here needs: who takes longer hangs."""
_PATIENCE = 900.0  # seconds of wall time; other work may take the processor
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_PRELOADED = [
    "av",
    "cyclopts.help.specs",
    "humanseg.batch.runner",
    "humanseg.cli.compare",
    "humanseg.cli.data",
    "humanseg.cli.predict",
    "humanseg.cli.report",
    "humanseg.cli.serve",
    "humanseg.cli.train",
    "humanseg.comparison",
    "humanseg.data.audit",
    "humanseg.inference.segmenter",
    "humanseg.models.torch_engine",
    "humanseg.report",
    "humanseg.serving.application",
    "humanseg.serving.run_server",
    "humanseg.training",
    "humanseg.video.pipeline",
    "onnxruntime",
]


@dataclass(frozen=True)
class Stop:
    """What ends a process: a signal, before its nth change of a file or after some seconds."""

    signal: signal.Signals
    change: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        """Such as `SIGKILL before change 7`."""
        when = f"after {self.seconds:.2f} s" if self.change is None else f"before {self.change}"
        return f"{self.signal.name} {when}"


@dataclass(frozen=True)
class Ended:
    """What came of a process."""

    code: int | None
    """Its exit code, or a signal's number below zero; None if it hung."""
    out: str
    err: str
    changes: int
    """How often it changed a file below its folder; 0 where it was ended."""
    seconds: float

    @property
    def problem(self) -> str | None:
        """Why no command may end like this, whatever was done to its files."""
        if self.code is None or self.code == -signal.SIGXCPU:
            return "hangs"
        if "Traceback" in self.err:
            return "traceback: " + self.err.strip().splitlines()[-1]
        if self.code not in (0, 1, 2, 130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT):
            return f"ends with {self.code}: {self.err[-200:]}"
        # `data check` ends with 1 if it finds anything, and says it on standard output.
        told = re.search(r"^humanseg: ", self.err, re.M) or (self.code == 1 and self.out)
        if self.code in (1, 2) and not told:
            return f"ends with {self.code} without a sentence"
        return None


class Running:
    """A command at work."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        stop: Stop | None = None,
        bytes_: int | None = None,
    ) -> None:
        """Begin it in a folder that exists, which its changes of files are counted below."""
        self._logs = folder.with_name(f"{folder.name}-logs")
        self._logs.mkdir(exist_ok=True)
        for name in ("out", "err", "changes"):
            (self._logs / name).write_bytes(b"")
        self._began = time.monotonic()
        arguments = (list(words), folder, self._logs, stop, bytes_)
        self.process: ForkServerProcess = _context().Process(target=_carry_out, args=arguments)
        self.process.start()
        if stop is not None and stop.seconds is not None:
            while self.process.is_alive() and not (self._logs / "changes").read_text():
                time.sleep(0.001)
            self.process.join(stop.seconds)
            self.send(stop.signal)

    @property
    def out(self) -> str:
        """What it has written to standard output so far."""
        return (self._logs / "out").read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.process.is_alive() and self.process.pid is not None:
            os.kill(self.process.pid, number)

    def end(self) -> Ended:
        """Wait for its end."""
        self.process.join(_PATIENCE)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            self.process.join()
        return Ended(
            code=code,
            out=self.out,
            err=(self._logs / "err").read_text(errors="replace"),
            changes=int((self._logs / "changes").read_text() or 0),
            seconds=time.monotonic() - self._began,
        )


def run(
    words: Sequence[str], folder: Path, *, stop: Stop | None = None, bytes_: int | None = None
) -> Ended:
    """Run a command of humanseg in a folder; no file may grow beyond `bytes_`."""
    return Running(words, folder, stop, bytes_).end()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _carry_out(
    words: list[str], folder: Path, logs: Path, stop: Stop | None, bytes_: int | None
) -> None:
    """What the forked process does."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(logs / name, os.O_WRONLY), number)
    os.chdir(folder)
    os.environ["TMPDIR"] = str(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    if bytes_ is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))
    changes = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & _WRITING:
                return
        elif event not in _CHANGES:
            return
        path = arguments[0]
        if isinstance(path, str | Path) and str(Path(path).absolute()).startswith(str(folder)):
            changes += 1
            if stop is not None and changes == stop.change:
                os.kill(os.getpid(), stop.signal)

    from humanseg.cli import main

    (logs / "changes").write_text("0")  # it has begun
    sys.addaudithook(watch)
    code = main(words)
    count = changes
    (logs / "changes").write_text(str(count))
    sys.exit(code)
