from __future__ import annotations

import errno
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.config.schema import Layout
from humanseg.data import discover, find_pairs
from humanseg.errors import DataError, UsageError
from humanseg.images import SUFFIXES

Write = Callable[..., Path]
Form = Literal["NFC", "NFD"]
NAMES = ["1", "10", "100", "101", "2", "99"]
PREFIX = "Human-Segmentation-Dataset-master"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def make_original(root: Path, *, order: list[str] = NAMES) -> None:
    rows = ["masks,images"]
    for name in order:
        touch(root, f"Training_Images/{name}.jpg", f"Ground_Truth/{name}.png")
        rows.append(f"{PREFIX}/Ground_Truth/{name}.png,{PREFIX}/Training_Images/{name}.jpg")
    (root / "train.csv").write_text("\n".join(rows) + "\n")


def coco_document(**changes: object) -> dict[str, Any]:
    square = [[1, 1, 5, 1, 5, 5, 1, 5]]
    document: dict[str, Any] = {
        "images": [
            {"id": 7, "file_name": "b.jpg", "height": 12, "width": 16},
            {"id": 8, "file_name": "a.jpg", "height": 12, "width": 16},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "segmentation": square},
            {"id": 2, "image_id": 8, "category_id": 2, "segmentation": square},
        ],
        "categories": [{"id": 1, "name": "Person"}, {"id": 2, "name": "dog"}],
    }
    return document | changes


def write_coco(root: Path, **changes: object) -> Path:
    touch(root, "images/a.jpg", "images/b.jpg")
    path = root / "people.json"
    path.write_text(json.dumps(coco_document(**changes)))
    return path


def test_folders__pairs_by_path_and_sorts_ids_as_strings(tmp_path: Path) -> None:
    touch(tmp_path, *(f"images/{name}.jpg" for name in NAMES), "images/sub/a.PNG")
    touch(tmp_path, *(f"masks/{name}.png" for name in NAMES), "masks/sub/a.png")
    touch(tmp_path, "images/.DS_Store", "images/notes.txt", "masks/._1.png", "masks/.x/1.png")
    samples = discover(tmp_path)
    assert [sample.id for sample in samples] == [*NAMES, "sub/a"]
    assert samples[-1].image == tmp_path / "images/sub/a.PNG"
    assert samples[-1].mask == tmp_path / "masks/sub/a.png"


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_folders__take_every_picture_that_can_be_read(suffix: str, tmp_path: Path) -> None:
    touch(tmp_path, f"images/a{suffix.upper()}", "masks/a.png", "images/notes.txt")
    assert [sample.id for sample in discover(tmp_path)] == ["a"]


def test_original__wins_over_the_table_beside_it(tmp_path: Path) -> None:
    make_original(tmp_path, order=NAMES[::-1])
    assert [sample.id for sample in discover(tmp_path)] == NAMES
    assert discover(tmp_path) == discover(tmp_path, "original")


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


