"""From which counts and shares on something is said of masks, and in which words, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.data import label_guards
from humanseg.data.edge_agreement import ALTERATIONS, REMEDIES
from humanseg.data.inspection import Finding
from humanseg.data.label_guards import label_findings
from humanseg.data.label_sample import LabelSample

Masks = NDArray[np.bool_]


def _sample(count: int) -> LabelSample:
    """Masks of noise in the middle, each another: many corners, no border."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)
    masks = np.zeros((count, 96, 96), dtype=np.bool_)
    masks[:, 30:66, 30:66] = rng.random((count, 36, 36)) < 0.6
    return LabelSample(tuple(map(str, range(count))), images, masks, lambda row: images[row])


def _agreement(count: int) -> Any:  # noqa: ANN401  stands for an EdgeAgreement
    """Every mask stands out by 5 deviations, of 0.1 each, and altered by 4."""
    return SimpleNamespace(
        testable=np.ones(count, dtype=np.bool_),
        own=np.full(count, 0.5),
        others=np.where(np.eye(count, dtype=np.bool_), np.nan, 0.0),
        altered={name: np.full(count, 0.4) for name in (*ALTERATIONS, *REMEDIES)},
        shift=(0, 0),
        shift_gain=np.zeros(count),
        deviations=lambda agreement: agreement * 10,
    )


def _says(agreement: Any, sample: LabelSample | None = None) -> list[Finding]:  # noqa: ANN401
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_guards, "edge_agreement", lambda _: agreement)
        patch.setattr(label_guards, "ask_bundled_model", lambda *_: [])
        patch.setattr(label_guards, "unmarked_people", lambda _: ([], []))
        return label_findings(sample or _sample(len(agreement.own)), "SET")


def _message(agreement: Any, sample: LabelSample | None = None) -> str:  # noqa: ANN401
    """`severity: message` of the only finding; empty without one."""
    findings = _says(agreement, sample)
    assert len(findings) <= 1
    return "".join(f"{finding.severity}: {finding.message}" for finding in findings)


MIRRORED = "are mirrored against their images; mirror them left to right, or their images, but not"


@pytest.mark.parametrize(
    ("count", "start"),
    [
        (7, ""),
        (8, f"warning: 8 of 100 masks (0, 1, 2, 3, 4 and 3 more) {MIRRORED} one alone."),
        (14, f"warning: 14 of 100 masks (0, 1, 2, 3, 4 and 9 more) {MIRRORED} one alone."),
        (15, f"error: 15 of 100 masks (0, 1, 2, 3, 4 and 10 more) {MIRRORED} one alone."),
        (69, f"error: 69 of 100 masks (0, 1, 2, 3, 4 and 64 more) {MIRRORED} one alone."),
        (70, f"error: masks {MIRRORED} one alone."),
    ],
)
def test_altered__from_eight_in_a_hundred_on(count: int, start: str) -> None:
    agreement = _agreement(100)
    agreement.altered["mirrored"][:count] = 0.6
    assert _message(agreement) == start


def test_altered__must_gain_and_stand_out() -> None:
    agreement = _agreement(20)
    agreement.altered["turned by 90"][:5] = 0.57
    assert _message(agreement) == ""
    agreement.altered["turned by 90"][:5] = 0.59
    assert _message(agreement) == (
        "error: 5 of 20 masks (0, 1, 2, 3, 4) are turned by 270 degrees against their images; "
        "images are shown as their EXIF orientation says: masks made of the file as it is stored "
        "must be turned alike."
    )
    agreement.deviations = lambda values: values * 2 / 0.59  # no more than 2 deviations
    agreement.own[:] = 0.5
    assert _message(agreement) == ""


def test_altered__four_masks_are_the_fewest_and_the_best_change_is_named() -> None:
    agreement = _agreement(20)
    agreement.altered["mirrored"][:3] = 0.6
    assert _message(agreement) == ""
    agreement.altered["mirrored"][:4] = 0.6
    agreement.altered["upside-down"][:4] = 0.61
    (finding,) = _says(agreement)
    assert (finding.code, finding.images) == ("upside-down-masks", ("0", "1", "2", "3"))


