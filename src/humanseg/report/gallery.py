"""Which pictures the gallery shows, by rule, and how they are drawn."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.errors import ImageError
from humanseg.geometry import Size, resize_image, resize_mask
from humanseg.images import read_image, read_mask
from humanseg.report.formatting import percent, score
from humanseg.report.summary import Network, Study
from humanseg.report.tables import picture_means
from humanseg.results import ImageScore

LONGEST_SIDE = 360
"""Pictures are shown with at most this many pixels on a side."""

WRONG = (255, 176, 0)
"""Colour of false positives: amber."""
MISSED = (214, 22, 116)
"""Colour of false negatives: magenta; tells apart from amber with any colour vision."""

_WORST, _DISAGREEING, _RANDOM = 2, 2, 2


@dataclass(frozen=True)
class Choice:
    """A picture of the gallery and the part of the rule that chose it."""

    id: str
    reason: str


def rule(seed: int) -> str:
    """The rule in words."""
    return (
        "Pictures were chosen by rule, not by eye: by the mean over networks of per-image IoU the "
        f"best, the median and the {_WORST} worst; then the {_DISAGREEING} with the largest gap "
        f"between networks; then {_RANDOM} drawn at random with seed {seed}. No picture is shown "
        "twice: the next one in the order takes its place."
    )


def choose(scores: dict[str, dict[str, float]], seed: int) -> list[Choice]:
    """Choose the gallery's pictures.

    Args:
        scores: IoU by network and picture.
        seed: draws the random ones.
    """
    means = picture_means(scores)
    order = sorted(means, key=lambda id_: (-means[id_], id_))
    places = {id_: place for place, id_ in enumerate(order)}
    central = sorted(order, key=lambda id_: abs(places[id_] - (len(order) - 1) / 2))
    gaps = _gaps(scores)
    apart = sorted((id_ for id_ in gaps if gaps[id_] > 0), key=lambda id_: (-gaps[id_], id_))
    chosen: dict[str, Choice] = {}

    def take(ids: Iterable[str], count: int, reason: Callable[[str], str]) -> None:
        free = [id_ for id_ in ids if id_ not in chosen][:count]
        chosen.update({id_: Choice(id_, reason(id_)) for id_ in free})

    take(order, 1, lambda id_: f"Best: mean IoU {score(means[id_])}")
    take(central, 1, lambda id_: f"Median: mean IoU {score(means[id_])}")
    take(reversed(order), _WORST, lambda id_: f"Among the worst: mean IoU {score(means[id_])}")
    take(apart, _DISAGREEING, lambda id_: f"Networks disagree: IoU differs by {score(gaps[id_])}")
    left = sorted(id_ for id_ in order if id_ not in chosen)
    random.Random(seed).shuffle(left)
    take(left, _RANDOM, lambda _: "Drawn at random")
    return list(chosen.values())


def _gaps(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    gathered: dict[str, list[float]] = {}
    for values in scores.values():
        for id_, value in values.items():
            gathered.setdefault(id_, []).append(value)
    return {id_: max(values) - min(values) for id_, values in gathered.items() if len(values) > 1}


@dataclass(frozen=True)
class Cell:
    """One picture of a gallery row; without `uri`, `problem` says why."""

    name: str
    slot: int = 0
    uri: str = ""
    size: Size = (0, 0)
    alt: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class GalleryRow:
    """One test picture: itself, its truth, and every network's prediction."""

    anchor: str
    id: str
    reason: str
    cells: tuple[Cell, ...]


def gallery(study: Study, pictures: dict[str, Path]) -> tuple[GalleryRow, ...]:
    """The rows of the gallery, from each network's first finished seed.

    Args:
        study: the comparison.
        pictures: file of each test picture; one that is gone leaves words in its place.
    """
    firsts = [Network(network.arch, network.runs[:1]) for network in study.finished]
    scores = {network.arch: network.by_picture("iou") for network in firsts}
    chosen = choose(scores, study.result.config.split.seed)
    return tuple(
        _row(study.folder, firsts, choice, pictures.get(choice.id), f"picture-{place}")
        for place, choice in enumerate(chosen, start=1)
    )