@pytest.mark.parametrize(("image", "mask"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_folders__accents_in_one_or_two_characters_pair(
    tmp_path: Path, image: Form, mask: Form
) -> None:
    touch(tmp_path, f"images/{normalize(image, 'é/ü1')}.jpg", "images/b.jpg", "masks/b.png")
    touch(tmp_path, f"masks/{normalize(mask, 'é/ü1')}.png")
    assert [sample.id for sample in discover(tmp_path)] == ["b", normalize("NFC", "é/ü1")]


def test_folders__capitals_pair_where_nothing_else_does(tmp_path: Path) -> None:
    touch(tmp_path, "images/IMG_1.JPG", "masks/img_1.png", "images/a.jpg", "masks/a.png")
    touch(tmp_path, "masks/A.png", "images/S/b.jpg", "images/s/b.jpg", "masks/S/B.png")
    pairs = find_pairs(tmp_path)
    assert [(sample.id, sample.mask) for sample in pairs.samples] == [
        ("IMG_1", tmp_path / "masks/img_1.png"),
        ("a", tmp_path / "masks/a.png"),
    ]
    # Which of the two is meant is not guessed.
    assert [missing.path.name for missing in pairs.missing] == ["A.png", "B.png", "b.jpg", "b.jpg"]


def test_folders__names_that_end_in_mask_get_a_hint(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/a_mask.png", "images/s/b.jpg", "masks/s/b-seg.png")
    touch(tmp_path, "images/c.jpg")
    messages = [missing.message for missing in find_pairs(tmp_path).missing]
    assert messages == [
        "images/a.jpg has no mask in masks/; a_mask.png needs the same name",
        "masks/a_mask.png has no picture in images/",
        "images/c.jpg has no mask in masks/",
        "images/s/b.jpg has no mask in masks/; b-seg.png needs the same name",
        "masks/s/b-seg.png has no picture in images/",
    ]


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


@pytest.mark.parametrize("layout", ["folders", "original"])
def test_partners__missing_ones_are_named(tmp_path: Path, layout: str) -> None:
    images, masks = {
        "folders": ("images", "masks"),
        "original": ("Training_Images", "Ground_Truth"),
    }[layout]
    touch(tmp_path, *(f"{images}/{name}.jpg" for name in "abcd"), f"{masks}/a.png")
    touch(tmp_path, f"{masks}/z.png")
    with pytest.raises(DataError) as caught:
        discover(tmp_path)
    text = str(caught.value)
    assert "4 pictures or masks have no usable partner" in text
    assert f"{images}/b.jpg has no mask in {masks}/" in text
    assert "and 1 more" in text
    assert f"humanseg data check {tmp_path}" in text
    pairs = find_pairs(tmp_path)
    assert [sample.id for sample in pairs.samples] == ["a"]
    assert [missing.path.name for missing in pairs.missing] == ["b.jpg", "c.jpg", "d.jpg", "z.png"]
    assert pairs.missing[-1].message == f"{masks}/z.png has no picture in {images}/"


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
        ({"categories": [{"id": 2, "name": "dog"}]}, "no category 'person'.* dog"),
        ({"categories": []}, "its categories are none"),
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


@pytest.mark.parametrize("layout", ["folders", "original"])
def test_folders__nothing_in_them(tmp_path: Path, layout: Layout) -> None:
    for name in ("images", "masks", "Training_Images", "Ground_Truth"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"no pictures found \\(layout {layout}\\)"):
        discover(tmp_path, layout)


def test_folders__one_id_twice(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/a.png", "masks/a.png")
    with pytest.raises(DataError, match=r"a\.jpg and a\.png have the same id a; keep one"):
        discover(tmp_path)


def test_folders__one_id_twice_below(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/a.png", "masks/s/b.png", "masks/s/b.tif")
    with pytest.raises(DataError, match=r"b\.png and b\.tif have the same id s/b; keep one"):
        discover(tmp_path)


def test_folders__names_with_dots_and_odd_entries(tmp_path: Path) -> None:
    names = ["a.b", "a..", "s.x/c.v1"]
    touch(tmp_path, *(f"images/{name}.jpg" for name in names), "images/jpg", "images/png.")
    touch(tmp_path, *(f"masks/{name}.png" for name in names))
    (tmp_path / "images/folder.png").mkdir()
    assert [sample.id for sample in discover(tmp_path)] == sorted(names)


def test_folders__follow_links_to_files_but_not_to_folders(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/a.jpg", "masks/a.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").symlink_to(tmp_path / "elsewhere/a.jpg")
    (tmp_path / "images/loop").symlink_to(tmp_path, target_is_directory=True)
    assert [sample.id for sample in discover(tmp_path)] == ["a"]


def test_folders__one_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "images/a.jpg", "images/s/b.jpg", "masks/a.png", "masks/s/b.png")
    scan = os.scandir

    def refuse(folder: Path) -> object:
        if folder == tmp_path / "images/s":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"images/s: cannot be read \(Permission denied\)"):
        discover(tmp_path)


def test_folders__many_files_take_little_memory(tmp_path: Path) -> None:
    for folder, suffix in (("images", "jpg"), ("masks", "png")):
        (tmp_path / folder).mkdir()
        for number in range(2000):
            (tmp_path / folder / f"{number}.{suffix}").touch()
    discover(tmp_path)  # Python's own table of strings grows now and then, and is not meant
    tracemalloc.start()
    try:
        samples = discover(tmp_path)
        bytes_each = tracemalloc.get_traced_memory()[0] / len(samples)
    finally:
        tracemalloc.stop()
    assert bytes_each < 2000  # 100,000 pairs in less than 200 MB


def test_root__does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        discover(tmp_path / "gone")


def test_root__no_known_layout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no known layout; the folder is empty\. Give"):
        discover(tmp_path)
    touch(tmp_path, "Images/a.jpg", "b.txt")
    with pytest.raises(UsageError, match=r"no known layout; it holds Images, b\.txt\."):
        discover(tmp_path)
    with pytest.raises(UsageError, match="no known layout in this file"):
        discover(tmp_path / "b.txt")


@pytest.mark.parametrize(
    ("layout", "needs"),
    [
        ("folders", "images/ and masks/"),
        ("original", "Training_Images/ and Ground_Truth/"),
        ("csv", "a CSV file"),
        ("coco", "a COCO JSON file"),
    ],
)
def test_root__not_the_layout_asked_for(tmp_path: Path, layout: Layout, needs: str) -> None:
    touch(tmp_path, "a.csv", "b.csv")  # two tables: which one is meant is not guessed
    with pytest.raises(UsageError, match=f"layout {layout} needs .*{needs}.*it holds a.csv"):
        discover(tmp_path, layout)


def test_root__unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="layout is 'voc'; allowed are auto, folders"):
        discover(tmp_path, "voc")  # type: ignore[arg-type]


def test_discover__reads_what_it_found(
    write: Write, half: NDArray[np.bool_], tmp_path: Path
) -> None:
    write("images/a.png")
    write("masks/a.png", half)
    (sample,) = discover(tmp_path)
    assert sample.read_image().shape == (12, 16, 3)
    assert np.array_equal(sample.read_mask(), half)
