from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.data.label_checks import failures, holes, specks, suspects

Mask = NDArray[np.bool_]
Maps = NDArray[np.float32]


def sure(*masks: Mask) -> Maps:
    """Networks that are sure of a mask each: 0.95 and 0.05."""
    return np.where(np.stack(masks), 0.95, 0.05).astype(np.float32)


def person(side: int = 100) -> Mask:
    """A square person of 60 x 60 pixels in the middle of a picture of 100 x 100."""
    mask = np.zeros((side, side), dtype=np.bool_)
    mask[20:80, 20:80] = True
    return mask


def pricked(count: int) -> Mask:
    """The person with so many holes of one pixel."""
    mask = person()
    mask[22, 22 : 22 + 2 * count : 2] = False
    return mask


def test_holes__counts_enclosed_background_only() -> None:
    mask = person()
    mask[30:40, 30:40] = False
    mask[50, 50] = False
    mask[60:70, 20:30] = False  # a bay, open to the side
    parts = holes(mask)
    assert parts.count == 2
    assert parts.share == 101 / (3600 - 201)


def test_holes__background_that_meets_at_a_corner_is_apart() -> None:
    mask = person()
    mask[30, 30] = mask[31, 31] = False
    assert holes(mask).count == 2
    mask[20, 20] = mask[21, 21] = False  # one is in the outline, one behind it
    assert holes(mask).count == 3


def test_holes__background_at_the_border_is_none() -> None:
    mask = np.ones((9, 9), dtype=np.bool_)
    for row, column in ((0, 4), (8, 4), (4, 0), (4, 8)):
        mask[row, column] = False
    assert holes(mask).count == 0
    mask[4, 4] = False
    assert holes(mask).count == 1


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 7)])
def test_parts__of_empty_and_full_masks(size: tuple[int, int], value: bool) -> None:
    mask = np.full(size, value)
    for parts in (holes(mask), specks(mask)):
        assert (parts.count, parts.share) == (0, 0.0)


def test_specks__are_small_against_person_and_picture() -> None:
    mask = person()
    mask[5, 5] = mask[5, 10:13] = True  # 3604 person pixels: specks have up to 3
    mask[10, 40:44] = True
    parts = specks(mask)
    assert parts.count == 2
    assert parts.share == 4 / 3608
    distant = np.zeros((100, 100), dtype=np.bool_)
    distant[10:14, 10:14] = distant[50, 50] = True  # 1 of 17 pixels is no speck of this person
    assert specks(distant).count == 0
    large = np.ones((100, 100), dtype=np.bool_)
    large[90:] = False
    large[95, 10:15] = True  # 5 pixels: below 0.1 % of the person, not of 0.05 % of the picture
    assert specks(large).count == 0
    large[95, 14] = False
    assert specks(large).count == 1


def test_specks__touching_at_a_corner_is_touching() -> None:
    mask = person()
    mask[19, 19] = True
    assert specks(mask).count == 0
    mask[18, 18] = mask[16, 16] = True
    assert specks(mask).count == 1


def test_suspects__by_reason_and_value() -> None:
    hollow = person()
    hollow[30:40, 30:40] = False  # 100 of 3500 pixels
    dusty = person()
    dusty[2, 2:32:2] = True
    both = pricked(12)
    both[2, 2:22:2] = True
    masks = {
        "clean": person(), "pricked": pricked(10), "few": pricked(9), "dusty": dusty,
        "hollow": hollow, "both": both,
    }  # fmt: skip
    listed = suspects(masks.items(), {}, lambda _: sure(person(), person()))
    assert [(suspect.id, suspect.reason, suspect.count) for suspect in listed] == [
        ("hollow", "holes", 1), ("both", "holes", 12), ("pricked", "holes", 10),
        ("dusty", "specks", 15), ("both", "specks", 10),
    ]  # fmt: skip
    assert listed[0].value == pytest.approx(100 / 3500)


