from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco

from humanseg.annotations.person_regions import person_regions
from humanseg.data import draw_scene
from humanseg.inference.prediction import Prediction

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools gives it under NumPy 2."""


def test_person_regions__the_largest_first_with_box_area_and_score() -> None:
    mask = np.zeros((20, 40), dtype=np.bool_)
    mask[2:6, 30:33] = True
    mask[8:18, 4:24] = True
    mask[10:12, 6:10] = False
    probability = np.full((10, 20), 0.1, dtype=np.float32)
    probability[4:9, 2:12] = 0.9
    probability[1:3, 15:17] = 0.6
    first, second = person_regions(mask, probability)
    assert (first.area, first.box) == (200 - 8, (4, 8, 20, 10))
    assert (second.area, second.box) == (12, (30, 2, 3, 4))
    assert first.score == pytest.approx(0.9)
    assert second.score == pytest.approx(0.6)
    assert [len(region.rings) for region in (first, second)] == [2, 1]
    runs = first.rle()
    assert coco.area(runs | {"counts": runs["counts"].encode()}) == 192
    whole = coco.decode({"size": [20, 40], "counts": runs["counts"].encode()}).astype(np.bool_)
    assert np.array_equal(whole[8:18, 4:24], first.mask)


def test_person_regions__one_between_the_centres_of_the_grid_has_a_score() -> None:
    mask = np.zeros((40, 40), dtype=np.bool_)
    mask[0, 39] = True
    (region,) = person_regions(mask, np.array([[0.25, 0.75], [0.5, 1.0]], dtype=np.float32))
    assert region.score == 0.75


def test_person_regions__nobody() -> None:
    assert person_regions(np.zeros((4, 4), np.bool_), np.zeros((2, 2), np.float32)) == ()


@pytest.mark.parametrize("seed", range(2))
def test_polygons__at_the_usual_tolerance_agree_with_the_mask(seed: int) -> None:
    _, mask = draw_scene(np.random.default_rng(seed), (480, 640))
    for region in person_regions(mask, mask.astype(np.float32)):
        outline = [ring.ravel().tolist() for ring in region.polygons()]
        area = int(coco.area(coco.merge(coco.frPyObjects(outline[:1], 480, 640))))
        corners = [region.rings[0].ravel().tolist()]
        exact = int(coco.area(coco.merge(coco.frPyObjects(corners, 480, 640))))
        assert area == pytest.approx(exact, rel=0.01)
        points = sum(len(ring) for ring in region.rings)
        assert region.area < 20_000 or sum(map(len, outline)) / 2 < points / 3


def prediction() -> Prediction:
    grid = np.zeros((8, 8), dtype=np.float32)
    grid[2:6, 2:6] = 0.9
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    return Prediction(grid=grid, size=(8, 8), threshold=0.5, source=picture)


def test_prediction__regions_boxes_polygons_and_run_lengths() -> None:
    people = prediction()
    (region,) = people.regions()
    assert region.area == 16
    assert people.boxes().tolist() == [[2, 2, 4, 4]]
    ((ring,),) = people.polygons()
    assert ring.tolist() == [[2, 2], [6, 2], [6, 6], [2, 6]]
    mask = coco.decode({"size": [8, 8], "counts": people.rle()["counts"].encode()})
    assert np.array_equal(mask > 0, people.mask)


def test_prediction__of_nobody_has_no_boxes() -> None:
    empty = Prediction(grid=np.zeros((4, 4), np.float32), size=(4, 4), threshold=0.5, source=b"")
    assert empty.boxes().shape == (0, 4)
    assert empty.polygons() == []
