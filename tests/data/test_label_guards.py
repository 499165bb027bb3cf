"""Masks that do not belong to their images, planted in drawn scenes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from humanseg.data import bundled_witness, discover, label_guards, synthesize
from humanseg.data.bundled_witness import unmarked_people
from humanseg.data.edge_agreement import ALTERATIONS, edge_agreement
from humanseg.data.inspection import Finding
from humanseg.data.label_guards import label_findings
from humanseg.data.label_sample import LabelSample, evenly, label_sample
from humanseg.data.resized import ImagesInMemory

Masks = NDArray[np.bool_]
Spoil = Callable[[Masks], Masks]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> LabelSample:
    folder = tmp_path_factory.mktemp("drawn") / "set"
    synthesize(folder, count=60, size=(96, 96), seed=3)
    samples = discover(Path(folder))
    resized = ImagesInMemory(samples, (96, 96), "area")
    return label_sample(resized, evenly(60), lambda row: samples[row].read_image())


@pytest.fixture(autouse=True)
def _no_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled model does not know drawn people; asking it takes seconds."""
    monkeypatch.setattr(label_guards, "ask_bundled_model", lambda *_: [])
    monkeypatch.setattr(label_guards, "unmarked_people", lambda _: ([], []))


def _findings(drawn: LabelSample, spoil: Spoil) -> list[Finding]:
    masks = np.ascontiguousarray(spoil(drawn.masks.copy()))
    return label_findings(dataclasses.replace(drawn, masks=masks), "SET")


def _every(step: int, change: Spoil) -> Spoil:
    def spoil(masks: Masks) -> Masks:
        masks[::step] = change(masks[::step])
        return masks

    return spoil


def _shift(pixels: int) -> Spoil:
    return lambda masks: np.pad(masks, ((0, 0), (0, 0), (pixels, 0)))[:, :, :96]


def _widened(pixels: int) -> Spoil:
    return lambda masks: ndimage.maximum_filter(masks, (1, 2 * pixels + 1, 2 * pixels + 1))


def _shrunk(margin: int) -> Spoil:
    """As if images had been cropped by a margin, and their masks only made as small."""
    rows = np.linspace(0, 95, 96 - 2 * margin).round().astype(int)
    return lambda masks: np.pad(
        masks[:, rows][:, :, rows], ((0, 0), (margin, margin), (margin, margin))
    )


def _top_left(masks: Masks) -> Masks:
    """Of images framed at the right to three quarters of their width."""
    columns = np.linspace(0, 95, 72).round().astype(int)
    return np.pad(masks[:, :, columns], ((0, 0), (0, 0), (0, 24)))


def _second_half_moved_on(masks: Masks) -> Masks:
    return np.concatenate([masks[:30], np.roll(masks[30:], 1, axis=0)])


def _hull(mask: Masks) -> Masks:
    """All pixels within every side of the hull."""
    if not mask.any():
        return mask
    points = np.argwhere(mask)
    planes = ConvexHull(points[:, ::-1]).equations
    rows, columns = np.mgrid[:96, :96]
    inside = [a * columns + b * rows + c <= 1e-6 for a, b, c in planes]
    return np.asarray(np.all(inside, axis=0), dtype=np.bool_)


def _turned(alteration: str) -> Spoil:
    return ALTERATIONS[alteration]


def test_sound__nothing(drawn: LabelSample) -> None:
    assert _findings(drawn, lambda masks: masks) == []


