"""Other projects' networks beside ours, on the same images in one run.

    python3 -m venv PEERS && PEERS/bin/pip install mediapipe==0.10.14
    .venv/bin/python -m benchmarks.peers mediapipe mediapipe-landscape --python PEERS/bin/python \
        --data DIR --person-free EMPTY --output benchmarks/results/NAME.json

benchmarks/README.md says what is measured and how an adapter for another project is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from benchmarks.peers.compare import ImageOptions, OurOptions, compare_with_peers
from benchmarks.peers.systems import PEERS
from benchmarks.peers.text import doubts_in_words, peers_in_words

from humanseg.cli.terminal import shown
from humanseg.config.schema import Layout
from humanseg.results import write_record
from humanseg.system.errors import HumansegError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    add = parser.add_argument
    add("peers", nargs="+", help=f"{', '.join(PEERS)}, or an adapter of your own (.py)")
    add("--python", type=Path, help="Python interpreter that the peers are installed for")
    add("--model", type=Path, help="model directory; the bundled model if not given")
    add("--backends", nargs="+", default=["auto"], help="what runs ours")
    add("--precisions", nargs="+", default=["auto"], help="the arithmetic of ours")
    add("--threads", nargs="+", type=int, default=[], help="threads of ours")
    add("--device", default="cpu", choices=("auto", "cpu", "cuda"))
    add("--data", type=Path, help="folder, CSV or COCO JSON with images and masks")
    add("--layout", default="auto", choices=get_args(Layout))
    add("--split", type=Path, help="JSON of `humanseg data split`: its test images alone")
    add("--groups", type=Path, help="CSV with id and group; images of a group count as one")
    add("--person-free", nargs="+", type=Path, default=[], help="images without people")
    add("--limit", type=int, help="at most so many images of each kind")
    add("--calls", type=int, default=3, help="timed calls per image")
    add("--output", type=Path, help="JSON file for the record")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Compare, print the tables, and write the record if asked to."""
    asked = _parser().parse_args(words)
    images = ImageOptions(
        data=asked.data,
        layout=asked.layout,
        split=asked.split,
        groups=asked.groups,
        person_free=tuple(asked.person_free),
        limit=asked.limit,
    )
    ours = OurOptions(
        backends=tuple(asked.backends),
        precisions=tuple(asked.precisions),
        threads=tuple(asked.threads),
        device=asked.device,
    )
    try:
        with shown("Comparing", unit="images") as progress:
            record = compare_with_peers(
                asked.model,
                images,
                peers=asked.peers,
                ours=ours,
                python=asked.python,
                calls=asked.calls,
                progress=progress,
            )
        if asked.output:
            write_record(asked.output, record)
    except HumansegError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for line in peers_in_words(record):
        print(line)
    for line in doubts_in_words(record):
        print(line, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
