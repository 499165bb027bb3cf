"""Files of labels in which anything stands anywhere: read, or refused with a sentence."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import tool_files as tools
from tests.builders.files import coco_document

from humanseg.config.schema import Layout
from humanseg.data import discover
from humanseg.system.errors import HumansegError

RING = np.ones((6, 6), dtype=np.bool_)
RING[2:4, 1:5] = False
BRUSHED = np.pad(RING, ((3, 3), (2, 8)))
SQUARE = [(2.0, 3.0), (8.0, 3.0), (8.0, 9.0), (2.0, 9.0)]
POINTS = {"exterior": [[2, 3], [8, 3], [8, 9]], "interior": [[[3, 4], [4, 4], [4, 5]]]}
BITMAP = {"data": tools.supervisely_bitmap(RING), "origin": [2, 3]}
DOCUMENTS: dict[Layout, tuple[str, Any]] = {
    "coco": ("people.json", coco_document()),
    "labelme": (
        "a.json",
        json.loads(
            tools.labelme(
                (12, 16),
                tools.labelme_shape(SQUARE),
                tools.labelme_shape(
                    [(2, 3), (7, 8)], shape_type="mask", mask=tools.labelme_mask(RING)
                ),
            )
        ),
    ),
    "supervisely": (
        "ann/a.jpg.json",
        json.loads(
            tools.supervisely(
                (12, 16),
                {"geometryType": "polygon", "points": POINTS},
                {"geometryType": "bitmap", "bitmap": BITMAP},
            )
        ),
    ),
    "label_studio": (
        "export.json",
        json.loads(
            tools.label_studio(
                (12, 16),
                {"points": [[10, 10], [30, 10], [30, 40]], "closed": True},
                {"format": "rle", "rle": tools.brush(BRUSHED)},
            )
        ),
    ),
}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["person", "a.jpg", "mask", "polygon", "AAAA"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


SIZES = ("imageHeight", "imageWidth", "height", "width", "original_height", "original_width")


def ways(value: object, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """To every value in a document."""
    yield way
    items = value.items() if isinstance(value, dict) else []
    for key, inner in enumerate(value) if isinstance(value, list) else items:
        yield from ways(inner, (*way, key))


@pytest.mark.parametrize("layout", DOCUMENTS)
@settings(max_examples=60)
@given(data=st.data())
def test_labels__with_anything_anywhere_are_read_or_refused(
    layout: Layout, data: st.DataObject
) -> None:
    name, document = DOCUMENTS[layout]
    way = data.draw(st.sampled_from(sorted(ways(document), key=len)))
    changed = copy.deepcopy([document])
    inner: Any = changed
    for key in (0, *way)[:-1]:
        inner = inner[key]
    inner[(0, *way)[-1]] = data.draw(ANYTHING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for picture in ("a.jpg", "b.jpg", "img/a.jpg"):
            tools.picture(root / picture)
        path = tools.text(root / name, json.dumps(changed[0]))
        try:
            samples = discover(root if layout == "supervisely" else path, layout)
            masks = [sample.read_mask() for sample in samples]
        except HumansegError as error:
            assert "\n" not in f"{error}"  # noqa: PT017  it may also be read
        else:
            told = (
                bool(way) and way[-1] in SIZES
            )  # labels may be of another size than their pictures
            assert told or {mask.shape for mask in masks} <= {(12, 16)}
