from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import pytest
from tests.builders.files import NAMES, coco_document, make_original, touch, write_coco

from humanseg.data import discover, find_pairs
from humanseg.system.errors import DataError

Write = Callable[..., Path]
Form = Literal["NFC", "NFD"]


def test_csv__keeps_the_order_of_rows_and_ignores_a_stale_prefix(tmp_path: Path) -> None:
    make_original(tmp_path, order=NAMES[::-1])
    samples = discover(tmp_path / "train.csv")
    assert [sample.id for sample in samples] == NAMES[::-1]
    assert samples[0].image == tmp_path / "Training_Images/99.jpg"
    assert samples[0].mask == tmp_path / "Ground_Truth/99.png"
    assert discover(tmp_path, "csv") == samples


def test_csv__ids_never_lead_out_of_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a.jpg", "masks/a.png", "set/imgs/b.jpg", "set/masks/b.png")
    table = tmp_path / "set" / "train.csv"
    table.write_text("images,masks\n../photos/a.jpg,../masks/a.png\nimgs/b.jpg,masks/b.png\n")
    assert [sample.id for sample in discover(table)] == ["photos/a", "set/imgs/b"]


def test_csv__same_samples_as_the_folders(tmp_path: Path) -> None:
    make_original(tmp_path)
    assert discover(tmp_path / "train.csv") == discover(tmp_path, "original")


@pytest.mark.parametrize(
    "text",
    [
        "images,masks\nx/a.jpg,y/a.png\nx/sub/b.jpg,y/b.png\n",
        "\ufeffid, masks ,images,more\n1,y/a.png,x/a.jpg,\n2,y/b.png,x/sub/b.jpg,z\n",
        "masks,images\n/content/y/a.png,/content/x/a.jpg\n/content/y/b.png,/content/x/sub/b.jpg\n",
        "masks,images\r\ny\\a.png,data\\x\\a.jpg\r\n\r\ny\\b.png,x\\sub\\b.jpg\r\n",
    ],
)
def test_csv__columns_in_any_order(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "x/a.jpg", "x/sub/b.jpg", "y/a.png", "y/b.png", "._pairs.csv")
    table = tmp_path / "pairs.csv"
    table.write_text(text, encoding="utf-8", newline="")
    samples = discover(table)
    assert [sample.id for sample in samples] == ["a", "sub/b"]
    assert [sample.mask for sample in samples] == [tmp_path / "y/a.png", tmp_path / "y/b.png"]
    assert discover(tmp_path) == samples


def test_coco__file_order_and_people_only(tmp_path: Path) -> None:
    path = write_coco(tmp_path)
    samples = discover(path)
    assert [sample.id for sample in samples] == ["b", "a"]
    assert [sample.image.parent.name for sample in samples] == ["images", "images"]
    assert samples[0].read_mask().sum() == 16
    assert samples[1].read_mask().shape == (12, 16)
    assert not samples[1].read_mask().any()
    assert discover(tmp_path) == samples


def test_coco__pictures_beside_the_file(tmp_path: Path) -> None:
    path = write_coco(tmp_path)
    touch(tmp_path, "a.jpg", "b.jpg")
    assert [sample.image.parent for sample in discover(path)] == [tmp_path, tmp_path]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_tables__accents_in_one_or_two_characters_are_found(tmp_path: Path, form: Form) -> None:
    touch(tmp_path, normalize("NFC", "sé/é.jpg"), normalize("NFD", "sü/é.png"))
    table = tmp_path / "t.csv"
    table.write_text(normalize(form, "images,masks\nsé/é.jpg,gone/sü/É.png\n"), encoding="utf-8")
    (sample,) = discover(table)
    assert sample.id == normalize("NFC", "é")
    assert sample.mask == tmp_path / normalize("NFD", "sü/é.png")
    touch(tmp_path, normalize("NFC", "É.jpg"), normalize("NFC", "é.jpg"))
    document = coco_document(
        images=[
            {"id": number, "file_name": normalize(form, name), "height": 12, "width": 16}
            for number, name in ((7, "é.jpg"), (8, "É.JPG"))
        ]
    )
    path = tmp_path / "people.json"
    path.write_text(json.dumps(document))
    pairs = find_pairs(path)
    assert [sample.image.name for sample in pairs.samples] == [normalize("NFC", "é.jpg")]
    assert "does not exist" in pairs.missing[0].message  # either may be meant


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("gone/a.png,x/a.jpg", r"gone/a\.png \(line 3 of train\.csv\) does not exist"),
        ("y/a.png,gone/a.jpg", r"gone/a\.jpg \(line 3 of train\.csv\) does not exist"),
        ("y/a.png,", "line 3 of train.csv names no images"),
        ("y/a.png", "line 3 of train.csv names no images"),
        ("y/a.png,y/a.png", "names one file as picture and mask"),
    ],
)
def test_csv__bad_rows_are_named(tmp_path: Path, row: str, message: str) -> None:
    touch(tmp_path, "x/a.jpg", "x/b.jpg", "y/a.png", "y/b.png")
    (tmp_path / "train.csv").write_text(f"masks,images\ny/b.png,x/b.jpg\n{row}\n")
    with pytest.raises(DataError, match=message):
        discover(tmp_path)
    assert [sample.id for sample in find_pairs(tmp_path).samples] == ["b"]


