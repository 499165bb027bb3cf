r"""Cut close-ups out of photographs of people: heads, torsos, sleeves, people cut off at any side.

    .venv/bin/python -m benchmarks.close_ups OUT --data DIR [--split FILE --part train] \
        [--zone head] [--each 1] [--seed 1]

Windows are drawn on the picture at its own size, so that a close-up is as sharp as its original.
Close-up i of a picture depends on the seed, the picture's id and i only.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.subset import of_part
from numpy.typing import NDArray

from humanseg.data.layouts import discover
from humanseg.data.pair_writer import write_pair
from humanseg.images.resize import resize_image

HEIGHT = (0.22, 0.9)
"""Of the window, as a share of the person's; drawn evenly in its logarithm."""
HEAD_HEIGHT = (0.25, 0.5)
ASPECTS = (3 / 4, 1.0, 4 / 3, 3 / 2)
"""Width over height of a window."""
PERSON = (0.12, 0.92)
"""Share of a window that the person may cover."""
SMALLEST = 128  # pixels of a window's shorter side; smaller ones are only blurred
TRIES = 30
QUALITY = 93

Window = tuple[slice, slice]


def windows(mask: NDArray[np.bool_], rng: np.random.Generator, *, head: bool) -> Iterator[Window]:
    """Windows on a picture around its people, at most `TRIES`, all that keep to the limits.

    Args:
        mask: bool (height, width), True where there is a person; somebody must be there.
        rng: draws them.
        head: only about the upper third of the people.
    """
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    (top, bottom), (left, right) = (rows[[0, -1]], columns[[0, -1]])
    tall, wide = bottom - top + 1, right - left + 1
    low, high = np.log(HEAD_HEIGHT if head else HEIGHT)
    for _ in range(TRIES):
        height = round(float(np.exp(rng.uniform(low, high))) * tall)
        width = round(height * float(rng.choice(ASPECTS)))
        upper = head or rng.random() < 0.5
        middle_y = top + tall * rng.uniform(0.05, 0.25 if head else 0.4 if upper else 1.0)
        middle_x = left + wide * rng.uniform(0.3 if head else 0.1, 0.7 if head else 0.9)
        y = int(np.clip(middle_y - height / 2, 0, max(mask.shape[0] - height, 0)))
        x = int(np.clip(middle_x - width / 2, 0, max(mask.shape[1] - width, 0)))
        window = slice(y, y + height), slice(x, x + width)
        inside = mask[window]
        if min(inside.shape) >= SMALLEST and PERSON[0] <= inside.mean() <= PERSON[1]:
            yield window


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.close_ups")
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, help="file of `humanseg data split`")
    parser.add_argument("--part", default="train", help="of the split")
    parser.add_argument("--zone", default="any", choices=("any", "head"))
    parser.add_argument("--each", type=int, default=1, help="close-ups of a picture")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Write the close-ups as a data set of the layout `folders`."""
    arguments = _arguments()
    samples = discover(arguments.data, "auto")
    if arguments.split:
        samples = of_part(samples, arguments.split, arguments.part)
    written = 0
    for sample in samples:
        mask = sample.read_mask()
        if not mask.any():
            continue
        # Some masks are smaller than their picture: a crop needs both at one size.
        image = resize_image(sample.read_image(), mask.shape)
        rng = np.random.default_rng([arguments.seed, zlib.crc32(sample.id.encode())])
        chosen = windows(mask, rng, head=arguments.zone == "head")
        for number, window in zip(range(arguments.each), chosen, strict=False):
            name = f"{sample.id.replace('/', '-')}-{number}"
            write_pair(arguments.output, name, image[window], mask[window], quality=QUALITY)
            written += 1
    print(f"{written} close-ups of {len(samples)} pictures in {arguments.output}")


if __name__ == "__main__":
    main()
