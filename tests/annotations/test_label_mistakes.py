"""Labels that could be taken for something else: read as they are meant, or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from tests.builders import tool_files as tools
from tests.builders.files import coco_document
from tests.builders.tool_files import picture, text

from humanseg.data import discover, find_pairs
from humanseg.system.errors import DataError

SIZE = (12, 16)
SHARES = "0.125 0.25 0.5 0.25 0.5 0.75 0.125 0.75"
PERCENT = [[12.5, 25.0], [50.0, 25.0], [50.0, 75.0], [12.5, 75.0]]
"""Both of columns 2 to 7, rows 3 to 8: 36 pixels."""


def coco(root: Path, *, sizes: dict[str, int] | None = None, name: str = "b.jpg") -> Path:
    """One person in a picture whose entry is changed."""
    image = {"id": 7, "file_name": name, "height": 12, "width": 16} | (sizes or {})
    picture(root / "b.jpg")
    document = coco_document(images=[image], annotations=coco_document()["annotations"][:1])
    return text(root / "people.json", json.dumps(document))


def problem_of(path: Path) -> str:
    (missing,) = find_pairs(path).missing
    return missing.message


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("images", r"images\[0\] and images\[2\] both have the id 7; give each its own"),
        ("categories", r"categories\[0\] and categories\[2\] both have the id 1; give each its"),
    ],
)
def test_coco__ids_that_are_used_twice(tmp_path: Path, section: str, message: str) -> None:
    document = coco_document()
    document[section].append(document[section][0] | {"file_name": "c.jpg", "name": "cat"})
    document[section][2]["id"] = str(document[section][2]["id"])
    with pytest.raises(DataError, match=message):
        discover(text(tmp_path / "people.json", json.dumps(document)))


def test_coco__text_with_a_zero_in_front_is_another_id(tmp_path: Path) -> None:
    document = coco_document()
    for rows, key, values in (("images", "id", "1 01"), ("annotations", "image_id", "1 01")):
        for row, value in zip(document[rows], values.split(), strict=True):
            row[key] = value
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name)
    samples = discover(text(tmp_path / "people.json", json.dumps(document)))
    assert [int(sample.read_mask().sum()) for sample in samples] == [16, 0]


@pytest.mark.parametrize(
    ("height", "width"), [(10**10, 10**10), (1_920_000, 2_560_000), (10_001, 10_000)]
)
def test_coco__sizes_that_no_picture_has(tmp_path: Path, height: int, width: int) -> None:
    path = coco(tmp_path, sizes={"height": height, "width": width})
    assert problem_of(path) == (
        f"b.jpg: its labels say that it has {width}x{height} pixels; allowed are 1x1 to 100 "
        "million pixels"
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (10**30, r"reaches to \(1e\+30, 2\), outside its picture"),
        (10**400, "a polygon is not a list of x, y pairs"),
    ],
)
def test_coco__numbers_beyond_those_of_machines(tmp_path: Path, value: int, message: str) -> None:
    document = coco_document()
    document["annotations"][0]["segmentation"] = [[value, 2, 5, 2, 5, 5]]
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name)
    with pytest.raises(DataError, match=message):
        discover(text(tmp_path / "people.json", json.dumps(document)))


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "/".join(["x" * 200] * 30) + "/c.jpg"])
def test_coco__names_that_no_disk_takes_are_told_in_short(tmp_path: Path, name: str) -> None:
    message = problem_of(coco(tmp_path, name=name))
    assert message == f"{name[:60]}...{name[-60:]} does not exist"


def test_coco__folders_that_were_not_there_are_told(tmp_path: Path) -> None:
    assert find_pairs(coco(tmp_path)).taken == "people: Person (1)"
    for name in ("train/b.jpg", "C:\\me\\b.jpg", "x" * 300 + "/b.jpg"):
        told = name if len(name) < 100 else f"{name[:60]}...{name[-60:]}"
        assert find_pairs(coco(tmp_path, name=name)).taken == (
            "people: Person (1); 1 picture was found without the folders in the labels, such as "
            f"{told}"
        )


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("1,2,3;4,5;3,4,9", "a polygon cannot be read: '1,2,3;4,5;3,4,9' are not points of two"),
        ("1;2;3;4;5;6", "a polygon cannot be read: '1;2;3;4;5;6' are not points of two"),
    ],
)
def test_cvat__points_that_are_not_pairs(tmp_path: Path, points: str, message: str) -> None:
    picture(tmp_path / "a.jpg")
    shape = f'<polygon label="person" points="{points}"/>'
    assert message in problem_of(text(tmp_path / "a.xml", tools.cvat(SIZE, shape)))


@pytest.mark.parametrize("size", [(0, 0), (-12, -16), (10**10, 10**10)])
def test_cvat__sizes_that_no_picture_has(tmp_path: Path, size: tuple[int, int]) -> None:
    picture(tmp_path / "a.jpg")
    square = tools.cvat_polygon([(2, 3), (8, 3), (8, 9)])
    path = text(tmp_path / "a.xml", tools.cvat(size, square))
    assert f"its labels say that it has {size[1]}x{size[0]} pixels" in problem_of(path)


@pytest.mark.parametrize("side", [99_999_999_999, 10_001])
def test_cvat__masks_that_no_picture_holds(tmp_path: Path, side: int) -> None:
    picture(tmp_path / "a.jpg")
    mask = f'<mask label="person" rle="{side**2}" left="0" top="0" width="{side}" height="{side}"/>'
    for size in (SIZE, (side, side)):
        path = text(tmp_path / "a.xml", tools.cvat(size, mask))
        assert problem_of(path).startswith("a.jpg: ")


@pytest.mark.parametrize("left", ["Infinity", "-Infinity", "NaN"])
def test_labelme__a_mask_that_lies_nowhere(tmp_path: Path, left: str) -> None:
    picture(tmp_path / "a.jpg")
    mask = tools.labelme_mask(np.ones((6, 6), dtype=np.bool_))
    shape = tools.labelme_shape([(3.25, 3), (8, 8)], shape_type="mask", mask=mask)
    path = text(tmp_path / "a.json", tools.labelme(SIZE, shape).replace("3.25", left))
    assert problem_of(path).endswith("a.jpg: a mask has no place in its picture")


def test_labelme__a_mask_in_a_picture_that_is_too_large(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    mask = tools.labelme_mask(np.ones((6, 6), dtype=np.bool_))
    shape = tools.labelme_shape([(3, 3), (8, 8)], shape_type="mask", mask=mask)
    path = text(tmp_path / "a.json", tools.labelme((10**10, 10**10), shape))
    assert "its labels say that it has 10000000000x10000000000 pixels" in problem_of(path)


def voc(root: Path, mask: str, *pictures: str) -> Path:
    indices = np.zeros(SIZE, dtype=np.uint8)
    indices[3:9, 2:8] = 15
    for name in pictures:
        picture(root / "JPEGImages" / name)
    path = root / "SegmentationClass" / mask
    path.parent.mkdir(parents=True)
    tools.voc(indices).save(path)
    return root


@pytest.mark.parametrize(
    ("mask", "name"),
    [
        ("sub/a.png", "sub/a.jpg"),
        ("a.PNG", "a.jpg"),
        (normalize("NFD", "é.png"), normalize("NFC", "é.jpg")),
        ("img_1.png", "IMG_1.JPG"),
    ],
)
def test_voc__masks_in_folders_and_by_other_spellings(tmp_path: Path, mask: str, name: str) -> None:
    (sample,) = discover(voc(tmp_path, mask, name, "other.jpg"))
    assert (sample.image, int(sample.read_mask().sum())) == (tmp_path / "JPEGImages" / name, 36)


def test_voc__two_pictures_of_one_name(tmp_path: Path) -> None:
    root = voc(tmp_path, "a.png", "a.jpg", "a.png", "b.jpg")
    assert problem_of(root) == "a.png has the name of a.jpg; keep one of them"


def yolo(root: Path, label: str = "0", picture_name: str = "a.jpg", name: str = "a.txt") -> Path:
    picture(root / "images" / picture_name)
    text(root / "labels" / name, f"{label} {SHARES}\n")
    return root


@pytest.mark.parametrize("name", ["data.yml", "dataset.yaml", "coco8.yaml"])
def test_yolo__names_in_any_yaml_file(tmp_path: Path, name: str) -> None:
    text(tmp_path / name, "names: [dog, person]\n")
    text(tmp_path / "train.yaml", "epochs: 3\n")
    text(tmp_path / "classes.txt", "person\ndog\n")
    assert find_pairs(yolo(tmp_path)).taken == "people: person (0); left out: dog (1)"
    assert find_pairs(tmp_path / name).taken == "people: person (0); left out: dog (1)"


def test_yolo__several_files_with_names(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml"):
        text(tmp_path / name, "names: [dog, person]\n")
    with pytest.raises(
        DataError, match=r"several files have names of classes \(a.yaml, b.yml\); call the right"
    ):
        discover(yolo(tmp_path))


def test_yolo__class_0_without_names_is_said(tmp_path: Path) -> None:
    assert find_pairs(yolo(tmp_path)).taken == (
        "people: person (1); no file names the classes, so class 0 was taken for people "
        "(data.yaml can tell)"
    )
    assert find_pairs(tmp_path, classes=("0", "1")).taken == "people: 0 (1)"


@pytest.mark.parametrize("label", ["0.9", "-0.5", "-1", "nan", "inf"])
def test_yolo__numbers_that_are_no_class(tmp_path: Path, label: str) -> None:
    with pytest.raises(DataError, match=rf"a\.txt: line 1 is not YOLO's, but '{label} 0\.125"):
        discover(yolo(tmp_path, label))


@pytest.mark.parametrize(
    ("name", "label"),
    [(normalize("NFC", "é.jpg"), normalize("NFD", "é.txt")), ("IMG_1.JPG", "img_1.TXT")],
)
def test_yolo__names_in_other_spellings(tmp_path: Path, name: str, label: str) -> None:
    (sample,) = discover(yolo(tmp_path, "0", name, label))
    assert sample.image.name == name


def label_studio(root: Path, results: Sequence[Mapping[str, object]], **data: str) -> Path:
    """An export of a task with these results; more than one picture lies there."""
    for name in ("a.jpg", "b.jpg"):
        picture(root / name)
    shared = {"original_width": 16, "original_height": 12, "from_name": "x", "to_name": "img"}
    task = {
        "data": data or {"img": "a.jpg"},
        "annotations": [{"result": [shared | dict(one) for one in results]}],
    }
    return text(root / "export.json", json.dumps([task]))


REGION = {"id": "r1", "type": "polygon", "value": {"points": PERCENT}}
KNOWN = {"type": "polygonlabels", "value": {"points": PERCENT, "polygonlabels": ["person"]}}


def test_label_studio__a_label_in_a_result_of_its_own(tmp_path: Path) -> None:
    labels = {"points": PERCENT, "labels": ["person"]}
    other = {"id": "r2", "type": "polygon", "value": {"points": [[0, 0], [9, 0], [9, 9]]}}
    named = {"id": "r1", "type": "labels", "value": labels}
    pairs = find_pairs(label_studio(tmp_path, [other, REGION, named]))
    assert pairs.taken == "people: person (1); left out: no label (1)"
    assert pairs.samples[0].read_mask().sum() == 36


def test_label_studio__regions_without_a_label_are_counted(tmp_path: Path) -> None:
    empty = {"type": "polygonlabels", "value": {"points": PERCENT, "polygonlabels": []}}
    pairs = find_pairs(label_studio(tmp_path, [REGION, empty, KNOWN]))
    assert pairs.taken == "people: person (1); left out: no label (2)"


def test_label_studio__json_min_with_labels_apart(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    region = {"points": PERCENT, "original_width": 16, "original_height": 12}
    more = region | {"points": [[0, 0], [9, 0], [9, 9]]}
    task = {
        "image": "a.jpg",
        "annotation_id": 1,
        "label": [region | {"labels": ["person"]}],
        "polygon": [region, more],
    }
    pairs = find_pairs(text(tmp_path / "export.json", json.dumps([task])))
    assert pairs.taken == "people: person (1); left out: no label (1)"
    assert pairs.samples[0].read_mask().sum() == 36


def test_label_studio__several_pictures_in_one_task(tmp_path: Path) -> None:
    (sample,) = discover(label_studio(tmp_path, [KNOWN], ref="b.jpg", img="/up/0a1b2c3d-a.jpg"))
    assert sample.image.name == "a.jpg"
    path = label_studio(tmp_path, [KNOWN], ref="b.jpg", image="a.jpg")
    with pytest.raises(DataError, match=r"a task names several pictures \(ref, image\); leave"):
        discover(path)


@pytest.mark.parametrize(
    "address", ["https://h/x/a.jpg?sig=1/2.png", "s3://h/a.jpg#b", "/data/local-files/?d=x/a.jpg"]
)
def test_label_studio__addresses_with_more_than_a_name(tmp_path: Path, address: str) -> None:
    (sample,) = discover(label_studio(tmp_path, [KNOWN], image=address))
    assert sample.image.name == "a.jpg"