@pytest.mark.parametrize("segmentation", [[], [[]], [[2, 2, 6, 6]]])
def test_coco__outlines_that_enclose_nothing_are_named(
    tmp_path: Path, segmentation: list[object]
) -> None:
    square = coco_document()["annotations"][0]
    path = write_coco(tmp_path, annotations=[square, square | {"segmentation": segmentation}])
    with pytest.raises(DataError, match=r"b\.jpg: .*outline.*; give it polygons or run lengths"):
        discover(path)


@pytest.mark.parametrize("kind", [str, float])
def test_coco__ids_and_sizes_as_text_or_floats(tmp_path: Path, kind: type) -> None:
    document = coco_document()
    for rows in (document["images"], document["annotations"], document["categories"]):
        for row in rows:
            row |= {field: kind(row[field]) for field in row if isinstance(row[field], int)}
    document["categories"][0]["id"] = 1
    path = write_coco(tmp_path)
    expected = discover(path)
    path.write_text("\ufeff" + json.dumps(document), encoding="utf-8")
    assert discover(path) == expected


def test_coco__ids_that_are_words(tmp_path: Path) -> None:
    document = coco_document()
    document["images"][0]["id"] = document["annotations"][0]["image_id"] = "seven"
    path = write_coco(tmp_path)
    expected = discover(path)
    path.write_text(json.dumps(document))
    assert discover(path) == expected


def test_coco__bad_pictures_are_named(tmp_path: Path) -> None:
    box = {"id": 3, "image_id": 7, "category_id": 1, "bbox": [1, 1, 4, 4]}
    path = write_coco(tmp_path, annotations=[box])
    (tmp_path / "images/a.jpg").unlink()
    with pytest.raises(DataError, match=r"b\.jpg: a person has a box but no outline") as caught:
        discover(path)
    assert "a.jpg does not exist" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,mask\na,b\n", "needs the columns images and masks.*'image,mask'"),
        ("images;masks\na;b\n", "needs the columns images and masks.*'images;masks'"),
        ("", "needs the columns images and masks"),
        ("images,masks\n", "no pictures found"),
        ("images,masks\nx/a.jpg,y/a.png\nx/a.jpg,y/b.png\n", r"used more than once \(a\)"),
    ],
)
def test_csv__bad_tables(tmp_path: Path, text: str, message: str) -> None:
    touch(tmp_path, "x/a.jpg", "y/a.png", "y/b.png")
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        discover(tmp_path / "train.csv")


def test_csv__not_text(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"images,masks\n\xff\xfe,b\n")
    with pytest.raises(DataError, match="is not a CSV file in UTF-8"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"categories": [{"id": 2, "name": "dog"}]},
            "no class is 'person'; its classes are 1, dog",
        ),
        ({"categories": [], "annotations": []}, "its classes are none"),
        ({"images": None}, "not a COCO file .*'images'"),
        ({"images": [{"id": 7, "file_name": "b.jpg", "height": 1}]}, r"images\[0\] has no 'width'"),
        ({"images": [{"id": 7, "file_name": "b", "height": 0, "width": 1}]}, "height is 0"),
        ({"images": [{"id": 7, "file_name": "b", "height": 2.5, "width": 1}]}, "height is 2.5; a"),
        ({"images": [{"id": 7, "file_name": "b", "height": True, "width": 1}]}, "height is True"),
        ({"images": [{"id": [7], "file_name": "b"}]}, r"images\[0\]\.id is \[7\]; a whole number"),
        ({"annotations": [{"image_id": 9, "category_id": 1}]}, "image 9, which is not listed"),
        ({"images": [], "annotations": []}, "no pictures found"),
    ],
)
def test_coco__bad_documents(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_coco(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        discover(path)


def test_coco__not_json(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    path.write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        discover(path)
    path.write_text("[]")
    with pytest.raises(DataError, match="not a COCO file"):
        discover(path)
