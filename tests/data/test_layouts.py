from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.builders.files import NAMES, make_original, touch

from humanseg.config.schema import Layout
from humanseg.data import discover, find_pairs
from humanseg.images import SUFFIXES
from humanseg.system.errors import DataError, UsageError

Write = Callable[..., Path]
Form = Literal["NFC", "NFD"]


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


@pytest.mark.parametrize("name", ["a.png", "a_mask.png", "a-mask.png", "mask_a.png", "A_Mask.tif"])
def test_folders__usual_names_of_masks_pair(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "images/a.jpg", f"masks/{name}", "images/s/b.jpg", "masks/s/b-seg.png")
    assert [(sample.id, sample.mask) for sample in discover(tmp_path)] == [
        ("a", tmp_path / "masks" / name),
        ("s/b", tmp_path / "masks/s/b-seg.png"),
    ]


def test_folders__two_masks_for_one_picture_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/a_mask.png", "masks/mask_a.png", "images/b.jpg")
    touch(tmp_path, "images/c.jpg", "masks/c.png", "masks/c_mask.png")
    pairs = find_pairs(tmp_path)
    assert [sample.mask for sample in pairs.samples] == [tmp_path / "masks/c.png"]
    assert [missing.message for missing in pairs.missing] == [
        "images/a.jpg has no mask in masks/; a_mask.png or mask_a.png may be meant, keep one",
        "masks/a_mask.png has no picture in images/",
        "images/b.jpg has no mask in masks/",
        "masks/c_mask.png has no picture in images/",
        "masks/mask_a.png has no picture in images/",
    ]


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
        ("yolo", "images/ and labels/"),
        ("labelme", "JSON files of LabelMe"),
        ("cvat", "an XML file of CVAT"),
        ("supervisely", "img/ and ann/"),
        ("label_studio", "a JSON export of Label Studio"),
        ("voc", "JPEGImages/ and SegmentationClass/"),
    ],
)
def test_root__not_the_layout_asked_for(tmp_path: Path, layout: Layout, needs: str) -> None:
    touch(tmp_path, "a.csv", "b.csv")  # two tables: which one is meant is not guessed
    with pytest.raises(UsageError, match=f"layout {layout} needs .*{needs}.*it holds a.csv"):
        discover(tmp_path, layout)


def test_root__unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="layout is 'tar'; allowed are auto, folders"):
        discover(tmp_path, "tar")  # type: ignore[arg-type]


def test_discover__reads_what_it_found(
    write: Write, half: NDArray[np.bool_], tmp_path: Path
) -> None:
    write("images/a.png")
    write("masks/a.png", half)
    (sample,) = discover(tmp_path)
    assert sample.read_image().shape == (12, 16, 3)
    assert np.array_equal(sample.read_mask(), half)
