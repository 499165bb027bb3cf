"""Draw scenes, and write them as a data set of the layout `folders`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from humanseg.data.pair_writer import write_pair
from humanseg.data.synthesis.scene import draw_scene
from humanseg.images.resize import Size
from humanseg.system.atomic import remove_leftovers
from humanseg.system.errors import HumansegError, UsageError
from humanseg.system.progress import ItemProgress
from humanseg.system.threads import ordered_map

SMALLEST, LARGEST = 32, 4096
"""Sides of an image in pixels."""


def synthesize(
    output: Path,
    *,
    count: int,
    size: Size = (240, 320),
    seed: int = 0,
    clutter: float = 1.0,
    progress: ItemProgress | None = None,
) -> Path:
    """Draw a data set: images/00001.jpg and masks/00001.png (0 and 255) and so on.

    Picture i depends on `seed`, `size`, `clutter` and i only, so a larger set begins with the
    smaller one. A picture appears in the folder whole or not at all, its mask first; the same call
    goes on where another one was stopped, and pictures that are there are left alone.

    Args:
        output: folder to fill, and what is returned; its images/ and masks/ hold nothing else.
        count: number of pictures.
        size: (height, width) in pixels.
        seed: which pictures.
        clutter: 0 to 1; how hard people are to find, see `draw_scene`.
        progress: called with (pictures there, `count`), not for those that were there before.

    Raises:
        UsageError: a count, size, seed or clutter out of range, or a folder with other files,
            as far as the first, the middle, the last and incomplete pictures tell.
        HumansegError: a folder that cannot be written to.
    """
    _check(count, size, seed, clutter)

    def draw(number: int, root: Path = output) -> None:
        rng = np.random.default_rng([seed, number])
        image, mask = draw_scene(rng, size, clutter=clutter)
        write_pair(root, f"{number:05d}", image, mask, quality=int(rng.integers(70, 96)))

    try:
        missing = _missing(output, count, draw)
        with closing(ordered_map(draw, missing)) as drawn:
            for there, _ in enumerate(drawn, start=count - len(missing) + 1):
                if progress is not None:
                    progress(there, count)
    except OSError as error:
        raise HumansegError(f"{output}: cannot be written to ({error.strerror}).") from error
    return output


def _files(root: Path, number: int) -> tuple[Path, Path]:
    """The mask and the picture, in the order in which they are written."""
    return root / f"masks/{number:05d}.png", root / f"images/{number:05d}.jpg"


def _missing(root: Path, count: int, draw: Callable[[int, Path], None]) -> list[int]:
    """Numbers of the pictures that are missing; makes the folders, and refuses those of others."""
    files = {number: _files(root, number) for number in range(1, count + 1)}
    expected = {path for pair in files.values() for path in pair}
    there: set[Path] = set()
    for folder in (root / "masks", root / "images"):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers([folder])
        paths = {path for path in folder.iterdir() if not path.name.startswith(".")}
        if paths - expected:
            raise UsageError(f"{folder}: has other files in it; name a new or empty folder.")
        there |= {path for path in paths if path.stat().st_size}
    whole = [number for number, pair in files.items() if there.issuperset(pair)]
    missing = sorted(files.keys() - whole)
    broken = [number for number in missing if there.intersection(files[number])]
    for number in sorted({*broken, *whole[:: max(1, len(whole) // 2)], *whole[-1:]}):
        _compare(root, number, draw)
    return missing


def _compare(root: Path, number: int, draw: Callable[[int, Path], None]) -> None:
    """Refuse files that these settings would not draw: another seed's, or somebody's own."""
    with TemporaryDirectory() as scratch:
        draw(number, Path(scratch))
        for path, drawn in zip(_files(root, number), _files(Path(scratch), number), strict=True):
            if path.exists() and path.read_bytes() not in (b"", drawn.read_bytes()):
                raise UsageError(
                    f"{path}: is not what these settings draw; name a new or empty folder, or the "
                    "size, seed and clutter that the folder was drawn with."
                )


def _check(count: int, size: Size, seed: int, clutter: float) -> None:
    sides = f"both sides must be {SMALLEST} to {LARGEST} pixels"
    for right, problem in (
        (count >= 1, f"count is {count}; at least 1 picture."),
        (min(size) >= SMALLEST and max(size) <= LARGEST, f"size is {size[0]}x{size[1]}; {sides}."),
        (seed >= 0, f"seed is {seed}; 0 or larger."),
        (0.0 <= clutter <= 1.0, f"clutter is {clutter}; 0 to 1."),
    ):
        if not right:
            raise UsageError(problem)