@pytest.mark.parametrize(
    ("remedied", "strange", "code"),
    [
        (11, 0, None),
        (12, 0, "offset-masks"),
        (12, 36, "offset-masks"),  # a third of the strange ones
        (12, 37, "shuffled-masks"),
    ],
)
def test_remedies__from_twelve_in_a_hundred_on(
    remedied: int, strange: int, code: str | None
) -> None:
    agreement = _agreement(100)
    agreement.altered["too wide"][:remedied] = 0.6
    if strange:
        agreement.own[-strange:] = 0.14
        for name in agreement.altered:
            agreement.altered[name][-strange:] = 0.1
    assert [finding.code for finding in _says(agreement)] == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("strange", "start"),
    [
        (7, ""),
        (8, "warning: 8 of 100 masks (92, 93, 94, 95, 96 and 3 more) fit their images no better"),
        (14, "warning: 14 of 100 masks (86, "),
        (15, "error: 15 of 100 masks (85, "),
        (49, "error: 49 of 100 masks (51, "),
        (50, "error: masks do not belong to their images: they fit them no better than the masks"),
    ],
)
def test_strange__from_eight_in_a_hundred_on(strange: int, start: str) -> None:
    agreement = _agreement(100)
    agreement.own[-strange:] = 0.14  # 1.4 deviations
    for name in agreement.altered:
        agreement.altered[name][-strange:] = 0.1
    message = _message(agreement)
    assert message.startswith(start)
    assert bool(message) == bool(start)


@pytest.mark.parametrize(
    ("rest", "strange", "said"),
    [(0.37, 5, False), (0.39, 5, True), (0.39, 4, False), (0.39, 9, True)],
)
def test_strange__only_where_most_others_stand_out(
    rest: float, strange: int, *, said: bool
) -> None:
    agreement = _agreement(20)
    agreement.own[:] = rest
    agreement.own[:strange] = 0.1
    for name in agreement.altered:
        agreement.altered[name][:] = 0.05
    assert bool(_message(agreement)) == said


@pytest.mark.parametrize(("strange", "said"), [(14, False), (15, True)])
def test_strange__of_close_ups_from_fifteen_in_a_hundred_on(strange: int, *, said: bool) -> None:
    sample = _sample(100)
    sample.masks[:, 5:-5, 5:-5] = True
    sample.masks[:, 20, 20:60] = np.random.default_rng(1).random((100, 40)) < 0.5
    agreement = _agreement(100)
    agreement.own[:strange] = 0.1
    for name in agreement.altered:
        agreement.altered[name][:] = 0.05
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_guards, "straight", lambda masks: np.zeros(len(masks), dtype=np.bool_))
        patch.setattr(label_guards, "solidity", lambda _: 0.8)
        assert bool(_says(agreement, sample)) == said


@pytest.mark.parametrize(("step", "whose"), [(1, "previous"), (-1, "next")])
def test_strange__masks_of_the_image_beside(step: int, whose: str) -> None:
    agreement = _agreement(20)
    agreement.own[:] = 0.1
    for name in agreement.altered:
        agreement.altered[name][:] = 0.05
    for image in range(20):
        agreement.others[image, (image - step) % 20] = 0.19
    plain = _message(agreement)
    assert plain.startswith("error: masks do not belong to their images: ")
    for image in range(20):
        agreement.others[image, (image - step) % 20] = 0.21
    assert _message(agreement) == (
        f"error: masks are moved on by one: each lies under the name of the {whose} image in the "
        "order of names; pair them anew."
    )


@pytest.mark.parametrize(
    ("shift", "gain", "text"),
    [
        ((0, 5), 0.05, "error: masks are shifted: they lie 5 % of the image's width too far to the "
         "left; shift them back, or look what cut or framed images and masks differently."),
        ((-2, 0), 0.05, "warning: masks are shifted: they lie 2 % of its height too far down; "
         "shift them back, or look what cut or framed images and masks differently."),
        ((3, -4), 0.05, "error: masks are shifted: they lie 4 % of the image's width too far to "
         "the right and 3 % of its height too far up; shift them back, or look what cut or framed "
         "images and masks differently."),
        ((0, 1), 0.05, ""),
        ((0, 5), 0.039, ""),
    ],
)  # fmt: skip
def test_shifted__says_where_masks_lie(shift: tuple[int, int], gain: float, text: str) -> None:
    agreement = _agreement(20)
    agreement.shift, agreement.shift_gain = shift, np.full(20, gain)
    assert _message(agreement) == text


