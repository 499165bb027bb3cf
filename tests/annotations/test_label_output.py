"""Labels that are written, read again as data sets, and by the libraries that others read with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO
from tests.builders.tool_files import VOC_COLOURS

from humanseg.annotations.label_output import Labelled, LabelOutput, OutputHolder
from humanseg.data import discover, draw_scene
from humanseg.effects.effect import effect_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools gives it under NumPy 2."""

SIZE = (160, 200)


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 1.0


@cache
def scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A drawn scene, every second one with a hole in somebody."""
    image, mask = draw_scene(np.random.default_rng(seed), SIZE, clutter=0.4)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
    rows, columns = np.nonzero(inner)
    if len(rows) and seed % 2:
        row, column = int(rows[len(rows) // 2]), int(columns[len(rows) // 2])
        mask[row - 3 : row + 3, column - 3 : column + 3] = False
    return image, mask


def write(root: Path, output: LabelOutput, pictures: str) -> dict[str, NDArray[np.bool_]]:
    """Six pictures and their labels; the masks by name."""
    masks, files = {}, []
    for seed in range(6):
        image, mask = scene(seed)
        path = root / pictures / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        probability = mask[::4, ::4].astype(np.float32)
        file = root / output.folder / f"{seed}{output.suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        seen = f"../{pictures}/{seed}.png" if output.folder else f"{pictures}/{seed}.png"
        file.write_bytes(output.content(Labelled(path.name, seen, mask, probability)))
        files.append(file)
        masks[str(seed)] = mask
    output.finish(root, files)
    return masks


def label_output(name: str, **settings: float) -> LabelOutput:
    made = effect_of(name, among=OutputHolder, **settings)  # type: ignore[arg-type]
    assert isinstance(made, LabelOutput)
    return made


@pytest.mark.parametrize(
    ("name", "pictures", "least"),
    [("coco", "images", 0.99), ("yolo", "images", 0.99), ("labelme", "photos", 0.99)],
)
def test_polygons__come_back_as_they_were(
    tmp_path: Path, name: str, pictures: str, least: float
) -> None:
    masks = write(tmp_path, label_output(name), pictures)
    samples = discover(tmp_path, name)  # type: ignore[arg-type]
    assert [sample.id for sample in samples] == list(masks)
    for sample in samples:
        assert iou(sample.read_mask(), masks[sample.id]) >= least


@pytest.mark.parametrize(
    ("name", "pictures"),
    [("coco", "images"), ("yolo", "images"), ("labelme", "photos"), ("voc", "JPEGImages")],
)
def test_labels__without_tolerance_are_exact(tmp_path: Path, name: str, pictures: str) -> None:
    settings = {} if name == "voc" else {"tolerance": 0.0}
    masks = write(tmp_path, label_output(name, **settings), pictures)
    for sample in discover(tmp_path, name):  # type: ignore[arg-type]
        assert iou(sample.read_mask(), masks[sample.id]) >= 0.999


def test_coco__as_pycocotools_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = write(tmp_path, label_output("coco", tolerance=0.0), "images")
    coco = COCO(str(tmp_path / "annotations.json"))
    assert [kind["name"] for kind in coco.loadCats(coco.getCatIds())] == ["person"]
    kinds = set()
    for picture in coco.loadImgs(coco.getImgIds()):
        mask = masks[Path(picture["file_name"]).stem]
        union = np.zeros(SIZE, dtype=np.bool_)
        for annotation in coco.loadAnns(coco.getAnnIds(picture["id"])):
            region = coco.annToMask(annotation).astype(np.bool_)
            assert annotation["area"] == region.sum()
            assert annotation["bbox"] == list(cv2.boundingRect(region.astype(np.uint8)))
            assert annotation["iscrowd"] == 0
            assert 0.0 <= annotation["score"] <= 1.0
            kinds.add(type(annotation["segmentation"]))
            union |= region
        assert np.array_equal(union, mask)
        count, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        assert len(coco.getAnnIds(picture["id"])) == count - 1
    assert kinds == {dict, list}


def test_yolo__as_ultralytics_reads_it(tmp_path: Path) -> None:
    masks = write(tmp_path, label_output("yolo", tolerance=0.0), "images")
    for name, mask in masks.items():
        canvas = np.zeros(SIZE, np.uint8)
        for line in (tmp_path / f"labels/{name}.txt").read_text().split("\n"):
            if line:
                kind, *values = line.split()
                assert kind == "0"
                points = np.array(values, dtype=np.float64).reshape(-1, 2) * SIZE[::-1]
                assert (np.array(values, dtype=float) <= 1).all()
                # Borders of pixels, brought to the centres that OpenCV draws between.
                cv2.fillPoly(canvas, [np.round(points * 16 - 8).astype(np.int32)], 1, shift=4)
        assert iou(canvas > 0, mask) > 0.9
    assert "names:\n  0: person\n" in (tmp_path / "data.yaml").read_text()


def test_labelme__has_every_field_that_it_asks_for(tmp_path: Path) -> None:
    write(tmp_path, label_output("labelme"), "photos")
    document = json.loads((tmp_path / "0.json").read_text())
    assert list(document) == [
        "version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"
    ]  # fmt: skip
    assert (document["imagePath"], document["imageHeight"]) == ("photos/0.png", 160)
    assert document["imageData"] is None
    for shape in document["shapes"]:
        assert (shape["label"], shape["shape_type"]) == ("person", "polygon")
        assert len(shape["points"]) >= 3


def test_voc__is_person_fifteen_in_its_colour(tmp_path: Path) -> None:
    masks = write(tmp_path, label_output("voc"), "JPEGImages")
    with Image.open(tmp_path / "SegmentationClass/0.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image) == 15, masks["0"])
        colours = np.asarray(image.convert("RGB"))
    assert (colours[masks["0"]] == VOC_COLOURS[15]).all()
    names = (tmp_path / "labelmap.txt").read_text().splitlines()
    assert names[1:] == ["background:0,0,0::", "person:192,128,128::"]


def test_coco__without_people(tmp_path: Path) -> None:
    output = label_output("coco")
    empty = Labelled("a.jpg", "a.jpg", np.zeros((4, 5), np.bool_), np.zeros((2, 2), np.float32))
    path = tmp_path / "part.json"
    path.write_bytes(output.content(empty))
    output.finish(tmp_path, [path])
    document = json.loads((tmp_path / "annotations.json").read_text())
    assert document["annotations"] == []
    assert document["images"] == [{"id": 1, "file_name": "a.jpg", "height": 4, "width": 5}]