@pytest.mark.parametrize(
    ("spoil", "code", "text"),
    [
        (_turned("mirrored"), "mirrored-masks", "masks are mirrored"),
        (_every(2, _turned("mirrored")), "mirrored-masks", r"\d+ of \d+ masks \(.* mirrored"),
        (_turned("upside-down"), "upside-down-masks", "masks are upside-down"),
        (_every(2, _turned("turned by 180")), "turned-masks", "turned by 180 degrees .* EXIF"),
        (_turned("turned by 90"), "turned-masks", "masks are turned by 90 degrees"),
        (_shift(5), "shifted-masks", "5 % of the image's width too far to the right"),
        (_shift(20), "shifted-masks", "21 % of the image's width too far to the right"),
        (lambda masks: ~masks, "inverted-masks", "masks mark the background"),
        (_every(2, lambda masks: ~masks), "inverted-masks", r"of \d+ masks .* background"),
        (_turned("transposed"), "turned-masks", "masks are transposed .* rows and columns"),
        (_turned("anti-transposed"), "turned-masks", "masks are anti-transposed .* from the end"),
        (_every(5, _turned("turned by 180")), "turned-masks", r"\d+ of \d+ masks .* turned by 180"),
        (_top_left, "scaled-masks", "masks are scaled"),
        (_second_half_moved_on, "shuffled-masks", r"\d+ of \d+ masks .* are moved on by one"),
        (lambda masks: np.ones_like(masks), "full-mask", "every mask is entirely person, so there"),
        (lambda masks: np.roll(masks, 1, 0), "shuffled-masks", "under the name of the next image"),
        (lambda masks: np.roll(masks, -1, 0), "shuffled-masks", "name of the previous image"),
        (lambda masks: np.roll(masks, 7, 0), "shuffled-masks", "do not belong to their images"),
        (_every(5, lambda some: np.roll(some, 1, 0)), "shuffled-masks", "while the rest fits"),
        (_every(2, _shift(10)), "shifted-masks", r"\d+ of \d+ masks \(.* are shifted"),
        (_widened(9), "offset-masks", "masks are too wide .* edges lie inside"),
        (_every(2, _widened(9)), "offset-masks", r"\d+ of \d+ masks \(.* are too wide"),
        (lambda masks: ~_widened(4)(~masks), "offset-masks", "are too narrow"),
        (_shrunk(9), "scaled-masks", "masks are scaled"),
        (_every(2, _shrunk(9)), "scaled-masks", r"\d+ of \d+ masks \(.* are scaled"),
        (lambda masks: masks[:1].repeat(60, 0), "shuffled-masks", "60 of 60 masks .* exactly that"),
    ],
)
def test_planted__is_named(drawn: LabelSample, spoil: Spoil, code: str, text: str) -> None:
    (finding,) = _findings(drawn, spoil)
    assert (finding.code, finding.severity, finding.file) == (code, "error", "SET")
    assert re.search(text, finding.message), finding.message