def test_strange__some_of_the_image_beside() -> None:
    agreement = _agreement(20)
    for name in agreement.altered:
        agreement.altered[name][:] = 0.05
    agreement.own[:9] = 0.1
    for image in range(9):
        agreement.others[image, image - 1] = 0.21
    assert _message(agreement) == (
        "error: 9 of 20 masks (0, 1, 2, 3, 4 and 4 more) are moved on by one: each lies under the "
        "name of the previous image in the order of names; pair them anew."
    )


def test_shifted__not_at_the_end_of_the_window_and_not_where_masks_are_turned() -> None:
    agreement = _agreement(20)
    agreement.shift, agreement.shift_gain = (28, 0), np.full(20, 0.05)
    assert _message(agreement) == ""
    agreement.shift = (27, 0)
    assert "masks are shifted" in _message(agreement)
    agreement.altered["turned by 90"][:] = 0.6
    assert "masks are turned by 270 degrees" in _message(agreement)


def test_shifted__most_masks_must_gain_and_more_than_by_another_remedy() -> None:
    agreement = _agreement(20)
    agreement.shift = (0, 5)
    agreement.shift_gain = np.where(np.arange(20) < 15, 0.06, -0.01)
    assert "shifted" in _message(agreement)
    agreement.shift_gain = np.where(np.arange(20) < 14, 0.07, -0.01)
    assert _message(agreement) == ""
    agreement.shift_gain = np.full(20, 0.09)
    agreement.altered["scaled"][:] = 0.6
    assert "masks are scaled" in _message(agreement)


def test_repeated__a_fifth_of_all_masks_though_images_differ() -> None:
    sample = _sample(40)
    sample.images[:9] = 100
    sample.images[1:9] = 109
    sample.masks[:7] = sample.masks[0]
    assert _message(_agreement(40), sample) == ""
    sample.masks[:8] = sample.masks[0]
    assert _message(_agreement(40), sample) == (
        "error: 8 of 40 masks (0, 1, 2, 3, 4 and 3 more) are exactly that of another image, though "
        "the images differ; look what wrote them."
    )
    sample.images[1:9] = 108  # 8 grey levels
    assert _message(_agreement(40), sample) == ""


def _box(width: int) -> Masks:
    """A box of 19 rows with two pixels more on top: 12 corners, 2 * (19 + width) + 4 long."""
    mask = np.zeros((96, 96), dtype=np.bool_)
    mask[30:49, 30 : 30 + width] = True
    mask[29, [33, 40]] = True
    return mask


@pytest.mark.parametrize(
    ("width", "count", "severity"),
    [(20, 11, None), (20, 12, "warning"), (20, 14, "warning"), (20, 15, "error"), (19, 15, None)],
)
def test_coarse__an_eighth_of_masks_with_fewer_corners_than_15_per_cent(
    width: int, count: int, severity: str | None
) -> None:
    sample = _sample(100)
    for index in range(count):
        sample.masks[index] = np.roll(_box(width), index, axis=0)
    findings = _says(_agreement(100), sample)
    said = [(each.code, each.severity, len(each.images)) for each in findings]
    assert said == ([("coarse-masks", severity, count)] if severity else [])


@pytest.mark.parametrize(
    ("solid", "count", "own", "start"),
    [
        (0.94, 11, 0.29, ""),
        (0.93, 100, 0.29, ""),
        (0.94, 12, 0.31, ""),
        (0.94, 12, 0.29, "warning: 12 of 100 masks (0, 1, 2, 3, 4 and 7 more) are convex hulls, "),
        (0.94, 15, 0.29, "error: 15 of 100 masks (0, 1, 2, 3, 4 and 10 more) are convex hulls, "),
        (0.94, 100, 0.29, "error: 100 of 100 masks (0, 1, 2, 3, 4 and 95 more) are convex hulls, "),
    ],
)
def test_coarse__hulls_by_their_share_and_their_edges(
    solid: float, count: int, own: float, start: str
) -> None:
    agreement = _agreement(100)
    agreement.own[:count] = own
    for name in agreement.altered:
        agreement.altered[name][:] = 0.05
    message = _message_of_solid(agreement, [solid] * count + [0.8] * (100 - count))
    assert message.startswith(start)
    assert bool(message) == bool(start)


def _message_of_solid(agreement: Any, solid: Sequence[float]) -> str:  # noqa: ANN401
    values = iter(solid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_guards, "solidity", lambda _: next(values))
        return _message(agreement)