def test_suspects__holes_and_specks_that_any_network_sees_are_none() -> None:
    hollow = person()
    hollow[30:40, 30:40] = False  # between an arm and a hip
    hollow[2, 2:32:2] = True  # fingers
    for maps in (sure(hollow), sure(person(), hollow), sure(person()) * 0.8 + 0.1):
        assert suspects([("a", hollow)], {}, {"a": maps}.get) == []
    partly = person()
    partly[30:40, 30:33] = False  # of 100 pixels the network leaves 30 open
    assert suspects([("a", hollow)], {}, lambda _: sure(partly | (hollow & ~person()))) == []


def test_suspects__few_but_large_specks() -> None:
    mask = np.zeros((400, 400), dtype=np.bool_)
    mask[100:300, 100:300] = True
    clean = mask.copy()
    for number in range(6):  # 39 pixels each: under 0.1 %, together 0.58 %
        mask[10, 50 * number : 50 * number + 39] = True
    listed = suspects([("a", mask)], {}, lambda _: sure(clean))
    assert [(suspect.reason, suspect.count) for suspect in listed] == [("specks", 6)]


def test_suspects__read_one_mask_at_a_time() -> None:
    alive = 0

    def stream() -> Iterator[tuple[str, Mask]]:
        nonlocal alive
        for number in range(5):
            mask = pricked(10)
            alive += 1
            assert alive == 1
            yield f"{number}", mask
            alive -= 1

    listed = suspects(stream(), {}, lambda _: sure(person()))
    assert [suspect.id for suspect in listed] == ["0", "1", "2", "3", "4"]


FAILED = {"image": 0.3} | {f"{number}": 0.9 + 0.001 * number for number in range(20)}


@pytest.mark.parametrize(
    ("maps", "listed"),
    [
        (sure(np.zeros_like(person())), True),  # the person is nowhere
        (sure(np.roll(person(), 12, 1), np.roll(person(), 12, 1)), True),  # is elsewhere
        (sure(np.roll(person(), 12, 1), np.roll(person(), -12, 1)), False),  # they differ
        (sure(np.roll(person(), 12, 1)) * 0.5 + 0.25, False),  # it is not sure
        (sure(person()), False),  # it failed by a little only
        (sure(np.roll(person(), 2, 1)), False),  # along the outline
    ],
)
def test_suspects__failures_that_all_networks_are_sure_of(maps: Maps, listed: bool) -> None:
    doubted = suspects([("image", person())], FAILED, lambda _: maps)
    assert [suspect.reason for suspect in doubted] == ["disagreement"] * listed
    assert suspects([("image", person())], {"image": 0.9}, lambda _: maps) == []


def test_suspects__compared_on_the_grid_of_the_mask() -> None:
    coarse = np.zeros((1, 10, 20), dtype=np.float32)  # sees nobody
    assert [suspect.id for suspect in suspects([("image", person())], FAILED, lambda _: coarse)]
    assert suspects([("image", person())], FAILED, lambda _: None) == []


def test_failures__far_below_the_others() -> None:
    ious = {f"{number}": (0.90, 0.92, 0.94)[number % 3] for number in range(297)}
    ious |= {"bad": 0.3, "worse": 0.1, "near": 0.88, "low": 0.895}
    assert failures(ious) == {"worse", "bad", "near"}  # below 0.92 - 1.4826 * 0.02
    masks = [(name, person()) for name in ("near", "bad", "worse")]
    listed = suspects(masks, ious, lambda _: sure(np.zeros_like(person())))
    assert [suspect.id for suspect in listed] == ["worse", "bad", "near"]
    assert listed[0].value == pytest.approx(0.9)
    assert {suspect.reason for suspect in listed} == {"disagreement"}


def test_failures__lists_a_fifth_where_a_fifth_is_wrong() -> None:
    ious = {f"image-{number}": 0.9 + 0.001 * (number % 20) for number in range(100)}
    wrong = {f"image-{number}": 0.2 for number in range(0, 100, 5)}
    assert failures(ious | wrong) == set(wrong)


@pytest.mark.parametrize("ious", [{}, {"a": 0.1}, {"a": 0.5, "b": 0.5, "c": 0.5}])
def test_failures__nothing_to_compare_with(ious: dict[str, float]) -> None:
    assert failures(ious) == set()
