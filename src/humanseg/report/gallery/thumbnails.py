"""What the checks of the data found, each with small images to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from humanseg.images import open_image, read_mask
from humanseg.images.resize import resize_mask, size_within
from humanseg.report import study_files
from humanseg.report.formatting import capitalised, score
from humanseg.report.gallery.gallery_images import mask_uri, photo_uri, read_shrunk
from humanseg.report.study import Study
from humanseg.report.tables.image_tables import LEAK_KINDS, REASONS, suspect_detail
from humanseg.system.errors import ImageError

THUMBNAIL_SIDE = 160
"""Pixels on the longer side."""
MOST = 12
"""So many findings of one kind are shown; the tables name all."""


@dataclass(frozen=True)
class Thumbnail:
    """A small image, with a mask over it where one is asked for."""

    id: str
    anchor: str
    """Of its entry in the gallery; empty without one."""
    alt: str
    photo: str = ""
    mask: str = ""
    ratio: str = "4/3"
    problem: str = ""


@dataclass(frozen=True)
class Finding:
    """Something to look at."""

    title: str
    detail: str
    alarming: bool
    images: tuple[Thumbnail, ...]


def _drawer(
    study: Study, anchors: Mapping[str, str], *, masked: bool = False
) -> Callable[[str], Thumbnail]:
    """Draws small images, with their true masks over them where `masked`; or says why not."""
    files = study_files.image_files(study.folders)

    def draw(id_: str) -> Thumbnail:
        alt = f"The person in {id_}, by its true mask" if masked else f"Picture {id_}"
        about = partial(Thumbnail, id_, anchors.get(id_, ""), alt)
        file, truth = files.get(id_), study_files.truth_file(study.folders, id_)
        if file is None:
            return about(problem="its path was not recorded")
        try:
            image = study.image_scores.get(id_) or open_image(file)  # whether or not it was scored
            size = size_within((image.height, image.width), THUMBNAIL_SIDE)
            photo = photo_uri(read_shrunk(file, size))
            mask = mask_uri(resize_mask(read_mask(truth), size)) if masked else ""
        except ImageError as error:
            words = str(error).replace(str(file), file.name).replace(str(truth), truth.name)
            return about(problem=words)
        return about(photo=photo, mask=mask, ratio=f"{size[1]}/{size[0]}")

    return draw


def leak_findings(study: Study, anchors: Mapping[str, str]) -> list[Finding]:
    """Pairs of images that show the same; those that were divided between parts first."""
    draw = _drawer(study, anchors)
    findings = []
    for leak in sorted(study.analysis.leaks, key=lambda leak: not leak.divided)[:MOST]:
        alike = "" if leak.similarity is None else f" (similarity {score(leak.similarity, 2)})"
        detail = (
            "One was tested by a network trained on the other."
            if leak.divided
            else "Both are in the same part: scores are not affected."
        )
        images = (draw(leak.first), draw(leak.second))
        findings.append(Finding(f"{LEAK_KINDS[leak.kind]}{alike}", detail, leak.divided, images))
    return findings


def suspect_findings(study: Study, anchors: Mapping[str, str]) -> list[Finding]:
    """True masks that may be wrong, each with the mask over its image."""
    draw = _drawer(study, anchors, masked=True)
    return [
        Finding(
            REASONS[label.reason],
            f"{capitalised(suspect_detail(label))}.",
            alarming=False,
            images=(draw(label.id),),
        )
        for label in study.analysis.suspects[:MOST]
    ]
