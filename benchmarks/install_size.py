"""What an installation weighs, part by part, and whether the base works offline without torch.

    .venv/bin/python benchmarks/install_size.py --output benchmarks/results/NAME.json

Builds the wheel, installs it into fresh environments with no extra and with each extra, sums the
sizes of what each holds, and segments a drawn picture in the base one with sockets refused.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from humanseg.results import Environment, Record, write_record
from humanseg.training import describe_environment

EXTRAS = ("", "openvino", "video", "heic", "train")
MEBIBYTE = 1024 * 1024

# Runs inside the new environment: sizes by distribution, from the files each one recorded.
LIST = """
import importlib.metadata as metadata, json
sizes = {}
for package in metadata.distributions():
    files = [package.locate_file(file) for file in package.files or ()]
    sizes[package.name] = sum(file.stat().st_size for file in files if file.is_file())
print(json.dumps(sizes))
"""

# As well: a picture without any network, and no torch within reach.
TRY = """
import importlib.util, socket, sys
def refuse(*_, **__):
    raise OSError("a socket was opened")
socket.socket.connect = socket.create_connection = refuse
import numpy as np
from humanseg import Segmenter
assert importlib.util.find_spec("torch") is None
prediction = Segmenter().predict(np.zeros((480, 640, 3), np.uint8))
assert prediction.mask.shape == (480, 640)
"""


class Installation(Record):
    """One environment."""

    extra: str
    """Name of the extra; empty for the base."""
    total_mib: float
    """Everything that was installed, pip and setuptools left out."""
    distributions: dict[str, float]
    """MiB by distribution."""


class Result(Record):
    """The result file."""

    environment: Environment
    wheel_mib: float
    base_works_offline: bool
    installations: tuple[Installation, ...]


def _run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
    return done.stdout


def _install(wheel: Path, extra: str, folder: Path) -> Installation:
    _run(sys.executable, "-m", "venv", folder)
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    python = folder / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--no-compile", wanted)
    return installation(extra, json.loads(_run(python, "-c", LIST)))


def installation(extra: str, sizes: Mapping[str, int]) -> Installation:
    """What was installed, in MiB, from the bytes of each distribution; without pip and the like."""
    own = {name: size / MEBIBYTE for name, size in sizes.items() if name not in _TOOLS}
    return Installation(extra=extra, total_mib=sum(own.values()), distributions=own)


_TOOLS = {"pip", "setuptools"}


def main() -> None:
    """Build, install, weigh, try, and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", nargs="*", default=list(EXTRAS))
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _run(sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", folder, root)
        (wheel,) = folder.glob("*.whl")
        installations = []
        for extra in arguments.extras:
            environment = folder / (extra or "base")
            installations.append(_install(wheel, extra, environment))
            print(f"{extra or 'base'}: {installations[-1].total_mib:.0f} MiB")
            if not extra:
                _run(environment / "bin" / "python", "-c", TRY)
        write_record(
            arguments.output,
            Result(
                environment=describe_environment("cpu"),
                wheel_mib=wheel.stat().st_size / MEBIBYTE,
                base_works_offline="" in arguments.extras,
                installations=tuple(installations),
            ),
        )


if __name__ == "__main__":
    main()
