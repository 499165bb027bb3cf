from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from humanseg.images import read_image
from humanseg.images.resize import size_within
from humanseg.images.stored_maps import write_probability
from humanseg.report.gallery.gallery_images import (
    MISSED,
    WRONG,
    read_prediction,
    read_shrunk,
)
from humanseg.system.errors import ImageError

# Machado, Oliveira and Fernandes 2009, severity 1: what people see who lack one kind of cone.
PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
TRITANOPIA = (
    (1.255528, -0.076749, -0.178779),
    (-0.078411, 0.930809, 0.147602),
    (0.004733, 0.691367, 0.303900),
)


def linear(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    parts = np.array(colour) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(values: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = matrix @ np.clip(values, 0, 1) / (0.9505, 1.0, 1.089)
    x, y, z = np.cbrt(xyz)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(
    "sight",
    [np.eye(3), PROTANOPIA, DEUTERANOPIA, TRITANOPIA],
    ids=["full", "protanopia", "deuteranopia", "tritanopia"],
)
def test_error_colours__differ_with_any_colour_vision(sight: object) -> None:
    wrong, missed, veil = (
        lab(np.asarray(sight) @ linear(colour)) for colour in (WRONG, MISSED, (208, 208, 205))
    )
    # CIE 1976: a difference of about 2.3 is just seen.
    assert np.linalg.norm(wrong - missed) > 40
    assert np.linalg.norm(wrong - veil) > 30
    assert np.linalg.norm(missed - veil) > 30


def scene() -> Image.Image:
    rows, columns = np.mgrid[0:600, 0:900]
    waves = [128 + 100 * np.sin(rows / 60 + phase) * np.cos(columns / 90) for phase in range(3)]
    return Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("turned", [1, 6])
def test_read_shrunk__draft_shows_what_the_whole_file_does(tmp_path: Path, turned: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turned
    scene().save(tmp_path / "a.jpg", quality=95, exif=exif)
    whole = read_image(tmp_path / "a.jpg")
    size = size_within((whole.shape[0], whole.shape[1]), 160)
    image = read_shrunk(tmp_path / "a.jpg", size)
    assert image.shape == (*size, 3)
    wanted = np.asarray(Image.fromarray(whole).resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.abs(image.astype(int) - wanted.astype(int)).mean() < 2


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_read_shrunk__reads_unusual_files(tmp_path: Path, mode: str) -> None:
    scene().convert(mode).save(tmp_path / "a.jpg", quality=95)
    image = read_shrunk(tmp_path / "a.jpg", (120, 180))
    wanted = read_image(tmp_path / "a.jpg").mean()
    assert abs(float(image.mean()) - float(wanted)) < 2


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "other", "missing"])
def test_read_shrunk__says_what_is_wrong(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.jpg"):
        read_shrunk(tmp_path / "a.jpg", (10, 10))


def test_read_shrunk__cut_short(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"a\.jpg"):
        read_shrunk(tmp_path / "a.jpg", (10, 10))


def test_read_prediction__large_pictures_are_drawn_smaller(tmp_path: Path) -> None:
    write_probability(tmp_path / "a.png", np.full((6, 8), 0.9, dtype=np.float32))
    assert read_prediction(tmp_path / "a.png", (3000, 4000), 0.5).shape == (768, 1024)
    assert read_prediction(tmp_path / "a.png", (30, 40), 0.5).all()


def test_read_prediction__damaged(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.png"):
        read_prediction(tmp_path / "a.png", (30, 40), 0.5)
    levels = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (64, 64), dtype=np.uint16))
    levels.save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"a\.png"):
        read_prediction(tmp_path / "a.png", (30, 40), 0.5)