def test_boxes__are_coarse(drawn: LabelSample) -> None:
    masks = np.zeros_like(drawn.masks)
    for box, mask in zip(masks, drawn.masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size:
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    first, *_ = label_findings(dataclasses.replace(drawn, masks=masks), "SET")
    assert (first.code, first.severity) == ("coarse-masks", "error")
    assert "are boxes or blocks instead of outlines of people" in first.message
    assert len(first.images) >= 45


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_hulls__are_coarse(drawn: LabelSample, step: int) -> None:
    def spoil(masks: Masks) -> Masks:
        masks = masks.copy()
        masks[::step] = [_hull(mask) for mask in masks[::step]]
        return masks

    (finding,) = _findings(drawn, spoil)
    assert (finding.code, finding.severity) == ("coarse-masks", "error")
    assert "are convex hulls, ellipses or tilted boxes instead of outlines" in finding.message
    assert {int(name) % step for name in finding.images} <= {int(drawn.ids[0]) % step}


def test_boxes_of_some__leave_the_others_to_be_judged(drawn: LabelSample) -> None:
    def spoil(masks: Masks) -> Masks:
        masks = masks[:, :, ::-1].copy()
        masks[:12] = False
        for index in range(12):
            masks[index, 20 + index : 60, 30:70] = True
        return masks

    coarse, mirrored = _findings(drawn, spoil)
    assert (coarse.code, len(coarse.images)) == ("coarse-masks", 12)
    assert mirrored.code == "mirrored-masks"
    assert not set(coarse.images) & set(mirrored.images)


def test_some__lists_exactly_those(drawn: LabelSample) -> None:
    (finding,) = _findings(drawn, _every(5, lambda some: np.roll(some, 1, 0)))
    planted = set(drawn.ids[::5])
    assert len(planted & set(finding.images)) >= 9
    assert not set(finding.images) - planted


def test_witness__names_the_inverted(drawn: LabelSample, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the bundled model knows the images, it names every tenth."""

    inverted = [0, 10, 20, 30, 40, 50]
    monkeypatch.setattr(label_guards, "ask_bundled_model", lambda *_: inverted)
    (finding,) = _findings(drawn, _every(10, lambda masks: ~masks))
    assert finding.code == "inverted-masks"
    assert finding.images == tuple(drawn.ids[::10])


def test_people_left_out__are_a_warning(
    drawn: LabelSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list(range(0, 60, 3))
    for seen, codes in (([0, 3, 6], []), ([0, 3, 6, 9], ["unmarked-people"])):
        monkeypatch.setattr(label_guards, "unmarked_people", lambda _, seen=seen: (asked, seen))
        findings = _findings(drawn, lambda masks: masks)
        assert [each.code for each in findings] == codes
    assert findings[0].severity == "warning"
    assert findings[0].images == tuple(drawn.ids[index] for index in (0, 3, 6, 9))
    assert findings[0].message.startswith("4 of 20 masks (")


class _Sees:
    """Stands for the bundled model: bright pixels are people."""

    def __init__(self, **_: object) -> None: ...

    def predict(self, image: NDArray[np.uint8]) -> SimpleNamespace:
        return SimpleNamespace(grid=image[..., 0].astype(np.float32) / 255)


def test_unmarked_people__are_those_far_from_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people in thirty images, of whom every third mask knows one."""
    monkeypatch.setattr(bundled_witness, "Segmenter", _Sees)
    images = np.zeros((30, 96, 96, 3), dtype=np.uint8)
    images[:, 5:25, 5:25] = images[:, 50:80, 50:80] = 250
    masks = images[..., 0] > 0
    sample = LabelSample(tuple(map(str, range(30))), images, masks, lambda row: images[row])
    asked, seen = unmarked_people(sample)
    assert (len(asked), seen) == (8, [])
    masks[::3, :40] = False
    masks[1, :8] = masks[2, 20:25] = False  # a few pixels of an outline
    asked, seen = unmarked_people(sample)
    assert len(asked) == 24
    assert seen == [index for index in asked if index % 3 == 0]
    images[:, 40:, :40] = 30  # sure of 1300 pixels, and unsure of 2240 beside them
    assert unmarked_people(sample)[1] == []


def test_a_tenth_inverted__is_found_without_a_witness(drawn: LabelSample) -> None:
    (finding,) = _findings(drawn, _every(10, lambda masks: ~masks))
    assert (finding.code, finding.severity) == ("inverted-masks", "error")
    assert len(finding.images) >= 3
    assert not set(finding.images) - set(drawn.ids[::10])


def test_people_at_the_border__are_not_taken_for_background(drawn: LabelSample) -> None:
    """Close-ups that touch three sides, and a crowd along the bottom, in a tenth of the images."""
    masks = drawn.masks.copy()
    masks[::10] = False
    masks[::20, :, 20:] = True
    masks[10::20, 50:] = True
    sample = dataclasses.replace(drawn, masks=masks)
    assert [each for each in label_findings(sample, "SET") if each.code == "inverted-masks"] == []


def test_few_pairs__are_judged_by_their_border_alone(drawn: LabelSample) -> None:
    few = LabelSample(drawn.ids[:12], drawn.images[:12], drawn.masks[:12], drawn.read)
    assert label_findings(dataclasses.replace(few, masks=few.masks[:, :, ::-1]), "SET") == []
    (finding,) = label_findings(dataclasses.replace(few, masks=~few.masks), "SET")
    assert finding.message.startswith("masks mark the background")
    high = few.masks.copy()
    high[:, 9:] = False
    high[:, 1:9, 30:66] = True  # more of the border than of the middle, and little of both
    assert label_findings(dataclasses.replace(few, masks=high), "SET") == []


def test_shift__is_found_to_the_pixel(drawn: LabelSample) -> None:
    moved = np.pad(drawn.masks, ((0, 0), (3, 0), (0, 6)))[:, :96, 6:]
    agreement = edge_agreement(dataclasses.replace(drawn, masks=moved))
    assert agreement.shift == (-3, 6)


def test_evenly() -> None:
    assert evenly(5, 10) == [0, 1, 2, 3, 4]
    assert evenly(101, 3) == [0, 50, 100]
