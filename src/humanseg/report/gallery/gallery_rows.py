"""Everything that the gallery shows of an image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from humanseg.images import read_mask
from humanseg.images.resize import Size, resize_mask, size_within
from humanseg.report import study_files
from humanseg.report.formatting import percent, score
from humanseg.report.gallery.gallery_images import (
    error_uri,
    mask_uri,
    photo_uri,
    read_prediction,
    read_shrunk,
)
from humanseg.report.gallery.image_choice import choose_images
from humanseg.report.study import Network, Study
from humanseg.system.errors import ImageError

CHOSEN_SIDE = 480
"""Images chosen by the rule are shown with at most this many pixels on a side."""
OTHER_SIDE = 288
"""All others."""

Mask = NDArray[np.bool_]
"""Bool (height, width), True for a person."""
_T = TypeVar("_T")

View = Literal["picture", "truth", "errors", "mask"]


@dataclass(frozen=True)
class Cell:
    """One way to look at an image: what lies over it; without it, `problem` may say why."""

    view: View
    name: str
    network: int = -1
    """Index of the network among the study's, -1 for image and true mask."""
    slot: int = 0
    uri: str = ""
    alt: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    extra: bool = False
    """Left out where all views stand side by side: another view says more."""


@dataclass(frozen=True)
class GalleryRow:
    """One test image: itself, its true mask, and every network's prediction."""

    anchor: str
    id: str
    reasons: Sequence[str]
    size: Size
    photo: str
    """The image, stored once; empty where it is gone."""
    cells: Sequence[Cell]
    source: str = ""
    share: float = 0.0
    """Foreground share of the true mask."""
    scores: Sequence[float | None] = ()
    """IoU by network, mean over its runs."""

    @property
    def reason(self) -> str:
        """Why the rule chose it; empty for the others."""
        return "; ".join(self.reasons)

    @property
    def chosen(self) -> bool:
        """Whether the rule chose it."""
        return bool(self.reasons)


def gallery(study: Study) -> list[GalleryRow]:
    """Every row of the gallery; images and masks that are gone leave words in their place.

    Masks are those of the first run that tested an image.
    """
    choices = choose_images(study)
    files, images = study_files.image_files(study.folders), study.image_scores
    ious = [network.by_image("iou") for network in study.finished]

    def row(id_: str, number: int) -> GalleryRow:
        image = images[id_]
        longest = CHOSEN_SIDE if choices[id_] else OTHER_SIDE
        size = size_within((image.height, image.width), longest)
        photo, gone = _photo(files.get(id_), size)
        picture = Cell("picture", "Picture", alt=f"Picture {id_}", problem=gone)
        return GalleryRow(
            anchor=f"picture-{number}",
            id=id_,
            reasons=choices[id_],
            source=study.sources.get(id_, ""),
            share=image.foreground_share,
            scores=[values.get(id_) for values in ious],
            size=size,
            photo=photo,
            cells=[picture, *_masks(study, id_, size)],
        )

    # Decoding releases the interpreter; one image per thread is in memory at a time.
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(row, choices, range(1, len(choices) + 1)))


def _masks(study: Study, id_: str, size: Size) -> Iterator[Cell]:
    """The true mask and those of every network."""
    truth, lost = _read(
        lambda file: resize_mask(read_mask(file), size), study_files.truth_file(study.folders, id_)
    )
    uri = "" if truth is None else mask_uri(truth)
    alt = f"The person in {id_}, by its true mask"
    yield Cell("truth", "True mask", uri=uri, alt=alt, problem=lost)
    for index, network in enumerate(study.finished):
        yield from _predictions(network, index, id_, truth, size)


def _photo(file: Path | None, size: Size) -> tuple[str, str]:
    if file is None:
        return "", "The path of this picture was not recorded."
    pixels, problem = _read(lambda path: read_shrunk(path, size), file)
    return ("", problem) if pixels is None else (photo_uri(pixels), "")


def _predictions(
    network: Network, index: int, id_: str, truth: Mask | None, size: Size
) -> list[Cell]:
    """Errors and plain mask of one network; one cell with words where there are none."""
    about = partial(Cell, name=network.label, network=index, slot=network.slot)
    image = network.image_scores.get(id_)
    if image is None:
        return [about("errors", problem="This network was not tested on this picture.")]
    full = (image.height, image.width)
    notes = (f"IoU {score(image.iou)}", f"Boundary IoU {score(image.boundary_iou)}")
    predicted, problem = _read(
        lambda file: resize_mask(read_prediction(file, full, network.threshold), size),
        network.prediction_file(id_),
    )
    if predicted is None:
        return [about("errors", notes=notes, problem=problem)]
    alt = f"Person in {id_} as predicted by {network.label}"
    mask = about("mask", uri=mask_uri(predicted), alt=alt, notes=notes)
    if truth is None:
        return [mask]
    area = image.height * image.width
    alt = (
        f"Errors of {network.label} in {id_}: {percent(image.fp / area)} of the picture wrongly "
        f"predicted as person, {percent(image.fn / area)} missed"
    )
    errors = about("errors", uri=error_uri(truth, predicted), alt=alt, notes=notes)
    return [errors, replace(mask, extra=True)]


def _read(read: Callable[[Path], _T], file: Path) -> tuple[_T | None, str]:
    """What `read` gives, or why it gives nothing, without the folders of this machine."""
    try:
        return read(file), ""
    except ImageError as error:
        return None, f"Cannot be shown. {str(error).replace(str(file), file.name)}"
