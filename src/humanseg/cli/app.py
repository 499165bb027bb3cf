"""The entry: registers the commands, runs one, and turns errors into sentences and exit codes."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cyclopts import App, Group
from cyclopts.help import DefaultFormatter

from humanseg.cli.failures import explain
from humanseg.cli.terminal import complain, is_secondary_process, notes_shown
from humanseg.system.errors import HumansegError, OutOfMemory, UsageError
from humanseg.system.version import __version__

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry
    from cyclopts.help.specs import ColumnSpec
    from rich.console import Console, ConsoleOptions

    Columns: TypeAlias = tuple[ColumnSpec, ...]

_NAMES = 38  # characters
_BARE = {"--keep-metadata": ("camera", "all")}
_COMMANDS = {
    "compare": ("compare:compare", "Train every network with every seed and write one report."),
    "train": ("train:train", "Train one network."),
    "report": ("report:report", "Write the report of a comparison again."),
    "evaluate": ("evaluate:evaluate", "Score a trained network on labelled pictures."),
    "predict": ("predict:predict", "Find the people in pictures, folders and videos."),
    "serve": ("serve:serve", "Answer over HTTP: a web page, and an API for programs."),
    "export": ("export:export", "Write a trained network as a file for another runtime."),
    "benchmark": ("benchmark:benchmark", "Time a model on this machine."),
    "doctor": ("doctor:doctor", "Say what is installed, what works, and what would be used."),
    "data": ("data:app", "Check, download, draw, compose and split pictures with masks."),
}


def build_app() -> App:
    """All commands, by import path: a command's module is loaded when it is run."""
    app = App(
        name="humanseg",
        help="Find the people in pictures, and learn which network finds them best.",
        version=f"humanseg {__version__}",
        help_format="plaintext",
        help_formatter=DefaultFormatter(column_specs=_columns),
        suppress_keyboard_interrupt=False,
    )
    for order, (name, (target, text)) in enumerate(_COMMANDS.items()):
        app.command(f"humanseg.cli.{target}", name=name, help=text, sort_key=order)
    options = Group("Options")
    app["--help"].group = options
    app["--version"].group = options
    app.register_install_completion_command(
        help="Have the shell complete commands and flags; --shell and --output choose.",
        group=options,
    )
    return app


def _columns(console: Console, options: ConsoleOptions, entries: list[HelpEntry]) -> Columns:
    """Names wide enough that the longest flag stays in one piece and can be searched for."""
    from cyclopts.help.specs import AsteriskColumn, ColumnSpec, DescriptionRenderer, NameRenderer

    names = ColumnSpec(renderer=NameRenderer(max_width=_NAMES), max_width=_NAMES)
    texts = ColumnSpec(renderer=DescriptionRenderer(), overflow="fold")
    required = [AsteriskColumn] if any(entry.required for entry in entries) else []
    return (*required, names, texts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: 0 done, 1 failed, 2 impossible, 130 stopped by the user."""
    _silence_telemetry()
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be text
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _refuse_file(words)
        with notes_shown():
            code = build_app()(
                _with_values(words),
                print_error=False,
                exit_on_error=False,
                result_action="return_value",
            )
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        explained = explain(error)
        if explained is None:
            raise
        lines, code = explained
        # What all processes of torchrun fail on, the first one says; memory and the like may run
        # out in one alone.
        shared = isinstance(error, HumansegError) and not isinstance(error, OutOfMemory)
        if not (shared and is_secondary_process()):
            complain(*lines)
    return code if isinstance(code, int) else 0


def _with_values(words: Sequence[str]) -> list[str]:
    """The words, with the first of its values after a flag of `_BARE` that stands alone."""
    return [
        f"{word}={_BARE[word][0]}" if word in _BARE and following not in _BARE[word] else word
        for word, following in pairwise([*words, ""])
    ]


def _open_closed_streams() -> None:
    """Python has None for a stream that was closed; what is written to it goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _refuse_file(words: Sequence[str]) -> None:
    """Say what is missing where a file or a folder stands in the command's place."""
    if words and words[0] not in _COMMANDS and Path(words[0]).exists():
        meant = shlex.join(["humanseg", "predict", *words])
        raise UsageError(f"{words[0]}: is no command; did you mean: {meant}")


def _silence_telemetry() -> None:
    """Nothing phones home; both are read when their packages are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
