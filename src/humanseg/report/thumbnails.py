"""What the checks of the data found, each with small pictures to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from humanseg.errors import ImageError
from humanseg.images import open_image, read_mask
from humanseg.images.resize import resize_mask
from humanseg.report.formatting import counted, percent, score
from humanseg.report.gallery_images import mask_uri, photo_uri, read_shrunk, shown_size
from humanseg.report.study import Study
from humanseg.results import Leak, SuspectLabel

THUMBNAIL_SIDE = 160
"""Pixels on the longer side."""
MOST = 12
"""So many findings of one kind are shown; the tables name all."""

_LEAKS = {
    "exact": "The same pixels",
    "near": "Nearly the same picture",
    "mirrored": "The same picture, mirrored",
    "scene": "Perhaps the same scene",
}


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, with a mask over it where one is asked for."""

    id: str
    anchor: str
    """Of its entry in the gallery; empty without one."""
    photo: str
    mask: str
    ratio: str
    alt: str
    problem: str = ""


@dataclass(frozen=True)
class Finding:
    """Something to look at."""

    title: str
    detail: str
    alarming: bool
    pictures: tuple[Thumbnail, ...]


def leak_findings(study: Study, anchors: Mapping[str, str]) -> tuple[Finding, ...]:
    """Pairs of pictures that show the same; those that were divided between parts first."""
    found = study.analysis.leaks if study.analysis else ()
    ordered = sorted(found, key=lambda leak: not leak.divided)[:MOST]
    return tuple(_leak(study, anchors, leak) for leak in ordered)


def _leak(study: Study, anchors: Mapping[str, str], leak: Leak) -> Finding:
    divided = (
        "One was tested by a network that trained on the other."
        if leak.divided
        else "Kept in one part: no score profits."
    )
    alike = "" if leak.similarity is None else f" (features {score(leak.similarity, 2)} alike)"
    both = tuple(thumbnail(study, anchors, id_) for id_ in (leak.first, leak.second))
    return Finding(f"{_LEAKS[leak.kind]}{alike}", divided, leak.divided, both)


def suspect_findings(study: Study, anchors: Mapping[str, str]) -> tuple[Finding, ...]:
    """Truth masks that may be wrong, each with the mask over its picture."""
    found = study.analysis.suspects if study.analysis else ()
    return tuple(
        Finding(*_suspicion(one), False, (thumbnail(study, anchors, one.id, masked=True),))
        for one in found[:MOST]
    )


def _suspicion(suspect: SuspectLabel) -> tuple[str, str]:
    if suspect.reason == "disagreement":
        return "Every network disagrees", f"The best one loses {score(suspect.value)} of IoU."
    size = f"{percent(suspect.value)} of the person's pixels."
    if suspect.reason == "holes":
        return "Holes in the person", f"{counted(suspect.count, 'hole')}, {size}"
    return "Specks beside the person", f"{counted(suspect.count, 'speck')}, {size}"


def thumbnail(
    study: Study, anchors: Mapping[str, str], id_: str, *, masked: bool = False
) -> Thumbnail:
    """A small version of a picture, with its truth over it where `masked`; or why there is none."""
    alt = f"The person in {id_}, by its true mask" if masked else f"Picture {id_}"
    anchor = anchors.get(id_, "")
    file = study.pictures.get(id_)
    if file is None:
        return Thumbnail(id_, anchor, "", "", "4/3", alt, "its file is not known")
    try:
        pixels = read_shrunk(file, shown_size(_upright(study, id_), THUMBNAIL_SIDE))
        size = (pixels.shape[0], pixels.shape[1])
        mask = mask_uri(resize_mask(read_mask(study.truth_file(id_)), size)) if masked else ""
    except ImageError as error:
        words = str(error)
        for one in (file, study.truth_file(id_)):
            words = words.replace(str(one), one.name)
        return Thumbnail(id_, anchor, "", "", "4/3", alt, words)
    return Thumbnail(id_, anchor, photo_uri(pixels), mask, f"{size[1]}/{size[0]}", alt)


def _upright(study: Study, id_: str) -> tuple[int, int]:
    """Size of a picture, whether or not it was scored."""
    for network in study.finished:
        if id_ in network.image_scores:
            image = network.image_scores[id_]
            return image.height, image.width
    image_file = open_image(study.pictures[id_])
    return image_file.height, image_file.width
