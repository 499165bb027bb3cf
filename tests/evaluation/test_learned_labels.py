"""A trained network's word on the masks that it was trained on, with masks made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.data.edge_agreement import shift
from humanseg.evaluation.learned_labels import ious, learned_findings

Masks = NDArray[np.bool_]
SIDE = 40


@pytest.fixture
def people() -> Masks:
    """Forty rectangles, each elsewhere, none symmetric within its image."""
    masks = np.zeros((40, SIDE, SIDE), dtype=np.bool_)
    for index, mask in enumerate(masks):
        top, left = 2 + index % 8, 2 + index // 8 * 2
        mask[top : top + 12, left : left + 9] = True
    return masks


def _codes(predicted: Masks, truths: Masks) -> list[tuple[str, str]]:
    ids = [f"image-{number}" for number in range(len(truths))]
    return [
        (finding.code, finding.severity)
        for finding in learned_findings(ids, predicted, truths, "set")
    ]


def test_sound__nothing(people: Masks) -> None:
    assert _codes(people, people) == []


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda masks: masks[:, :, ::-1], "mirrored-masks"),
        (lambda masks: masks[:, ::-1], "upside-down-masks"),
        (lambda masks: masks[:, ::-1, ::-1], "turned-masks"),
        (lambda masks: ~masks, "inverted-masks"),
        (lambda masks: shift(masks, 0, 4), "shifted-masks"),
    ],
)
def test_all_masks__are_an_error(people: Masks, spoil: Callable[[Masks], Masks], code: str) -> None:
    assert (code, "error") in _codes(people, spoil(people))


def test_network_that_marks_next_to_nothing__says_nothing(people: Masks) -> None:
    few = np.zeros_like(people)
    few[:, 20:22, 20:23] = True  # better mirrored by chance, and no better than on other images
    assert _codes(few, people) == []


def test_network_that_learned_less_than_the_mean_mask__is_no_witness(people: Masks) -> None:
    """Blobs of chance, of which those shifted down to the right fit by 0.02 better."""
    rng = np.random.default_rng(0)
    guesses = np.zeros_like(people)
    for guess, (top, left) in zip(guesses, rng.integers(6, 18, (40, 2)), strict=True):
        guess[top : top + 12, left : left + 12] = True
    assert ious(guesses, shift(people, 4, 4)).mean() > ious(guesses, people).mean() + 0.02
    assert [code for code, severity in _codes(guesses, people) if severity == "error"] == []


def test_every_tenth_inverted__lists_those(people: Masks) -> None:
    truths = people.copy()
    truths[::10] = ~truths[::10]
    finding = learned_findings([str(n) for n in range(40)], people, truths, "set")[0]
    assert (finding.code, finding.severity) == ("inverted-masks", "warning")
    assert finding.images == ("0", "10", "20", "30")
    assert finding.message.startswith(
        "the network trained on them fits 4 of 40 masks (0, 10, 20, 30) better inverted (1.00 "
        "against 0.00 IoU)"
    )


def test_every_fifth_shuffled__lists_those(people: Masks) -> None:
    truths = people.copy()
    truths[::5] = np.roll(truths[::5], 4, axis=0)
    (finding,) = learned_findings([str(n) for n in range(40)], people, truths, "set")
    assert (finding.code, finding.severity) == ("shuffled-masks", "warning")
    assert finding.images == tuple(str(n) for n in range(0, 40, 5))


def test_below_the_mean_mask__is_not_capped(people: Masks) -> None:
    predicted = people.copy()
    predicted[:30] = False
    predicted[:30, 39, 39] = True
    assert ("doubtful-masks", "warning") in _codes(predicted, people)


def test_few_images__are_not_judged(people: Masks) -> None:
    assert _codes(people[:15], ~people[:15]) == []


def test_ious__and_shift() -> None:
    mask = np.zeros((1, 4, 4), dtype=np.bool_)
    mask[0, 0, :2] = True
    assert ious(mask, shift(mask, 0, 1)).tolist() == [1 / 3]
    assert shift(mask, 1, 0)[0, 1].tolist() == [True, True, False, False]
    assert ious(~mask & mask, ~mask & mask).tolist() == [0.0]
