"""Parts of the command lines of these benchmarks."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from humanseg.data.synthesis import synthesize
from humanseg.results import Environment
from humanseg.training import describe_environment

_DRAWN_SIZE = (480, 640)


def setting(text: str) -> tuple[str, str]:
    """KEY=VALUE in two."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not KEY=VALUE; write for example training.ema_decay=0.99."
        )
    return key, value


def pathless(argument: str) -> str:
    """PATH or KEY=PATH with an absolute path cut to its last part; anything else as it is."""
    key, equals, value = argument.rpartition("=")
    return key + equals + (Path(value).name if Path(value).is_absolute() else value)


def environment_of(device: str, module: str) -> Environment:
    """Where this was measured, without paths of this machine."""
    command = shlex.join(["python", "-m", module, *map(pathless, sys.argv[1:])])
    return describe_environment(device).model_copy(update={"command": command})


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add `--set KEY=VALUE ...`."""
    parser.add_argument(
        "--set",
        dest="further",
        type=setting,
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="further settings of ours, values as YAML",
    )


def absolute(weights: str) -> str:
    """The absolute path of a weights file; any other word as it is."""
    return str(Path(weights).resolve()) if Path(weights).is_file() else weights


def drawn(folder: Path, count: int) -> Path:
    """A data set of drawn pictures in `folder`."""
    return synthesize(folder / "drawn", count=count, size=_DRAWN_SIZE)