@pytest.mark.parametrize(("rest", "hulls"), [(0.24, False), (0.26, True)])
def test_coarse__hulls_fit_worse_than_the_others(rest: float, *, hulls: bool) -> None:
    """By half a deviation: where all fit as badly, that they fill their hulls is not why."""
    agreement = _agreement(100)
    agreement.own[:20], agreement.own[20:] = 0.2, rest
    for name in agreement.altered:
        agreement.altered[name][:] = 0.05
    message = _message_of_solid(agreement, [0.95] * 20 + [0.8] * 80)
    assert ("are convex hulls" in message) == hulls


@pytest.mark.parametrize(("gain", "said"), [(0.07, "are convex hulls"), (0.09, "are too wide")])
def test_coarse__no_hulls_where_another_size_fits_better(gain: float, said: str) -> None:
    agreement = _agreement(100)
    agreement.own[:20] = 0.25
    for name in agreement.altered:
        agreement.altered[name][:20] = 0.05
    agreement.altered["too wide"][:20] = 0.25 + gain
    assert said in _message_of_solid(agreement, [0.95] * 20 + [0.8] * 80)


@pytest.mark.parametrize(("full", "severity"), [(7, None), (8, "warning"), (90, "warning")])
def test_full__from_eight_in_a_hundred_on(full: int, severity: str | None) -> None:
    sample = _sample(100)
    sample.masks[:full] = True
    findings = _says(_agreement(100), sample)
    said = [(each.code, each.severity, len(each.images)) for each in findings]
    assert said == ([("full-mask", severity, full)] if severity else [])
    assert all(f"{full} of 100 masks" in each.message for each in findings)


@pytest.mark.parametrize(
    ("count", "columns", "said"), [(2, 96, False), (3, 96, True), (3, 39, True), (3, 38, False)]
)
def test_inverted__three_masks_that_frame_their_images(
    count: int, columns: int, *, said: bool
) -> None:
    """Left and right strips whole; of the top so many of 96 columns: two thirds and 0.8 in all."""
    sample = _sample(20)
    sample.masks[:count] = False
    sample.masks[:count, :, :4] = sample.masks[:count, :, -4:] = True
    sample.masks[:count, :4, : columns - 4] = True
    for index in range(count):
        sample.masks[index, 50, 50 : 51 + index] = True  # each another
    messages = [each.message for each in _says(_agreement(20), sample)]
    text = "3 of 20 masks (0, 1, 2), and perhaps others, mark the background instead of the person"
    assert messages == ([f"{text}; invert them."] if said else [])


def test_inverted__most_masks_mark_the_border() -> None:
    sample = _sample(20)
    inverted = LabelSample(sample.ids, sample.images, ~sample.masks, sample.read)
    inverted.masks[:, 24:72, 24:72] = (
        inverted.masks[:, 24:72, 24:72] & sample.masks[::-1, 24:72, 24:72]
    )
    (finding,) = _says(_agreement(20), inverted)
    assert finding.message.startswith("masks mark the background: 100 % of the image's border is")
    assert len(finding.images) == 20
    inverted.masks[:8] = sample.masks[:8]  # 12 of 20: 60 per cent
    assert len(_says(_agreement(20), inverted)[0].images) == 12


def test_inverted__the_middle_is_half_of_each_side() -> None:
    """A sixth of it is marked: 8 of 48 rows."""
    sample = _sample(20)
    sample.masks[:] = True
    sample.masks[:, 24:64, 24:72] = False
    for index in range(20):
        sample.masks[index, 30, 30 : 31 + index] = True  # each another
    messages = [each.message for each in _says(_agreement(20), sample)]
    assert messages[-1] == (
        "masks mark the background: 100 % of the image's border is marked but only 17 % of its "
        "middle; invert them."
    )


@pytest.mark.parametrize(("count", "said"), [(5, False), (6, True), (7, True)])
def test_inverted__four_in_a_hundred_that_the_bundled_model_names(
    count: int, *, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = _sample(150)
    sample.masks[:7] = False
    sample.masks[:7, :, :4] = True  # more of the border than of the middle, and no frame
    sample.masks[range(7), 50, range(50, 57)] = True
    monkeypatch.setattr(label_guards, "edge_agreement", lambda _: _agreement(150))
    monkeypatch.setattr(label_guards, "ask_bundled_model", lambda *_: list(range(count)))
    monkeypatch.setattr(label_guards, "unmarked_people", lambda _: ([], []))
    findings = [(each.code, len(each.images)) for each in label_findings(sample, "SET")]
    assert findings == [("inverted-masks", count)] * said
