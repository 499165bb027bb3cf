"""Which pictures the gallery shows first, by rule, and everything that it shows of a picture."""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from humanseg.errors import ImageError
from humanseg.images import read_mask
from humanseg.images.resize import Size, resize_mask
from humanseg.report.formatting import percent, score
from humanseg.report.gallery_images import (
    error_uri,
    mask_uri,
    photo_uri,
    read_prediction,
    read_shrunk,
    shown_size,
)
from humanseg.report.study import Network, Study
from humanseg.results import ImageScore, SuspectLabel

CHOSEN_SIDE = 480
"""Pictures chosen by the rule are shown with at most this many pixels on a side."""
OTHER_SIDE = 288
"""All others."""
MOST_OTHERS = 400
"""So many others are shown at most: the page stays below 15 MB with three networks."""

_BEST, _MEDIAN, _WORST, _APART, _RANDOM, _SUSPECT, _SOURCES = 3, 3, 3, 4, 2, 8, 12

SUSPICIONS = {
    "holes": "holes in the person",
    "specks": "specks beside the person",
    "disagreement": "every network disagrees with it",
}
"""Why a truth mask may be wrong, in words."""

_Mask = NDArray[np.bool_]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Choice:
    """A picture of the gallery and the parts of the rule that chose it; none for the others."""

    id: str
    reasons: tuple[str, ...] = ()


def rule(seed: int) -> str:
    """The rule in words."""
    return (
        "Pictures were chosen by rule, not by eye: by the mean over networks of per-image IoU the "
        f"{_BEST} best, the {_MEDIAN} around the median and the {_WORST} worst; the {_WORST} worst "
        f"of each network; the {_APART} on which networks differ most; {_RANDOM} of each source "
        f"drawn at random with seed {seed}; and those whose truth looks wrong."
    )


def choose(
    scores: Mapping[str, Mapping[str, float]],
    seed: int,
    *,
    sources: Mapping[str, str] | None = None,
    suspects: Iterable[SuspectLabel] = (),
) -> list[Choice]:
    """Choose the gallery's pictures, each once with every reason for it.

    Args:
        scores: IoU by network label and picture.
        seed: draws the random ones.
        sources: source by picture; empty or None where nobody looked.
        suspects: truth masks that may be wrong, most suspicious first.
    """
    values = _by_picture(scores)
    means = {id_: statistics.fmean(found) for id_, found in values.items()}
    gaps = {id_: max(found) - min(found) for id_, found in values.items()}
    order = _descending(means)
    places = {id_: place for place, id_ in enumerate(order)}
    central = sorted(order, key=lambda id_: abs(places[id_] - (len(order) - 1) / 2))
    chosen: dict[str, list[str]] = {}

    def take(named: Iterable[tuple[str, str]]) -> None:
        for id_, reason in named:
            chosen.setdefault(id_, []).append(reason)

    take((id_, f"Best: mean IoU {score(means[id_])}") for id_ in order[:_BEST])
    take((id_, f"Median: mean IoU {score(means[id_])}") for id_ in central[:_MEDIAN])
    take((id_, f"Worst: mean IoU {score(means[id_])}") for id_ in order[::-1][:_WORST])
    if len(scores) > 1:
        for label, found in scores.items():
            lowest = _descending(found)[::-1][:_WORST]
            take((id_, f"Worst of {label}: IoU {score(found[id_])}") for id_ in lowest)
    apart = [id_ for id_ in _descending(gaps) if gaps[id_] > 0][:_APART]
    take((id_, f"Networks disagree: IoU differs by {score(gaps[id_])}") for id_ in apart)
    for source, ids in _drawn(order, sources or {}, seed).items():
        take((id_, f"Drawn at random{f' from {source}' if source else ''}") for id_ in ids)
    wrong = list(suspects)[:_SUSPECT]
    take((one.id, f"Truth to check: {SUSPICIONS[one.reason]}") for one in wrong)
    return [Choice(id_, tuple(reasons)) for id_, reasons in chosen.items()]


def _by_picture(scores: Mapping[str, Mapping[str, float]]) -> dict[str, list[float]]:
    gathered: dict[str, list[float]] = {}
    for values in scores.values():
        for id_, value in values.items():
            gathered.setdefault(id_, []).append(value)
    return gathered


def _descending(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda id_: (-values[id_], id_))


def _drawn(ids: Iterable[str], sources: Mapping[str, str], seed: int) -> dict[str, list[str]]:
    """Random pictures of each source; of the largest only, where there are very many."""
    pools: dict[str, list[str]] = {}
    for id_ in sorted(ids):
        pools.setdefault(sources.get(id_, ""), []).append(id_)
    largest = sorted(pools, key=lambda source: (-len(pools[source]), source))[:_SOURCES]
    generator = random.Random(seed)
    drawn = {}
    for source in sorted(largest):
        generator.shuffle(pools[source])
        drawn[source] = pools[source][:_RANDOM]
    return drawn


View = Literal["picture", "truth", "errors", "mask"]


@dataclass(frozen=True)
class Cell:
    """One way to look at a picture: what lies over it; without it, `problem` may say why."""

    view: View
    name: str
    network: int = -1
    """Place of the network among the study's, -1 for picture and truth."""
    slot: int = 0
    uri: str = ""
    alt: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    extra: bool = False
    """Left out where all views stand side by side: another one says more."""


