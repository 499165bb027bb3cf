"""What the checks of the data found, each with small images to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from humanseg.images import open_image, read_mask
from humanseg.images.resize import resize_mask
from humanseg.report import study_files
from humanseg.report.formatting import score
from humanseg.report.gallery.gallery_images import mask_uri, photo_uri, read_shrunk, shown_size
from humanseg.report.study import Study, image_scores
from humanseg.report.tables.check_tables import LEAK_KINDS, REASONS, suspect_detail
from humanseg.results import ImageScore, Leak
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
    images: tuple[Thumbnail, ...]


class Thumbnails:
    """Draws small versions of a study's images."""

    def __init__(self, study: Study, anchors: Mapping[str, str]) -> None:
        """Draw for a study; `anchors` lead to the gallery's entries by image."""
        self._folders, self._anchors = study.folders, anchors
        self._files = study_files.image_files(study.folders)
        self._images = image_scores(study)

    def draw(self, id_: str, *, masked: bool = False) -> Thumbnail:
        """A small image, with its true mask over it where `masked`; or why there is none."""
        alt = f"The person in {id_}, by its true mask" if masked else f"Picture {id_}"
        anchor = self._anchors.get(id_, "")
        file = self._files.get(id_)
        if file is None:
            return Thumbnail(id_, anchor, "", "", "4/3", alt, "its path was not recorded")
        truth = study_files.truth_file(self._folders, id_)
        try:
            full = _upright_size(self._images.get(id_), file)
            pixels = read_shrunk(file, shown_size(full, THUMBNAIL_SIDE))
            size = (pixels.shape[0], pixels.shape[1])
            mask = mask_uri(resize_mask(read_mask(truth), size)) if masked else ""
        except ImageError as error:
            words = str(error).replace(str(file), file.name).replace(str(truth), truth.name)
            return Thumbnail(id_, anchor, "", "", "4/3", alt, words)
        return Thumbnail(id_, anchor, photo_uri(pixels), mask, f"{size[1]}/{size[0]}", alt)


def _upright_size(image: ImageScore | None, file: Path) -> tuple[int, int]:
    """(height, width) of an image, whether or not it was scored."""
    if image is not None:
        return image.height, image.width
    opened = open_image(file)
    return opened.height, opened.width


def leak_findings(study: Study, anchors: Mapping[str, str]) -> tuple[Finding, ...]:
    """Pairs of images that show the same; those that were divided between parts first."""
    thumbnails = Thumbnails(study, anchors)
    leaks = sorted(study.analysis.leaks, key=lambda leak: not leak.divided)[:MOST]
    return tuple(
        Finding(
            _leak_title(leak),
            "One was tested by a network trained on the other."
            if leak.divided
            else "Both are in the same part: scores are not affected.",
            leak.divided,
            (thumbnails.draw(leak.first), thumbnails.draw(leak.second)),
        )
        for leak in leaks
    )


def _leak_title(leak: Leak) -> str:
    alike = "" if leak.similarity is None else f" (similarity {score(leak.similarity, 2)})"
    return f"{LEAK_KINDS[leak.kind]}{alike}"


def suspect_findings(study: Study, anchors: Mapping[str, str]) -> tuple[Finding, ...]:
    """True masks that may be wrong, each with the mask over its image."""
    thumbnails = Thumbnails(study, anchors)
    findings = []
    for label in study.analysis.suspects[:MOST]:
        detail = suspect_detail(label)
        text = f"{detail[:1].upper()}{detail[1:]}."
        image = thumbnails.draw(label.id, masked=True)
        findings.append(Finding(REASONS[label.reason], text, False, (image,)))
    return tuple(findings)
