from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from humanseg.benchmark.inputs import describe, find, generate, names
from humanseg.images import open_image
from humanseg.system.errors import UsageError

SIZES = ((480, 640), (1080, 1920))


def test_generate__has_the_sizes_and_as_much_in_it_as_photographs(tmp_path: Path) -> None:
    paths = generate(tmp_path / "new", SIZES)
    pictures = describe(paths, generated=True)
    assert [(image.height, image.width) for image in pictures] == list(SIZES)
    assert [image.name for image in pictures] == ["640x480.jpg", "1920x1080.jpg"]
    for image in pictures:
        assert 1.5 < image.bytes * 8 / (image.height * image.width) < 3
        assert image.generated


def test_generate__is_the_same_every_time(tmp_path: Path) -> None:
    first, second = (generate(tmp_path / name, ((60, 80),))[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_generate__any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    (path,) = generate(tmp_path, (size,))
    assert open_image(path).size == (size[1], size[0])


def test_find__searches_folders_and_keeps_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "deeper").mkdir(parents=True)
    for name in ("a/deeper/2.JPG", "a/1.png", "a/notes.txt", "z.bin"):
        (tmp_path / name).write_bytes(b"")
    files = find([tmp_path / "z.bin", tmp_path / "a"])
    assert names(files) == ["z.bin", "a/1.png", "a/deeper/2.JPG"]


def test_find__refuses_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no pictures"):
        find([tmp_path])


def test_describe__is_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    (image,) = describe([tmp_path / "a.jpg"], generated=False)
    assert (image.height, image.width) == (40, 20)
