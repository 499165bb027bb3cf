"""Files of other tools, read as data sets: what each format means, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders import tool_files as tools
from tests.builders.tool_files import picture, text

from humanseg.annotations.label_studio import unpack_brush
from humanseg.annotations.voc import voc_palette
from humanseg.data import audit, discover, find_pairs
from humanseg.system.errors import DataError, UsageError

SIZE = (12, 16)
SQUARE = [(2.0, 3.0), (8.0, 3.0), (8.0, 9.0), (2.0, 9.0)]
"""Columns 2 to 7, rows 3 to 8."""
RING = np.ones((6, 6), dtype=np.bool_)
RING[2:4, 1:5] = False
"""The same with a hole."""
BRUSHED = np.zeros(SIZE, dtype=np.bool_)
BRUSHED[3:9, 2:8] = RING
SHARES = "0.125 0.25 0.5 0.25 0.5 0.75 0.125 0.75"


def full() -> tools.Mask:
    mask = np.zeros(SIZE, dtype=np.bool_)
    mask[3:9, 2:8] = True
    return mask


def yolo(root: Path) -> None:
    picture(root / "images/train/a.jpg")
    text(root / "labels/train/a.txt", f"0 {SHARES}\n1 0.1 0.1 0.2 0.1 0.2 0.2\n")
    names = "names:\n  0: person\n  1: dog\n"
    text(root / "data.yaml", f"path: ../datasets/people\ntrain: images/train\n{names}")


def yolo_of_roboflow(root: Path) -> None:
    picture(root / "train/images/a_jpg.rf.0123.jpg")
    text(root / "train/labels/a_jpg.rf.0123.txt", f"1 {SHARES}")
    text(root / "data.yaml", "train: ../train/images\nnc: 2\nnames: ['dog', 'person']\n")


def yolo_of_label_studio(root: Path) -> None:
    picture(root / "images/0a1b2c3d-a.jpg")
    text(root / "labels/0a1b2c3d-a.txt", f"1 {SHARES}")
    text(root / "classes.txt", "dog\nperson\n")


def labelme(root: Path) -> None:
    picture(root / "a.jpg")
    text(root / "a.json", tools.labelme(SIZE, tools.labelme_shape(SQUARE)))


def labelme_elsewhere(root: Path) -> None:
    picture(root / "photos/a.jpg")
    shape = tools.labelme_shape(SQUARE)
    text(root / "labels/a.json", tools.labelme(SIZE, shape, image="..\\photos\\a.jpg"))


def cvat(root: Path) -> None:
    picture(root / "images/a.jpg")
    shapes = tools.cvat_polygon(SQUARE), tools.cvat_polygon([(0, 0), (2, 0), (2, 2)], "dog")
    text(root / "annotations.xml", tools.cvat(SIZE, *shapes))


def supervisely(root: Path) -> None:
    picture(root / "ds1/img/a.jpg")
    polygon = {
        "geometryType": "polygon",
        "points": {"exterior": [list(point) for point in SQUARE], "interior": []},
    }
    text(root / "ds1/ann/a.jpg.json", tools.supervisely(SIZE, polygon))
    kinds = [{"title": name, "shape": "any", "color": "#ff0000"} for name in ("person", "dog")]
    text(root / "meta.json", json.dumps({"classes": kinds, "tags": []}))


def label_studio(root: Path) -> None:
    picture(root / "a.jpg")
    points = [[100 * x / 16, 100 * y / 12] for x, y in SQUARE]
    text(root / "export.json", tools.label_studio(SIZE, {"points": points, "closed": True}))


def coco_of_cvat(root: Path) -> None:
    picture(root / "images/a.jpg")
    outline = [value for point in SQUARE for value in point]
    document = {
        "images": [{"id": 1, "width": 16, "height": 12, "file_name": "a.jpg", "license": 0}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [outline]}],
        "categories": [{"id": 1, "name": "person", "supercategory": ""}],
    }
    text(root / "annotations/instances_default.json", json.dumps(document))


def voc(root: Path) -> None:
    picture(root / "JPEGImages/a.jpg")
    picture(root / "JPEGImages/not_labelled.jpg")
    (root / "SegmentationClass").mkdir()
    tools.voc(full().astype(np.uint8) * np.uint8(15)).save(root / "SegmentationClass/a.png")


def voc_of_cvat(root: Path) -> None:
    picture(root / "images/a.jpg")
    (root / "SegmentationClass").mkdir()
    colours = np.zeros((*SIZE, 3), dtype=np.uint8)
    colours[full()] = (61, 245, 61)
    colours[0, 0] = (250, 50, 83)
    Image.fromarray(colours).save(root / "SegmentationClass/a.png")
    rows = "background:0,0,0::\ndog:250,50,83::\nperson:61,245,61::\n"
    text(root / "labelmap.txt", f"# label:color_rgb:parts:actions\n{rows}")


POLYGONS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "yolo": ("yolo", yolo),
    "yolo of Roboflow": ("yolo", yolo_of_roboflow),
    "yolo of Label Studio": ("yolo", yolo_of_label_studio),
    "labelme": ("labelme", labelme),
    "labelme elsewhere": ("labelme", labelme_elsewhere),
    "cvat": ("cvat", cvat),
    "supervisely": ("supervisely", supervisely),
    "label_studio": ("label_studio", label_studio),
    "coco of CVAT": ("coco", coco_of_cvat),
    "voc": ("voc", voc),
    "voc of CVAT": ("voc", voc_of_cvat),
}


@pytest.mark.parametrize("name", POLYGONS)
def test_formats__are_recognised_and_read(tmp_path: Path, name: str) -> None:
    layout, write = POLYGONS[name]
    write(tmp_path)
    (sample,) = discover(tmp_path)
    assert np.array_equal(sample.read_mask(), full())
    assert sample.read_image().shape == (12, 16, 3)
    report = audit(tmp_path)
    assert (report.layout, report.errors) == (layout, ())
    assert report.taken.startswith("people: person (1)")


def raster_labelme(root: Path) -> None:
    picture(root / "a.jpg")
    shape = tools.labelme_shape([(2, 3), (7, 8)], shape_type="mask", mask=tools.labelme_mask(RING))
    text(root / "a.json", tools.labelme(SIZE, shape))


def raster_cvat(root: Path) -> None:
    picture(root / "a.jpg")
    text(root / "annotations.xml", tools.cvat(SIZE, tools.cvat_mask(RING, left=2, top=3)))


def raster_supervisely(root: Path) -> None:
    picture(root / "img/a.jpg")
    bitmap = {"data": tools.supervisely_bitmap(RING), "origin": [2, 3]}
    item = {"geometryType": "bitmap", "bitmap": bitmap}
    text(root / "ann/a.jpg.json", tools.supervisely(SIZE, item))


def holed_supervisely(root: Path) -> None:
    picture(root / "img/a.jpg")
    hole = [[3, 5], [7, 5], [7, 7], [3, 7]]
    points = {"exterior": [list(point) for point in SQUARE], "interior": [hole]}
    item = {"geometryType": "polygon", "points": points}
    text(root / "ann/a.jpg.json", tools.supervisely(SIZE, item))


def raster_label_studio(root: Path) -> None:
    picture(root / "0a1b2c3d-a.jpg")
    text(
        root / "export.json",
        tools.label_studio(SIZE, {"format": "rle", "rle": tools.brush(BRUSHED)}),
    )


@pytest.mark.parametrize(
    "write",
    [raster_labelme, raster_cvat, raster_supervisely, holed_supervisely, raster_label_studio],
)
def test_formats__masks_and_holes_are_exact(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    (sample,) = discover(tmp_path)
    assert np.array_equal(sample.read_mask(), BRUSHED)


def test_unpack_brush__what_label_studio_packs() -> None:
    # The example in the tests of label-studio-converter.
    packed = [0, 0, 0, 18, 57, 27, 252, 96, 32, 1, 0, 6, 0, 40, 0, 192, 3, 128, 17, 56, 32]
    values = [1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 4, 4, 4, 4, 4, 4, 4, 4]
    assert unpack_brush(bytes(packed)).tolist() == values
    with pytest.raises(ValueError, match="ends too early"):
        unpack_brush(bytes(packed[:-2]))


def test_unpack_brush__values_one_by_one() -> None:
    bits = f"{3:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + f"0{0:02b}{2:03b}{9:08b}{8:08b}{7:08b}"
    bits += "0" * (-len(bits) % 8)
    packed = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    assert unpack_brush(packed).tolist() == [9, 8, 7]
    with pytest.raises(ValueError, match="ends too early"):
        unpack_brush(packed[:-1])


def test_voc_palette__known_colours() -> None:
    for index, colour in tools.VOC_COLOURS.items():
        assert tuple(voc_palette()[index]) == colour


def test_classes__others_are_named_and_counted(tmp_path: Path) -> None:
    cvat(tmp_path)
    assert find_pairs(tmp_path).taken == "people: person (1); left out: dog (1)"
    pairs = find_pairs(tmp_path, classes=("Dog", "person"))
    assert pairs.taken == "people: dog (1), person (1)"
    assert pairs.samples[0].read_mask().sum() > 36


@pytest.mark.parametrize("name", [name for name in POLYGONS if name != "label_studio"])
def test_classes__none_of_people_is_refused(tmp_path: Path, name: str) -> None:
    POLYGONS[name][1](tmp_path)
    with pytest.raises(DataError, match=r"no class is 'human'; its classes are .*--classes\.$"):
        discover(tmp_path, classes=("human",))


def test_yolo__a_picture_without_text_is_named_and_an_empty_text_is_nobody(tmp_path: Path) -> None:
    yolo(tmp_path)
    picture(tmp_path / "images/train/b.jpg")
    picture(tmp_path / "images/train/0.jpg")  # comes first, and ends nothing
    text(tmp_path / "labels/train/b.txt", "\n")
    text(tmp_path / "labels/train/d.txt", "")
    pairs = find_pairs(tmp_path)
    assert [sample.id for sample in pairs.samples] == ["a", "b"]
    assert not pairs.samples[1].read_mask().any()
    assert [missing.message for missing in pairs.missing] == [
        "0.jpg has no text in labels/; an empty one says nobody",
        "d.txt has no picture in images/",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2 0.2", "a person has a box but no outline"),
        ("0 0.1 0.1 0.2 0.2 0.3", "line 1 of a.txt is not a class and x, y pairs"),
        ("0 0.1 0.1 1.4 0.2 0.3 0.3", r"reaches to \(22.4, 2.4\), outside its picture of 16x12"),
        ("0 0.1 0.1 nan 0.2 0.3 0.3", "a polygon is not a list of x, y pairs"),
    ],
)
def test_yolo__bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    yolo(tmp_path)
    text(tmp_path / "labels/train/a.txt", line)
    with pytest.raises(DataError, match=message):
        discover(tmp_path)


def test_yolo__other_texts_are_refused(tmp_path: Path) -> None:
    yolo(tmp_path)
    for line in ("person 0.1 0.1", "1e999 0.1 0.1", "nan 0.1 0.1"):
        text(tmp_path / "labels/train/a.txt", line)
        with pytest.raises(DataError, match=rf"a\.txt: line 1 is not YOLO's, but '{line}'"):
            discover(tmp_path)
    text(tmp_path / "data.yaml", "train: images")
    with pytest.raises(DataError, match=r"data\.yaml: has no list of class names under `names`"):
        discover(tmp_path)
    for broken in ("names: [person", "names: !!int x", "names: 2026-13-01"):
        text(tmp_path / "data.yaml", broken)
        with pytest.raises(DataError, match=r"data\.yaml: is not YAML"):
            discover(tmp_path)


def test_labelme__shapes_that_are_no_outline(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    shape = tools.labelme_shape([(2, 3), (8, 9)], shape_type="rectangle")
    text(tmp_path / "a.json", tools.labelme(SIZE, shape))
    with pytest.raises(DataError, match=r"a\.jpg: a person has a box but no outline"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"points": [(-1, 3), (7, 8)], "mask": RING}, "at column -1, row 3 reaches beyond"),
        ({"points": [(12, 3), (17, 8)], "mask": RING}, "6x6 pixels at column 12, row 3 reaches"),
        ({"points": [(2, 3), (7, 8)], "mask": "AAAA"}, "a mask is no PNG that can be read"),
        ({"points": [(2, 3), (7, 8)], "mask": "A"}, "a mask is no PNG that can be read"),
    ],
)
def test_labelme__masks_that_do_not_fit(
    tmp_path: Path, shape: dict[str, object], message: str
) -> None:
    picture(tmp_path / "a.jpg")
    mask = shape["mask"]
    shape["mask"] = mask if isinstance(mask, str) else tools.labelme_mask(RING)
    shape["points"] = [list(point) for point in shape["points"]]  # type: ignore[attr-defined]
    changed = tools.labelme_shape([], shape_type="mask") | shape
    text(tmp_path / "a.json", tools.labelme(SIZE, changed))
    with pytest.raises(DataError, match=message):
        discover(tmp_path)


def test_labels__two_files_for_one_picture(tmp_path: Path) -> None:
    labelme(tmp_path)
    text(tmp_path / "b.json", (tmp_path / "a.json").read_text())
    with pytest.raises(
        DataError, match=r"a\.jpg is labelled twice \(in a\.json and b\.json\); keep"
    ):
        discover(tmp_path)


def test_labels__pictures_that_are_missing_are_named(tmp_path: Path) -> None:
    for write in (labelme, cvat, supervisely, label_studio):
        root = tmp_path / write.__name__
        write(root)
        next(root.rglob("a.jpg")).unlink()
        with pytest.raises(DataError, match=r"a\.jpg does not exist"):
            discover(root)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"shapes": [], "imagePath": 7}', r"not a file of LabelMe \(imagePath: "),
        ("a.json", '{"shapes": [', "is not JSON"),
        (
            "a.json",
            '[{"data": {}, "annotations": 3}]',
            r"not a file of Label Studio \(annotations:",
        ),
        ("a.json", '[{"data": {"text": "x"}, "annotations": []}]', "names no picture; its data"),
        ("a.xml", "<annotations><image", "is not XML"),
        ("a.xml", "<html></html>", "is not of CVAT; it begins with <html>"),
        ("a.xml", '<!DOCTYPE x [<!ENTITY a "b">]><annotations>&a;</annotations>', "document type"),
        ("a.xml", "<annotations><image id='0'></image></annotations>", "not of CVAT for images"),
    ],
)
def test_labels__files_that_are_something_else(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = text(tmp_path / name, content)
    with pytest.raises(DataError, match=message):
        discover(path)


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ("0, 30", "the runs of a mask do not fill its 6x6 pixels"),
        ("x", "a mask cannot be read: invalid"),
    ],
)
def test_cvat__runs_that_do_not_fill_their_mask(tmp_path: Path, rle: str, message: str) -> None:
    picture(tmp_path / "a.jpg")
    shape = tools.cvat_mask(np.ones((6, 6), np.bool_), left=2, top=3).replace("0, 36", rle)
    text(tmp_path / "annotations.xml", tools.cvat(SIZE, shape))
    with pytest.raises(DataError, match=message):
        discover(tmp_path)


def test_label_studio__a_brush_of_another_size_and_two_annotations(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    value = {"format": "rle", "rle": tools.brush(RING)}
    path = text(tmp_path / "export.json", tools.label_studio(SIZE, value))
    with pytest.raises(DataError, match="a brush of 36 pixels does not fit its picture of 16x12"):
        discover(path)
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"] *= 2
    path.write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=r"has 2 annotations in export\.json; keep one"):
        discover(path)


def test_label_studio__json_min(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    size = {"original_width": 16, "original_height": 12}
    brush = {"format": "rle", "rle": tools.brush(BRUSHED), "brushlabels": ["person"]} | size
    points = [[10, 10], [30, 10], [30, 40]]
    polygon = {"points": points, "closed": True, "polygonlabels": ["dog"]} | size
    task = {
        "image": "/data/upload/1/0a1b2c3d-a.jpg", "id": 1, "tag": [brush], "shape": [polygon],
        "annotator": 1, "annotation_id": 7, "created_at": "2026-11-29T10:00:00.000000Z",
        "updated_at": "2026-11-29T10:00:00.000000Z", "lead_time": 9.1,
    }  # fmt: skip
    text(tmp_path / "export.json", json.dumps([task]))
    pairs = find_pairs(tmp_path)
    assert pairs.taken == "people: person (1); left out: dog (1)"
    assert np.array_equal(pairs.samples[0].read_mask(), BRUSHED)
    text(tmp_path / "export.json", json.dumps([task, task | {"annotation_id": 8}]))
    with pytest.raises(DataError, match=r"a\.jpg is labelled twice"):
        discover(tmp_path)


def test_voc__void_is_ignored_and_said_to_be(tmp_path: Path) -> None:
    voc(tmp_path)
    indices = full().astype(np.uint8) * np.uint8(15)
    indices[3:9, 8] = 255
    tools.voc(indices).save(tmp_path / "SegmentationClass/a.png")
    pairs = find_pairs(tmp_path)
    assert pairs.taken == (
        "people: person (1); 6 pixels of no class (3.1%) are ignored: they count neither in the "
        "loss nor in scores"
    )
    (sample,) = pairs.samples
    assert np.array_equal(sample.read_mask(), full())
    ignored = sample.read_ignored()
    assert ignored is not None
    assert np.argwhere(ignored).tolist() == [[row, 8] for row in range(3, 9)]


def test_mixed_formats__are_refused_with_what_is_there(tmp_path: Path) -> None:
    yolo(tmp_path)
    picture(tmp_path / "masks/train/a.png")
    with pytest.raises(UsageError, match=r"several kinds \(folders, yolo\); say which .*folders"):
        discover(tmp_path)
    assert discover(tmp_path, "yolo")[0].read_mask().sum() == 36
    cvat(tmp_path)
    (tmp_path / "masks").rename(tmp_path / "other")
    with pytest.raises(UsageError, match=r"several kinds \(yolo, cvat\)"):
        discover(tmp_path)


def test_label_studio__labels_that_are_no_list(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    shape = {"points": [[10, 10], [50, 10], [50, 50]], "polygonlabels": 5}
    text(tmp_path / "a.json", tools.label_studio((12, 16), shape))
    with pytest.raises(DataError, match=r"a\.json: no class is 'person'; its classes are 5\."):
        discover(tmp_path)


def test_voc__colours_that_differ_in_any_channel_are_not_mixed_up(tmp_path: Path) -> None:
    """Twice the weight of green would make them one: 128 * 512 = 1 * 65536."""
    voc_of_cvat(tmp_path)
    text(tmp_path / "labelmap.txt", "background:0,0,0::\nperson:0,128,0::\ndog:1,0,0::\n")
    colours = np.zeros((*SIZE, 3), dtype=np.uint8)
    colours[full()] = (0, 128, 0)
    colours[0] = (1, 0, 0)
    Image.fromarray(colours).save(tmp_path / "SegmentationClass/a.png")
    (sample,) = discover(tmp_path)
    np.testing.assert_array_equal(sample.read_mask(), full())


def test_voc__table_without_people_is_named(tmp_path: Path) -> None:
    voc(tmp_path)
    text(tmp_path / "labelmap.txt", "background:0,0,0::\ndog:192,128,128::\n")
    with pytest.raises(DataError, match=r"labelmap\.txt: no class is 'person'"):
        discover(tmp_path)


@pytest.mark.parametrize("name", ["data.yaml", "classes.txt"])
def test_yolo__file_of_names_without_people_is_named(tmp_path: Path, name: str) -> None:
    yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    text(tmp_path / name, "names: [dog]" if name == "data.yaml" else "dog")
    with pytest.raises(DataError, match=rf"{name}: no class is 'person'; its classes are .*dog"):
        discover(tmp_path)