def _row(
    folder: Path, networks: list[Network], choice: Choice, file: Path | None, anchor: str
) -> GalleryRow:
    images = {
        network.arch: next(one for one in network.runs[0].scores if one.id == choice.id)
        for network in networks
        if any(one.id == choice.id for one in network.runs[0].scores)
    }
    example = next(iter(images.values()))
    picture, problem = _read_picture(file)
    size = shown_size(picture.shape[:2] if picture is not None else (example.height, example.width))
    base = np.full((*size, 3), 160, np.uint8) if picture is None else resize_image(picture, size)
    shown = Cell("Picture", problem=problem) if problem else _cell("Picture", base, choice.id)
    truth, lost = _read_mask(folder / "truth" / f"{choice.id}.png", size)
    if truth is None:
        cells = [shown, Cell("Truth", problem=lost)]
        cells += [Cell(one.label, one.slot, problem=lost) for one in networks]
    else:
        drawn = overlay(base, truth, truth)
        cells = [shown, _cell("Truth", drawn, f"The person in {choice.id}, by its true mask")]
        cells += [
            _prediction(folder, network, images.get(network.arch), base, truth)
            for network in networks
        ]
    return GalleryRow(anchor, choice.id, choice.reason, tuple(cells))


def _prediction(
    folder: Path,
    network: Network,
    image: ImageScore | None,
    base: NDArray[np.uint8],
    truth: NDArray[np.bool_],
) -> Cell:
    if image is None:
        return Cell(network.label, network.slot, problem="This network did not score the picture.")
    notes = (f"IoU {score(image.iou)}", f"Boundary IoU {score(image.boundary_iou)}")
    file = folder / "runs" / network.runs[0].name / "predictions" / f"{image.id}.png"
    size = (base.shape[0], base.shape[1])
    predicted, problem = _read_mask(file, size)
    if predicted is None:
        return Cell(network.label, network.slot, notes=notes, problem=problem)
    area = image.height * image.width
    alt = (
        f"Prediction of {network.label} for {image.id}: {percent(image.fp / area)} of the picture "
        f"wrongly marked as person, {percent(image.fn / area)} missed"
    )
    drawn = overlay(base, truth, predicted)
    return _cell(network.label, drawn, alt, slot=network.slot, notes=notes)


def _read_picture(file: Path | None) -> tuple[NDArray[np.uint8] | None, str]:
    if file is None:
        return None, "The comparison folder does not say where this picture is."
    try:
        return read_image(file), ""
    except ImageError as error:
        return None, f"The picture cannot be shown. {error}"


def _read_mask(file: Path, size: Size) -> tuple[NDArray[np.bool_] | None, str]:
    try:
        return resize_mask(read_mask(file), size), ""
    except ImageError as error:
        return None, f"The mask cannot be shown. {str(error).replace(str(file), file.name)}"


def shown_size(size: Size) -> Size:
    """The size at which a picture of `size` is shown: never enlarged."""
    factor = min(1.0, LONGEST_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def overlay(
    base: NDArray[np.uint8], truth: NDArray[np.bool_], predicted: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """The picture with found person as it is, the rest faded, and errors in colour.

    Args:
        base: uint8 (height, width, 3).
        truth: bool, same height and width.
        predicted: bool, same height and width.

    Returns:
        uint8 (height, width, 3).
    """
    colour = base.astype(np.float64)
    grey = np.repeat(colour.mean(axis=2, keepdims=True), 3, axis=2)
    drawn = 0.35 * grey + 0.65 * 205.0
    drawn[truth & predicted] = colour[truth & predicted]
    for wrong, paint in ((predicted & ~truth, WRONG), (truth & ~predicted, MISSED)):
        drawn[wrong] = 0.2 * grey[wrong] + 0.8 * np.asarray(paint, np.float64)
    return np.asarray(np.rint(drawn), dtype=np.uint8)


def _cell(
    name: str, pixels: NDArray[np.uint8], alt: str, *, slot: int = 0, notes: tuple[str, ...] = ()
) -> Cell:
    stream = io.BytesIO()
    # Full colour resolution: error colours would bleed into their surroundings.
    Image.fromarray(pixels).save(stream, "JPEG", quality=80, subsampling=0, optimize=True)
    uri = f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
    size = (pixels.shape[0], pixels.shape[1])
    return Cell(name, slot, uri, size, alt, notes)
