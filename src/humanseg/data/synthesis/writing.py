"""Write drawn scenes as a data set of the layout `folders`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from humanseg.data.pairs import write_pair
from humanseg.data.synthesis.scene import draw_scene
from humanseg.errors import HumansegError, UsageError
from humanseg.geometry import Size

SMALLEST, LARGEST = 32, 4096
"""Sides of a picture in pixels."""


def synthesize(
    output: Path,
    *,
    count: int,
    size: Size = (240, 320),
    seed: int = 0,
    clutter: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a data set: images/00001.jpg and masks/00001.png (0 and 255) and so on.

    Picture i depends on `seed`, `size`, `clutter` and i only, so a larger set begins with the
    smaller one. A picture appears in the folder whole or not at all, its mask first.

    Args:
        output: folder to fill; its images/ and masks/ must be empty or missing.
        count: number of pictures.
        size: (height, width) in pixels.
        seed: which pictures.
        clutter: 0 to 1; how hard people are to find, see `draw_scene`.
        progress: called with (pictures done, `count`).

    Returns:
        `output`.

    Raises:
        UsageError: a count, size, seed or clutter out of range, or a folder with pictures.
        HumansegError: a folder that cannot be written to.
    """
    _check(count, size, seed, clutter)
    folders = output / "images", output / "masks"
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise UsageError(f"{folder}: already has files in it; name a new or empty folder.")
        for index in range(1, count + 1):
            rng = np.random.default_rng([seed, index])
            image, mask = draw_scene(rng, size, clutter=clutter)
            write_pair(output, f"{index:05d}", image, mask, quality=int(rng.integers(70, 96)))
            if progress is not None:
                progress(index, count)
    except OSError as error:
        raise HumansegError(f"{output}: cannot be written to ({error.strerror}).") from error
    return output


def _check(count: int, size: Size, seed: int, clutter: float) -> None:
    if count < 1:
        raise UsageError(f"count is {count}; at least 1 picture.")
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise UsageError(
            f"size is {size[0]}x{size[1]}; both sides must be {SMALLEST} to {LARGEST} pixels."
        )
    if seed < 0:
        raise UsageError(f"seed is {seed}; 0 or larger.")
    if not 0.0 <= clutter <= 1.0:
        raise UsageError(f"clutter is {clutter}; 0 to 1.")
