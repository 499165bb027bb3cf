from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from humanseg.annotations.contours import Ring, bridged, simplify, smoothed, trace_rings
from humanseg.data import draw_scene

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools gives it under NumPy 2."""


def drawn(text: str) -> NDArray[np.bool_]:
    return np.array([[sign == "#" for sign in line] for line in text.split()])


def filled(rings: list[Ring], size: tuple[int, int]) -> NDArray[np.bool_]:
    """An odd number of rings around a pixel, each drawn by pycocotools."""
    odd = np.zeros(size, dtype=np.bool_)
    for ring in rings:
        (runs,) = coco.frPyObjects([ring.ravel().tolist()], *size)
        odd ^= coco.decode(runs).astype(np.bool_)
    return odd


def signed_area(ring: Ring) -> float:
    x, y = ring.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def test_trace_rings__corners_of_a_pixel() -> None:
    rings, owners = trace_rings(drawn("... .#. ..."))
    assert [ring.tolist() for ring in rings] == [[[1, 1], [2, 1], [2, 2], [1, 2]]]
    assert owners.tolist() == [[1, 1]]


def test_trace_rings__a_hole_runs_the_other_way() -> None:
    rings, owners = trace_rings(drawn("### #.# ###"))
    assert [ring.tolist() for ring in rings] == [
        [[0, 0], [3, 0], [3, 3], [0, 3]],
        [[2, 1], [1, 1], [1, 2], [2, 2]],
    ]
    assert owners.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("text", ["#. .#", ".# #.", "#.# .#. #.#"])
def test_trace_rings__pixels_that_touch_at_a_corner_have_one_outline(text: str) -> None:
    mask = drawn(text)
    rings, _ = trace_rings(mask)
    assert len(rings) == 1
    assert signed_area(rings[0]) == mask.sum()


def test_trace_rings__background_that_touches_at_a_corner_is_two_holes() -> None:
    rings, _ = trace_rings(drawn("#### #.## ##.# ####"))
    assert [signed_area(ring) for ring in rings] == [16, -1, -1]


def test_trace_rings__nothing() -> None:
    rings, owners = trace_rings(np.zeros((3, 4), dtype=np.bool_))
    assert rings == []
    assert owners.shape == (0, 2)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_trace_rings__noise_has_the_rings_that_opencv_counts(share: float) -> None:
    mask = np.random.default_rng(5).random((70, 90)) < share
    rings, owners = trace_rings(mask)
    assert np.array_equal(filled(rings, (70, 90)), mask)
    assert mask[owners[:, 0], owners[:, 1]].all()
    areas = np.array([signed_area(ring) for ring in rings])
    assert areas.sum() == mask.sum()
    _, hierarchy = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outer = int((hierarchy[0, :, 3] < 0).sum())
    assert ((areas > 0).sum(), (areas < 0).sum()) == (outer, hierarchy.shape[1] - outer)


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
def test_simplify__leaves_no_point_farther_away(tolerance: float) -> None:
    _, mask = draw_scene(np.random.default_rng(2), (240, 320), clutter=0.0)
    ring = smoothed(max(trace_rings(mask)[0], key=len))
    simple = simplify(ring, tolerance)
    contour = simple.astype(np.float32).reshape(-1, 1, 2)
    distances = [abs(cv2.pointPolygonTest(contour, tuple(map(float, p)), True)) for p in ring]
    assert max(distances) <= tolerance + 1e-4
    assert len(simple) < len(ring) / 2


def test_smoothed__keeps_the_centres_of_pixels_on_their_side() -> None:
    mask = np.random.default_rng(8).random((40, 50)) < 0.6
    rings = [smoothed(ring) for ring in trace_rings(mask)[0]]
    points = [np.round(ring * 16 - 8).astype(np.int32) for ring in rings]
    for row, column in np.ndindex(mask.shape):
        centre = (float(16 * column), float(16 * row))
        inside = sum(cv2.pointPolygonTest(ring[:, None], centre, False) > 0 for ring in points)
        assert inside % 2 == mask[row, column]


def test_simplify__keeps_what_is_tiny() -> None:
    (ring,), _ = trace_rings(drawn("# #"))
    assert simplify(ring, 5.0) is ring


def test_bridged__leaves_the_holes_out() -> None:
    mask = drawn("....... .#####. .#.#.#. .#####. .###.#. .#####. .......")
    rings, _ = trace_rings(mask)
    assert len(rings) == 4
    assert np.array_equal(filled([bridged(rings)], (7, 7)), mask)
    points = [bridged(rings).astype(np.int32) * 16]
    canvas = cv2.fillPoly(np.zeros((112, 112), np.uint8), points, 1)
    assert np.array_equal(canvas[8::16, 8::16] > 0, mask)
