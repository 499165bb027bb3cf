"""The page on which a person says which masks are right, as offline as the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from humanseg.images import read_mask
from humanseg.images.resize import Size, resize_mask, size_within
from humanseg.report import study_files
from humanseg.report.formatting import score
from humanseg.report.gallery.gallery_images import (
    error_uri,
    mask_uri,
    photo_uri,
    read_prediction,
    read_shrunk,
)
from humanseg.report.gallery.gallery_rows import CHOSEN_SIDE, Cell, GalleryRow, Mask
from humanseg.report.load_study import load_study
from humanseg.report.page import render
from humanseg.results import write_text
from humanseg.system.errors import DataError, ImageError

_SQUARE: Size = (3, 4)
"""Stands for the size of a picture that cannot be shown."""


@dataclass(frozen=True)
class Reviewed:
    """A picture to look at, and its masks, read when the page is drawn."""

    id: str
    """What its mark is kept under: the picture's file, as the user knows it."""
    file: Path
    notes: tuple[str, ...]
    """Why it stands where it stands, such as `Uncertainty 0.412`."""
    masks: Callable[[], tuple[Mask, Mask | None]]
    """The network's mask, or the label where there is nothing else, bool (height, width); and the
    label to hold against it, of the same size, or None."""


def write_review(
    path: Path, pictures: Iterable[Reviewed], *, title: str, order: str, total: int
) -> int:
    """Write the page, at once or not at all, and count the pictures on it, of `total` in all.

    `title` says what they are and `order`, a sentence, by what they are ordered. One that cannot be
    read has words in its place.
    """
    rows = [_row(picture, number) for number, picture in enumerate(pictures, start=1)]
    compared = any(cell.view == "errors" for row in rows for cell in row.cells)
    values = {"title": title, "order": order, "total": total, "rows": rows, "compared": compared}
    write_text(path, render("review.html", ("theme.js", "review.js"), **values))
    return len(rows)


def _row(picture: Reviewed, number: int) -> GalleryRow:
    size, photo = _SQUARE, ""
    try:
        mask, truth = picture.masks()
        size = size_within((mask.shape[0], mask.shape[1]), CHOSEN_SIDE)
        photo = photo_uri(read_shrunk(picture.file, size))
        cell = _cell(picture.id, resize_mask(mask, size), truth, size)
    except (ImageError, DataError) as error:
        cell = Cell("picture", "Picture", problem=f"Cannot be shown. {error}")
    return GalleryRow(f"picture-{number}", picture.id, picture.notes, size, photo, (cell,))


def _cell(name: str, mask: Mask, truth: Mask | None, size: Size) -> Cell:
    if truth is None:
        return Cell("mask", "Mask", uri=mask_uri(mask), alt=f"The mask of {name}")
    uri = error_uri(resize_mask(truth, size), mask)
    return Cell("errors", "Label and network", uri=uri, alt=f"Where both differ in {name}")


def reviewed_run(folder: Path) -> Iterator[tuple[float, Reviewed]]:
    """What a training, comparison or evaluation tested, with its IoU, lowest first.

    Of several networks the first one's predictions are shown.

    Raises:
        UsageError: the folder holds no results.
        DataError: its record is damaged.
    """
    study = load_study(folder)
    files = study_files.image_files(study.folders)
    network = study.finished[0]
    for id_, iou in sorted(network.by_image("iou").items(), key=lambda item: item[1]):
        image = network.image_scores[id_]
        size: Size = (image.height, image.width)

        def masks(id_: str = id_, size: Size = size) -> tuple[Mask, Mask | None]:
            stored = network.prediction_file(id_)
            predicted = read_prediction(stored, size, network.threshold)
            return predicted, read_mask(study_files.truth_file(study.folders, id_))

        file = files.get(id_, Path(id_))
        yield iou, Reviewed(str(file), file, (f"IoU {score(iou)}",), masks)
