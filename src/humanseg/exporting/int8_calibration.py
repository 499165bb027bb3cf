"""Pictures that show int8 arithmetic which values to expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humanseg.annotations.label_set import PERSON
from humanseg.config.schema import Layout
from humanseg.data.layouts import find_pairs
from humanseg.images import SUFFIXES, read_image
from humanseg.images.resize import Size, resize_image
from humanseg.system.errors import DataError, UsageError

DEFAULT_COUNT = 32
"""Pictures to calibrate with."""

FEWEST = 8


@dataclass(frozen=True)
class Int8Options:
    """What int8 arithmetic is calibrated with, and measured on."""

    calibration: Path | Sequence[Path]
    """Pictures that show which values to expect, see `calibration_images`."""
    count: int = DEFAULT_COUNT
    """How many of them to draw."""
    seed: int = 42
    """Of that draw."""
    data: Path | None = None
    """Labelled pictures to measure on what int8 costs; best none that were trained on."""
    layout: Layout = "auto"
    """How pairs of `data` are found."""
    classes: Sequence[str] = PERSON
    """Names of the labels' classes that are people."""


def calibration_images(options: Int8Options, size: Size) -> NDArray[np.uint8]:
    """Draw pictures to calibrate with.

    Args:
        options: `calibration` is a data set in any layout that training reads (its masks are left
            alone), a folder of pictures with all its sub-folders, or picture files.
        size: (height, width) of the network's grid.

    Returns:
        uint8 (N, height, width, 3) RGB, N from 8 to `count`, fewer if there are fewer.

    Raises:
        UsageError: nothing there, or fewer than 8 pictures.
        ImageError: a drawn picture that cannot be read.
    """
    source = options.calibration
    files = _files(source, options.classes) if isinstance(source, Path) else list(source)
    if len(files) < FEWEST:
        where = source if isinstance(source, Path) else "the calibration pictures"
        raise UsageError(
            f"{where}: {len(files)} pictures; int8 needs {FEWEST} at least, better "
            f"{DEFAULT_COUNT}, of the kind that will be segmented."
        )
    order = np.random.default_rng(options.seed).permutation(len(files))
    drawn = order[: max(options.count, FEWEST)]
    return np.stack([resize_image(read_image(files[index]), size) for index in drawn])


def _files(root: Path, classes: Sequence[str]) -> list[Path]:
    """Picture files of a data set, or of a folder that is none."""
    if not root.exists():
        raise UsageError(f"{root}: does not exist; give a folder of pictures or a data set.")
    try:
        return [sample.image for sample in find_pairs(root, classes=classes).samples]
    except (UsageError, DataError):
        if not root.is_dir():
            raise
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