@dataclass(frozen=True)
class GalleryRow:
    """One test picture: itself, its truth, and every network's prediction."""

    anchor: str
    id: str
    reasons: tuple[str, ...]
    source: str
    share: float
    """Foreground share of the truth."""
    scores: tuple[float | None, ...]
    """IoU by network, mean over its runs."""
    size: Size
    photo: str
    """The picture, stored once; empty where it is gone."""
    cells: tuple[Cell, ...]

    @property
    def reason(self) -> str:
        """Why the rule chose it; empty for the others."""
        return "; ".join(self.reasons)

    @property
    def chosen(self) -> bool:
        """Whether the rule chose it."""
        return bool(self.reasons)

    @property
    def known(self) -> tuple[float, ...]:
        """Scores that are defined."""
        return tuple(value for value in self.scores if value is not None)

    @property
    def gap(self) -> float:
        """Largest minus smallest score; 0 with fewer than two."""
        return max(self.known) - min(self.known) if self.known else 0.0


def selection(study: Study) -> list[Choice]:
    """The gallery's pictures: those of the rule, then the others, hardest first."""
    named = {network.label: network.by_picture("iou") for network in study.finished}
    suspects = study.analysis.suspects if study.analysis else ()
    images = _images(study)
    known = [suspect for suspect in suspects if suspect.id in images]
    chosen = choose(named, study.split_seed, sources=study.sources, suspects=known)
    taken = {choice.id for choice in chosen}
    means = {id_: statistics.fmean(found) for id_, found in _by_picture(named).items()}
    others = sorted((id_ for id_ in images if id_ not in taken), key=lambda id_: means.get(id_, 2))
    return [*chosen, *(Choice(id_) for id_ in _thinned(others, MOST_OTHERS))]


def _thinned(ids: list[str], most: int) -> list[str]:
    """At most so many, evenly through the list."""
    step = max(1.0, len(ids) / most)
    return [ids[int(place * step)] for place in range(min(len(ids), most))]


def _images(study: Study) -> dict[str, ImageScore]:
    found: dict[str, ImageScore] = {}
    for network in study.finished:
        found = {**network.image_scores, **found}
    return found


def gallery(study: Study) -> tuple[GalleryRow, ...]:
    """Every row of the gallery; pictures and masks that are gone leave words in their place.

    Masks are those of the first run that tested a picture.
    """
    choices = selection(study)
    overlaps = [network.by_picture("iou") for network in study.finished]
    draw = partial(_row, study, _images(study), overlaps)
    # Decoding releases the interpreter; one picture per thread is in memory at a time.
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return tuple(pool.map(draw, choices, range(1, len(choices) + 1)))


def _row(
    study: Study,
    images: Mapping[str, ImageScore],
    overlaps: list[dict[str, float]],
    choice: Choice,
    place: int,
) -> GalleryRow:
    image = images[choice.id]
    full = (image.height, image.width)
    size = shown_size(full, CHOSEN_SIDE if choice.reasons else OTHER_SIDE)
    photo, gone = _photo(study.pictures.get(choice.id), size)
    truth, lost = _read(lambda file: resize_mask(read_mask(file), size), study.truth_file(image.id))
    cells = [Cell("picture", "Picture", alt=f"Picture {image.id}", problem=gone)]
    if truth is None:
        cells.append(Cell("truth", "Truth", problem=lost))
    else:
        alt = f"The person in {image.id}, by its true mask"
        cells.append(Cell("truth", "Truth", uri=mask_uri(truth), alt=alt))
    for number, network in enumerate(study.finished):
        cells += _predictions(network, number, choice.id, full, truth, size)
    return GalleryRow(
        anchor=f"picture-{place}",
        id=choice.id,
        reasons=choice.reasons,
        source=study.sources.get(choice.id, ""),
        share=image.foreground_share,
        scores=tuple(values.get(choice.id) for values in overlaps),
        size=size,
        photo=photo,
        cells=tuple(cells),
    )


def _photo(file: Path | None, size: Size) -> tuple[str, str]:
    if file is None:
        return "", "The folder does not say where this picture is."
    pixels, problem = _read(lambda one: read_shrunk(one, size), file)
    return ("", problem) if pixels is None else (photo_uri(pixels), "")


def _predictions(
    network: Network, number: int, id_: str, full: Size, truth: _Mask | None, size: Size
) -> list[Cell]:
    """Errors and plain mask of one network; one cell with words where there are none."""
    about = partial(Cell, name=network.label, network=number, slot=network.slot)
    image = network.image_scores.get(id_)
    if image is None:
        return [about("errors", problem="This network did not score the picture.")]
    notes = (f"IoU {score(image.iou)}", f"Boundary IoU {score(image.boundary_iou)}")
    predicted, problem = _read(
        lambda file: resize_mask(read_prediction(file, full, network.threshold), size),
        network.prediction_file(id_),
    )
    if predicted is None:
        return [about("errors", notes=notes, problem=problem)]
    alt = f"What {network.label} calls person in {id_}"
    mask = about("mask", uri=mask_uri(predicted), alt=alt, notes=notes)
    if truth is None:
        return [mask]
    area = image.height * image.width
    alt = (
        f"Errors of {network.label} in {id_}: {percent(image.fp / area)} of the picture wrongly "
        f"called person, {percent(image.fn / area)} missed"
    )
    errors = about("errors", uri=error_uri(truth, predicted), alt=alt, notes=notes)
    return [errors, replace(mask, extra=True)]


def _read(read: Callable[[Path], _T], file: Path | None) -> tuple[_T | None, str]:
    """What `read` gives, or why it gives nothing, without the folders of this machine."""
    if file is None:
        return None, "No prediction was stored."
    try:
        return read(file), ""
    except ImageError as error:
        return None, f"Cannot be shown. {str(error).replace(str(file), file.name)}"
